"""The loss as a number: added up on the device, and read from it now and then."""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.errors import RunError

CHECK_EVERY = 50
"""Steps between two looks at what costs time to look at: the loss on a GPU, where recalled exemplars come from."""


class LossMeter:
    """The losses of one session's steps."""

    def __init__(self, device: torch.device) -> None:
        self.sum = torch.zeros((), device=device)
        self.count = 0
        self._unchecked: list[tuple[Tensor, list[int]]] = []

    def note(self, loss: Tensor, *, rows: list[int]) -> None:
        """Add the loss of a step on the images `rows`, without waiting for the device. `loss` is a scalar."""
        loss = loss.detach().reshape(())
        self.sum += loss
        self.count += 1
        self._unchecked.append((loss, rows))

    @property
    def due(self) -> bool:
        """Whether it is time to look whether all were finite: on a CPU always, elsewhere it makes the host wait."""
        return self.sum.device.type == "cpu" or len(self._unchecked) >= CHECK_EVERY

    def check(self, *, session: int, epoch: int) -> None:
        """Raise NonFiniteLossError if one of the losses was not finite that nobody has looked at yet."""
        if not self._unchecked:
            return
        finite = torch.isfinite(torch.stack([loss for loss, _ in self._unchecked])).tolist()
        if not all(finite):
            raise NonFiniteLossError(session=session, epoch=epoch, rows=self._unchecked[finite.index(False)][1])
        self._unchecked.clear()

    def mean(self) -> float:
        """Return the mean loss so far; waits for the device."""
        return float(self.sum) / max(self.count, 1)


class NonFiniteLossError(RunError):
    """The loss became infinite or not a number; `rows` are the images of the first such batch."""

    def __init__(self, *, session: int, epoch: int, rows: list[int]) -> None:
        super().__init__(f"session {session}, epoch {epoch}: the loss is not finite.")
        self.session = session
        self.epoch = epoch
        self.rows = rows
