"""Class-specific residual attention."""

from __future__ import annotations

from torch import Tensor, float32, promote_types, stack
from torch.nn import functional

from clbench.errors import UsageError
from clbench.nn.heads.base import LabelwiseHead
from clbench.nn.heads.cross_attention import tokens
from clbench.nn.heads.growing_blocks import Blocks, uniform

MAXIMUM = 99
"""The temperature that stands for taking the maximum."""

TEMPERATURES = {1: (1,), 2: (1, MAXIMUM), 4: (1, 2, 4, MAXIMUM), 6: (1, 2, 3, 4, 5, MAXIMUM),
                8: (1, 2, 3, 4, 5, 6, 7, MAXIMUM)}  # fmt: skip


class CSRAHead(LabelwiseHead):
    """The mean feature plus, per label, the feature where its own classifier responds.

    CSRA (Zhu and Wu, ICCV 2021, equations 3-6): with unit classifiers m_j and positions x_k, the label's feature is
    mean_k x_k + lam * sum_k softmax_k(T x_k . m_j) x_k, and the logit its product with m_j. Heads differ in T (the last
    of several takes the maximum) and their logits are added. One feature for one label (OFOL).

    Options: `heads` 1, 2, 4, 6 or 8; `lam` the weight of the residual. No bias, as published. `label_features` joins
    the heads side by side. Deviation: classifiers grow in blocks.
    """

    def __init__(self, *, width: int, heads: int = 1, lam: float = 0.1) -> None:
        super().__init__(width=width)
        if heads not in TEMPERATURES:
            raise UsageError(
                f"head_options.heads of head 'csra' is {heads}.",
                hint=f"Use one of: {', '.join(map(str, TEMPERATURES))}.",
            )
        self.lam = lam
        self.temperatures = TEMPERATURES[heads]
        self.weight = Blocks(heads, width, init=uniform(width))

    def _scores(self, x: Tensor) -> Tensor:
        """Return the response of every classifier at every position, [B, heads, seen, N]."""
        unit = functional.normalize(self.weight(), dim=2)
        responses = functional.linear(x, unit.transpose(0, 1).flatten(0, 1))
        return responses.transpose(1, 2).reshape(x.shape[0], len(self.temperatures), self.seen, -1)

    def _attend(self, scores: Tensor) -> Tensor:
        maps = [
            functional.one_hot(scores[:, i].argmax(-1), scores.shape[-1]).to(scores.dtype)
            if temperature == MAXIMUM
            else (temperature * scores[:, i]).softmax(-1)
            for i, temperature in enumerate(self.temperatures)
        ]
        return stack(maps, dim=1)

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits [B, seen]."""
        scores = self._scores(tokens(features))
        scores = scores.to(promote_types(scores.dtype, float32))
        return (scores.mean(-1) + self.lam * (scores * self._attend(scores)).sum(-1)).sum(1)

    def label_features(self, features: Tensor) -> Tensor:
        """Return each label's own feature, the heads side by side: [B, seen, heads * width]."""
        x = tokens(features)
        attended = self._attend(self._scores(x)) @ x.unsqueeze(1)
        own = x.mean(1)[:, None, None] + self.lam * attended
        return own.transpose(1, 2).flatten(2)

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return (unit weights [seen, heads * width], zero bias [seen])."""
        unit = functional.normalize(self.weight(), dim=2).flatten(1)
        return unit, unit.new_zeros(len(unit))

    def attention(self, features: Tensor) -> Tensor:
        """Return where each label looks: [B, heads, seen, N], rows summing to one."""
        return self._attend(self._scores(tokens(features)))
