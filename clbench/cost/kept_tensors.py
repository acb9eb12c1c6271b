"""How much a step keeps of what it computed forward, until it has gone back."""

from __future__ import annotations

import torch
from torch.autograd.graph import saved_tensors_hooks


class KeptTensors:
    """Counts the bytes that the first step keeps for its way back, parameters left out."""

    def __init__(self) -> None:
        self.bytes = 0
        self._storages: set[int] = set()
        self._hooks: saved_tensors_hooks | None = None

    def begin(self) -> None:
        """Count from here on, once in a run."""
        if self._storages or self._hooks is not None:
            return
        self._hooks = saved_tensors_hooks(self._note, lambda kept: kept)
        self._hooks.__enter__()

    def end(self) -> None:
        """Stop counting."""
        if self._hooks is not None:
            self._hooks.__exit__()
            self._hooks = None

    def _note(self, kept: torch.Tensor) -> torch.Tensor:
        storage = kept.untyped_storage()
        if not isinstance(kept, torch.nn.Parameter) and storage.data_ptr() not in self._storages:
            self._storages.add(storage.data_ptr())
            self.bytes += storage.nbytes()
        return kept
