"""A classifier whose rows begin as the labels' text vectors."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from clbench.nn.closed_form.head import RidgeHead
from clbench.nn.heads.growing_blocks import Blocks, zeros


class TextHead(RidgeHead):
    """Logit scale (<f, w_j> - offset) for the unit image feature f and a row w_j that begins as the text vector.

    While the row is that unit vector, <f, w_j> is the cosine: CLIP's score (Radford et al., ICML 2021). No softmax over
    labels: one label more would change the order of images for all others. `projection` [e, width] leads from pooled
    features to where the texts lie, and does not train; `trainable` is for the rows.
    """

    def __init__(
        self, *, width: int, projection: Tensor | None, pooling: str, scale: float, offset: float, trainable: bool
    ) -> None:
        super().__init__(width=width, projection=projection, pooling=pooling, trained=False)
        self.scale, self.offset = scale, offset
        self.weight = Blocks(self.hidden, init=zeros, trainable=trainable)

    def expanded(self, features: Tensor) -> Tensor:
        """Return the unit image feature [B, e]."""
        pooled = self.pool(features).float()
        return functional.normalize(
            pooled if self.projection is None else functional.linear(pooled, self.projection), dim=1
        )
