"""One run on several processes of this machine, started by torch's own agent, the one behind torchrun."""

from __future__ import annotations

import logging
import signal
import sys
import uuid
from collections.abc import Sequence

from clbench.errors import RunError, UsageError

INTERRUPTED = 130
MOST_PER_CORE = 4
"""Processes of one run without a GPU: enough to try it anywhere, too few to use up the memory."""


def launch(count: int, arguments: Sequence[str], *, device: str) -> None:
    """Carry out `clbench ARGUMENTS` in `count` processes of this machine that share every run.

    They print what there is to print and say what goes wrong. Raises UsageError where there are too few GPUs or cores,
    RunError where one of them was killed, SystemExit with the code of the first that failed, KeyboardInterrupt after a
    stop.
    """
    _check_count(count, device=device)
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    agent = logging.getLogger("torch.distributed.elastic")
    agent.addHandler(logging.NullHandler())
    agent.propagate = False  # what it says of processes that end is said below in fewer words
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "clbench", *arguments)
    except SignalException as error:
        raise KeyboardInterrupt from error
    except ChildFailedError as error:
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        raise told(codes, count=count) from None


def _check_count(count: int, *, device: str) -> None:
    if device == "cpu":
        _check_cores(count)
        return
    import torch

    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device not in {"auto", "cuda"}:
        raise UsageError(f"--device {device} is one device, --devices {count} are several.", hint="Use --device cuda.")
    if there and count > there:
        raise UsageError(
            f"--devices {count}: this machine has {there} GPU{'s' * (there != 1)}.",
            hint="Ask for as many, or use --device cpu.",
        )
    if not there:
        _check_cores(count)


def _check_cores(count: int) -> None:
    """Raise UsageError where too many would share a core: each holds torch and a network of its own in memory."""
    from clbench.files.machine import cores

    most = MOST_PER_CORE * cores()
    if count > most:
        raise UsageError(
            f"--devices {count}: without a GPU {most} processes are the most here, {MOST_PER_CORE} for each core.",
            hint="Ask for fewer; more than one for each core is slower than one.",
        )


def told(codes: dict[int, int], *, count: int) -> BaseException:
    """Return what to raise for processes that ended with `codes`: below zero those of signals, as subprocess has it."""
    # whoever is left is asked to stop by SIGTERM, which says nothing of the cause
    killed = [rank for rank, code in codes.items() if code < 0 and -code != signal.SIGTERM]
    if killed:
        name = signal.Signals(-codes[killed[0]]).name
        return RunError(
            f"Process {killed[0] + 1} of {count} was killed ({name}).",
            hint="Was memory short? The same command goes on from the last saved state.",
        )
    # the others lost the one that failed first, or were asked to stop because of it
    own = [code for code in codes.values() if code > 0]
    return SystemExit(min(own, key=lambda code: code in (RunError.exit_code, INTERRUPTED), default=1))
