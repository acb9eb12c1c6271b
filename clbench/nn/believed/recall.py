"""Thresholds per label, learned from what the previous network said of images that have the label."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.special import entr


def binary_entropy(p: Tensor) -> Tensor:
    """Return the entropy of a yes with probability p, in nats; log 2 at one half. The shape stays."""
    entropy: Tensor = entr(p) + entr(1 - p)
    return entropy


class RecallThresholds:
    """A hidden old label j counts as present where p >= eps_j and the entropy of p is at most tau_j.

    URE of KBK (arXiv 2608.30316, eq. 8): eps_j is the mean p over positives of label j and tau_j their mean entropy.
    Which samples the paper takes as reliable for tau is not stated; here the same positives. Before a label has any,
    its threshold is 0.8 without a bound on the entropy. With eps = c and tau = log 2 it is a fixed threshold.
    """

    def __init__(self, *, first: float = 0.8, entropy: bool = True) -> None:
        self.first, self.entropy = first, entropy
        self.eps, self.tau = torch.zeros(0, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)

    def widen(self, labels: int) -> None:
        """Make room for labels without a positive yet."""
        extra = labels - len(self.eps)
        if extra > 0:
            self.eps = torch.cat([self.eps, torch.full((extra,), self.first, dtype=torch.float64)])
            self.tau = torch.cat([self.tau, torch.full((extra,), torch.inf, dtype=torch.float64)])

    def update(self, scores: Tensor, present: Tensor) -> None:
        """Set the thresholds of labels with a positive from scores [n, L] and what is taken as present, bool [n, L]."""
        self.widen(scores.shape[1])
        p, held = scores.double().cpu(), present.cpu()
        counts = held.sum(0)
        met = counts > 0
        for kept, values in ((self.eps, p), (self.tau, binary_entropy(p))):
            mean = torch.where(held, values, 0.0).sum(0) / counts.clamp(min=1)
            kept[met] = mean[met]

    def present(self, scores: Tensor) -> Tensor:
        """Return which labels count as present, bool [n, L], of scores [n, L]."""
        eps, tau = (values[: scores.shape[1]].to(scores.device) for values in (self.eps, self.tau))
        p = scores.double()
        sure = binary_entropy(p) <= tau + 1e-12 if self.entropy else torch.ones_like(p, dtype=torch.bool)
        return (p >= eps) & sure

    def state(self) -> dict[str, npt.NDArray[np.float64]]:
        """Return both thresholds as arrays. Arrays [labels]."""
        return {"eps": self.eps.numpy().copy(), "tau": self.tau.numpy().copy()}

    def load(self, state: Mapping[str, npt.NDArray[np.float64]]) -> None:
        """Put back what `state` returned. Arrays [labels]."""
        self.eps, self.tau = (torch.from_numpy(np.array(state[name])) for name in ("eps", "tau"))
