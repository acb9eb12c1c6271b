"""Heads on one pooled image feature: one feature for multiple labels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from clbench.nn.heads.base import Head
from clbench.nn.heads.growing_blocks import Blocks, uniform


class LinearHead(Head):
    """Average pooling and one linear classifier per label.

    The shared-feature baseline (OFML): logit_j = <f, w_j> + b_j with f the mean over all positions.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__(width=width)
        self.weight = Blocks(width, init=uniform(width))
        self.bias = Blocks(init=uniform(width))

    def pool(self, features: Tensor) -> Tensor:
        """Return the image feature [B, width]."""
        return features.mean(dim=(2, 3))

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits [B, seen]."""
        return functional.linear(self.pool(features), *self.classifier())

    def label_features(self, features: Tensor) -> Tensor:
        """Return the feature shared by all labels, [B, 1, width]."""
        return self.pool(features).unsqueeze(1)

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return (weight [seen, width], bias [seen])."""
        return self.weight(), self.bias()


class MaxPoolHead(LinearHead):
    """Global max pooling and one linear classifier per label.

    The shared-feature baseline (OFML) with the pooling that Jia et al. (arXiv 2107.03576) use on COCO.
    """

    def pool(self, features: Tensor) -> Tensor:
        """Return the image feature [B, width]."""
        return features.amax(dim=(2, 3))
