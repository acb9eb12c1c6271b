"""What a run says when training breaks, and what it leaves for whoever looks into it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from clbench.errors import ClbenchError, CutOffError, RunError
from clbench.files.whole_file import whole_file
from clbench.nn.shared.ranks import rank, world
from clbench.ranks import together as distributed
from clbench.train.loss_meter import NonFiniteLossError


class DivergedError(RunError):
    """A run whose numbers stopped being finite; the same values would do it again."""


def explained(error: ClbenchError, *, run: str, ids: npt.NDArray[np.generic], work: Path) -> ClbenchError:
    """Return the error with the images of the batch written beside the run, where its loss was not finite.

    `ids` is [images of the table].
    """
    if not isinstance(error, NonFiniteLossError):
        return error
    images = [str(ids[row]) for row in error.rows]
    path = work / "not-finite.json"
    with whole_file(path, what="the list of images") as file:
        file.write(msgspec.json.encode({"session": error.session, "epoch": error.epoch, "images": images}))
    return DivergedError(
        f"{run}: {error.message} The images of that batch are in {path}.",
        hint="Lower train.lr or set train.clip_norm; with amp fp16 try bf16. A loss that reads unknown targets "
        "(NaN) gives this too: use batch.known.",
    )


def is_loader_death(error: RuntimeError) -> bool:
    """Say whether torch reports that a process which reads pictures is gone."""
    return "DataLoader worker" in str(error)


def lost(error: RuntimeError, *, run: str, state_file: Path) -> RunError | None:
    """Return what to say when a loader process or another rank is gone; None for any other error."""
    if is_loader_death(error):
        return CutOffError(
            f"{run}: a loader process died ({str(error).partition(chr(10))[0].rstrip('.')}).",
            hint="Was memory short? The same command goes on from the last saved state, with --workers 0 too.",
        )
    if distributed.is_loss_of_a_rank(error):
        # gloo says where in its own source it noticed, and a word to those who debug it
        text = str(error).splitlines()[0].partition(". ")[0]
        text = text.partition("] ")[2] if text.startswith("[") else text
        return CutOffError(
            f"{run}: process {rank() + 1} of {world()} lost another one ({text.rstrip('.')}).",
            hint=f"Run the same command again: it goes on from {state_file}, where that is there already.",
        )
    return None
