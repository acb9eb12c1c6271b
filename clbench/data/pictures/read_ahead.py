"""Pictures in the order in which they are wanted, read ahead by processes of their own where that is worth it."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from clbench.data.pictures.sources import ImageSource
from clbench.errors import ClbenchError, RunError
from clbench.files import shared_memory

Rows = npt.NDArray[np.int64]

PATIENCE = 3.0
"""Seconds that a reader waits for room in shared memory."""


def read_ahead(source: ImageSource, rows: Rows, *, batch: int, readers: int = 0, pin: bool = False) -> Iterator[Tensor]:
    """Yield the pictures of `rows` in batches uint8 [batch, 3, S, S], in order; `readers` processes work ahead.

    Raises DataError for a picture that cannot be read, whichever process met it.
    """
    parts = [rows[first : first + batch] for first in range(0, len(rows), batch)]
    readers = min(readers, len(parts))
    if not readers:
        yield from (source.read(part) for part in parts)
        return
    loader: DataLoader[Tensor | ClbenchError] = DataLoader(
        _Parts(source, parts),
        batch_size=None,
        num_workers=readers,
        pin_memory=pin,
        worker_init_fn=leave_interrupts_to_the_run,
        # without a generator of its own every iterator would draw from the global one
        generator=torch.Generator().manual_seed(0),
    )
    batches = iter(loader)
    for _ in parts:
        with death_told(readers):
            found = next(batches)
        if isinstance(found, ClbenchError):
            raise found
        yield found


@contextlib.contextmanager
def death_told(readers: int) -> Iterator[None]:
    """Raise RuntimeError, as torch does for a reader that is gone, also for one that went while it handed a batch over.

    Then the run meets the end of a connection, or a socket that is not there any more. What a reader met itself comes
    home with the reader's name in it, and stays what it is.
    """
    try:
        yield
    except (ConnectionError, EOFError, FileNotFoundError) as error:
        if not readers or "in DataLoader worker process" in str(error):
            raise
        text = str(error).strip().splitlines()
        raise RuntimeError(
            f"DataLoader worker went while it handed a batch over: {text[-1] if text else type(error).__name__}"
        ) from error


class _Parts(Dataset["Tensor | ClbenchError"]):
    def __init__(self, source: ImageSource, parts: list[Rows]) -> None:
        self.source = source
        self.parts = parts

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, place: int) -> Tensor | ClbenchError:
        try:
            pictures = self.source.read(self.parts[place])
            hand_over(pictures)
            return pictures
        except ClbenchError as error:
            return error  # torch would send home a text with a traceback in it


def hand_over(*tensors: Tensor) -> None:
    """Put what a reader hands on into shared memory, from where the run takes it.

    torch would do so in a thread of the reader's, whose error nobody hears: the run would wait for ever. Raises
    RunError where there is no room for some seconds.
    """
    patience = time.monotonic() + PATIENCE
    for tensor in tensors:
        while not tensor.is_shared():  # type: ignore[no-untyped-call]
            try:
                tensor.share_memory_()  # type: ignore[no-untyped-call]
            except RuntimeError as error:
                if time.monotonic() > patience:
                    raise RunError(
                        f"a process that reads pictures finds no room in shared memory ({shared_memory.told()}).",
                        hint="Run it with --workers 0, or give more of it: docker run --shm-size=8g",
                    ) from error
                time.sleep(0.05)


def leave_interrupts_to_the_run(worker: int) -> None:
    """Let a reader outlive Ctrl-C: a terminal sends it to every process, and the run still has a step to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
