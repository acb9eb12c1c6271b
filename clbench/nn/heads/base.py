"""What every head is: growing per-label parameters between a feature map and one logit per label."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from clbench.errors import UsageError
from clbench.nn.heads.growing_blocks import Blocks


class Head(nn.Module):
    """One logit per seen label from a feature map [B, width, h, w]; starts with no label and grows.

    `ofol` tells the two families apart: False when all labels share one image feature (one feature for multiple
    labels), True when every label has a feature of its own (one feature for one label).
    """

    ofol: bool = False
    wants_stages: bool = False
    """True asks for the maps of all stages of the backbone, shallow to deep, in place of the last one alone."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.width = width
        self.seen = 0
        self.newest = slice(0, 0)
        """The columns of the newest block of labels."""
        self.entangled = False
        """Whether labels look at each other, so that growing moves old logits even with every weight fixed."""

    def attach(self, shapes: Sequence[tuple[int, int, int]]) -> None:
        """Take (channels, h, w) of every stage; called once, before the first label, where the head `wants_stages`."""

    def grow(self, k: int) -> None:
        """Add `k` labels as one new block of parameters, drawn from the global torch generator.

        Earlier tensors keep their identity and their values. Tables are filled in the order of their registration.
        Raises UsageError for k below 1.
        """
        if k < 1:
            raise UsageError(f"head.grow: k is {k}, expected at least one new label.")
        for table in self.tables():
            table.grow(self.rows_for(k, table))
        self.newest = slice(self.seen, self.seen + k)
        self.seen += k

    def rows_for(self, k: int, table: Blocks) -> int:
        """Return how many rows of `table` a block of `k` labels needs; one per label unless a head says otherwise."""
        return k

    def tables(self) -> list[Blocks]:
        """Return the growing tables of this head."""
        return [module for module in self.modules() if isinstance(module, Blocks)]

    def old_parameters(self) -> list[nn.Parameter]:
        """Return the per-label parameters of every block but the newest."""
        return [block for table in self.tables() for block in list(table.blocks)[:-1]]

    def freeze_old(self) -> None:
        """Stop training the per-label parameters of every block but the newest.

        Freezing is `requires_grad = False`: a zero gradient alone would still let weight decay and momentum move them.
        """
        for parameter in self.old_parameters():
            parameter.requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits [B, seen]."""
        raise NotImplementedError

    def label_features(self, features: Tensor) -> Tensor:
        """Return what each label is decided on: [B, seen, d], or [B, 1, d] when one feature serves all labels."""
        raise NotImplementedError

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return the classifier rows (weight [seen, d], bias [seen]) that meet `label_features`."""
        raise NotImplementedError

    def attention(self, features: Tensor) -> Tensor:
        """Return where each label looks: [B, heads, seen, N], non-negative, summing to one over the N positions.

        Raises UsageError where all labels share one feature.
        """
        raise UsageError(
            f"{type(self).__name__} has no attention: all its labels share one feature.",
            hint="Use a head with a feature per label, such as head=queries.",
        )


class LabelwiseHead(Head):
    """A head with a feature per label: logit_j = <f_j, w_j> + b_j.

    `own` passes the label features on unchanged: a place to look at them from outside.
    """

    ofol: bool = True

    def __init__(self, *, width: int) -> None:
        super().__init__(width=width)
        self.own = nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits [B, seen]."""
        weight, bias = self.classifier()
        # not a matrix product: each logit must depend on its own row alone, to the last bit
        own: Tensor = self.own(self.label_features(features))
        return (own * weight).sum(-1) + bias
