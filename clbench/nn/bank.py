"""The latest confident features of every label."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from clbench.errors import UsageError


class FeatureBank:
    """Holds up to `size` features per label, the newest in place of the oldest; none of them has a gradient.

    Confirmed in the code of SADCL (ECAI 2023): one feature per label and place in the batch, the latest that was
    confident there. Reconstructed: a label has places of its own, so that the bank outlives sessions and changes of the
    batch size.

    >>> bank = FeatureBank(1)
    >>> bank.widen(2, d=3)
    >>> bank.add(torch.eye(3), torch.tensor([0, 0, 1]))
    >>> features, labels = bank.features()
    >>> features.tolist(), labels.tolist()  # of label 0 the newer one
    ([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [0, 1])
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise UsageError(f"bank: size is {size}, expected at least one feature per label.")
        self.size = size
        self._features = torch.empty(0, size, 0)
        self._written = torch.empty(0, dtype=torch.int64)

    def widen(self, seen: int, *, d: int) -> None:
        """Make places for labels up to `seen`, whose features are `d` wide."""
        more = seen - len(self._written)
        if more > 0:
            held = self._features if self._features.shape[2] == d else self._features.new_empty(0, self.size, d)
            self._features = torch.cat([held, held.new_zeros(more, self.size, d)])
            self._written = torch.cat([self._written, self._written.new_zeros(more)])

    @torch.no_grad()
    def add(self, features: Tensor, classes: Tensor) -> None:
        """Take features [n, d] of the labels `classes` int64 [n], the oldest first."""
        if not len(classes):
            return
        self._to(features.device)
        order = classes.argsort(stable=True)
        classes, features = classes[order], features.detach()[order].to(self._features.dtype)
        counts = torch.bincount(classes, minlength=len(self._written))
        rank = torch.arange(len(classes), device=classes.device) - (counts.cumsum(0) - counts)[classes]
        lasting = rank >= counts[classes] - self.size  # several of one label may arrive at once
        places = (self._written[classes] + rank) % self.size
        self._features[classes[lasting], places[lasting]] = features[lasting]
        self._written = self._written + counts

    def features(self) -> tuple[Tensor, Tensor]:
        """Return all held features [m, d] and their labels int64 [m]."""
        held = torch.arange(self.size, device=self._written.device) < self._written[:, None]
        return self._features[held], held.nonzero()[:, 0]

    def places(self, batch: int) -> Tensor:
        """Return features [batch, C, d] as a bank with a place for each image would: place b has the label's b-th.

        A label with fewer features than images repeats them; one without any gives zeros.
        """
        filled = self._written.clamp(min=1, max=self.size)
        at = torch.arange(batch, device=filled.device)[:, None] % filled
        return self._features[torch.arange(len(filled), device=filled.device), at]

    def __len__(self) -> int:
        return int(self._written.clamp(max=self.size).sum())

    def state(self) -> dict[str, Tensor]:
        """Return everything that changes; `load` puts it back exactly."""
        return {"features": self._features.clone(), "written": self._written.clone()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` returned."""
        self._features, self._written = state["features"].clone(), state["written"].clone()

    def _to(self, device: torch.device) -> None:
        # this is no module: it follows the features it is given
        if self._features.device != device:
            self._features, self._written = self._features.to(device), self._written.to(device)
