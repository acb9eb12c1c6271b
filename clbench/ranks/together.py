"""Data-parallel training of one run on torch.distributed, started by torchrun.

Every rank holds the whole strategy and sees every `world`-th image of each global batch, in the order one process would
see them; losses are divided by global counts (`clbench.nn.shared.ranks`) and gradients are averaged over ranks, so the
step is the one of a single process with the same global batch, batch norms included (`clbench.nn.shared.batch_norm`).
Memories, thresholds and growth are computed on every rank from the same values, so nothing has to be sent for them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, distributed, nn
from torch.distributed.rendezvous import rendezvous

from clbench.errors import ClbenchError, RunError, UsageError
from clbench.nn.shared.ranks import from_all, rank, world
from clbench.ranks import launched

Result = TypeVar("Result")

STOP = "clbench: stop after step"
_store: Any = None
"""Where ranks leave each other short words without waiting for each other."""


def start(device: str) -> str:
    """Join the processes that torchrun started, if it did, and return the device of this one.

    NCCL on GPUs (one per process), gloo on CPUs. Does nothing in a process that torchrun did not start. Raises
    UsageError for more processes than GPUs.
    """
    if launched.processes() < 2 or distributed.is_initialized():
        return device
    gpu = device != "cpu" and torch.cuda.is_available()
    if gpu:
        own = int(os.environ.get("LOCAL_RANK", "0"))
        if own >= torch.cuda.device_count():
            raise UsageError(
                f"{launched.here()} processes on a machine with {torch.cuda.device_count()} GPUs.",
                hint="Start one for each GPU, or use --device cpu.",
            )
        device = f"cuda:{own}"
        torch.cuda.set_device(device)
    _join("nccl" if gpu else "gloo")
    return device if gpu else "cpu"


def _join(backend: str) -> None:
    global _store
    try:
        store, number, size = next(rendezvous("env://"))
    except ValueError as error:
        raise UsageError(
            f"WORLD_SIZE is {launched.processes()}, but the processes cannot find each other ({error}).",
            hint="Start them with --devices or torchrun, which set what is missing; else unset WORLD_SIZE.",
        ) from error
    distributed.init_process_group(backend, store=store, rank=number, world_size=size)
    _store = store


def stop() -> None:
    """Leave the process group, if there is one."""
    if world() > 1:
        distributed.destroy_process_group()


def from_first(value: Any) -> Any:
    """Return what rank 0 holds; the others' values are ignored."""
    if world() == 1:
        return value
    held = [value]
    distributed.broadcast_object_list(held, src=0)
    return held[0]


def by_first(action: Callable[[], Result]) -> Result | None:
    """Let rank 0 alone do something and raise on every rank what it raises there; None on the others."""
    done: Result | None = None
    failed: ClbenchError | None = None
    if rank() == 0:
        try:
            done = action()
        except ClbenchError as error:
            failed = error
    failed = from_first(failed)
    if failed is not None:
        failed.told = rank() > 0
        raise failed
    return done


def agreed_to_stop(asked: bool, *, step: int) -> bool:
    """Say after `step` whether all ranks stop now, because one of them was `asked` to; steps are counted from 0 on.

    They stop together, after a step that each of them has made: who is asked first says after which one.
    """
    if _store is None or world() == 1:
        return asked
    if not _store.check([STOP]):
        if asked:
            # no rank can end the next step before this one has begun it, so all of them see this before its end
            _store.set(STOP, str(step + 1))
            # `set` does not wait for the host of the store; until it answers, another rank could look too early
            _store.get(STOP)
        return False
    return step >= int(_store.get(STOP))


def anybody(asked: bool) -> bool:
    """Say on every rank whether one of them was `asked`."""
    if world() == 1:
        return asked
    held: list[Any] = [None] * world()
    distributed.all_gather_object(held, asked)
    return any(held)


def is_loss_of_a_rank(error: RuntimeError) -> bool:
    """Say whether torch reports that another process of the run is gone or does not answer."""
    text = str(error)
    return world() > 1 and (isinstance(error, distributed.DistError) or "gloo" in text or "NCCL" in text)


def mine(items: list[Any]) -> list[Any]:
    """Return this rank's share of a global batch: every world-th item."""
    return items[rank() :: world()]


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Average the gradients of all ranks in place, in one message per type.

    A parameter that has one on some ranks only counts as zero on the others; one that has none anywhere keeps none, so
    that the optimiser leaves it alone as it would in a single process.
    """
    if world() == 1:
        return
    groups: dict[torch.dtype, list[nn.Parameter]] = {}
    for parameter in parameters:
        groups.setdefault(parameter.dtype, []).append(parameter)
    for members in groups.values():
        missing = [parameter.grad is None for parameter in members]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in members]
        there = torch.tensor([not none for none in missing]).to(gradients[0])
        flat = torch.cat([*(gradient.reshape(-1) for gradient in gradients), there])
        distributed.all_reduce(flat)
        flat /= world()
        *parts, there = torch.split(flat, [*(g.numel() for g in gradients), len(members)])
        # only who lacks one has to look, and to wait for the device, whether another rank has it
        found = (there > 0).tolist() if any(missing) else [True] * len(members)
        for parameter, gradient, part, wanted in zip(members, gradients, parts, found, strict=True):
            if wanted:
                gradient.copy_(part.view_as(gradient))
                parameter.grad = gradient


def gathered(values: Tensor, *, total: int) -> Tensor:
    """Return the rows of all ranks in global order, where rank r holds rows r, r + world, ... of `total`.

    Gradients find their way back (see `clbench.nn.shared.ranks.from_all`). `values` is [n of this rank, ...], the
    result [total, ...].
    """
    size = world()
    if size == 1:
        return values
    longest = -(-total // size)
    padded = torch.zeros((longest, *values.shape[1:]), dtype=values.dtype, device=values.device)
    padded[: len(values)] = values
    # part r holds rows r, r + size, ...: stacked along a second axis they lie in global order
    return from_all(padded).transpose(0, 1).reshape(longest * size, *values.shape[1:])[:total]


def shard(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return this rank's share of the test rows: no padding, so no image is scored twice.

    [n] becomes [n / world], rounded up or down.
    """
    return rows[rank() :: world()]


def check_equal(module: nn.Module, *, what: str) -> None:
    """Raise RunError on every rank unless all hold the same parameters and buffers bit for bit."""
    if world() == 1:
        return
    import hashlib

    hasher = hashlib.sha256()
    for name, value in module.state_dict().items():
        if isinstance(value, Tensor):
            hasher.update(name.encode() + value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    held: list[Any] = [None] * world()
    distributed.all_gather_object(held, hasher.hexdigest())
    if len(set(held)) > 1:
        raise RunError(
            f"{what}: the ranks hold different weights.",
            hint="A strategy draws random numbers from self.rng or torch's global generator, never from its own.",
        )
