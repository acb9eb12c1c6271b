"""Runs in worker processes: a dead worker takes nobody with it, a stop reaches every worker, no worker is orphaned."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.managers import SyncManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clbench.errors import ClbenchError, CutOffError
from clbench.files.machine import gpu_count
from clbench.many.fork_server import end_with_parent, orphaned, take_environment, worker_context
from clbench.many.one import RunOutcome, one, tell_failure
from clbench.train.events import Watch, relay
from clbench.train.stopping import termination_interrupts

if TYPE_CHECKING:
    from clbench.plan.plan import Plan
    from clbench.train.options import RunOptions

PATIENCE = 120.0
"""Seconds that a worker whose parent has died may take to save its state."""

STOPPED = "Stopped; what was running has saved its state. The same command goes on from there."


def run_in_processes(plans: Sequence[Plan], options: RunOptions, *, jobs: int, watch: Watch) -> list[RunOutcome]:
    """Carry out `plans` in `jobs` worker processes and return their outcomes in order.

    A run whose worker dies is started once more, alone, so that what kills workers is told from what shared a pool with
    it. SIGINT and SIGTERM stop every run at the end of its step, with its state saved, and raise KeyboardInterrupt.
    """
    context = worker_context()
    outcomes: dict[int, RunOutcome] = {}
    manager = SyncManager(ctx=context)
    manager.start(initializer=end_with_parent, initargs=(0.0,))
    with manager, termination_interrupts():
        pool = _Pool(plans, options, context=context, calls=manager.Queue())
        stop = threading.Event()
        listener = threading.Thread(target=_listen, args=(pool.calls, watch, stop), daemon=True)
        listener.start()
        try:
            while len(outcomes) < len(plans):
                waiting = [index for index in range(len(plans)) if index not in outcomes]
                for lost in pool.carry_out(waiting, outcomes, jobs=jobs):
                    if pool.carry_out([lost], outcomes, jobs=1):
                        outcomes[lost] = RunOutcome(plans[lost], error=_died(plans[lost]))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(STOPPED) from None
        finally:
            stop.set()
            listener.join(timeout=5)
    for outcome in outcomes.values():
        tell_failure(outcome, watch)
    return [outcomes[index] for index in range(len(plans))]


@dataclass
class _Pool:
    """Makes pools of worker processes for parts of `plans`."""

    plans: Sequence[Plan]
    options: RunOptions
    context: Any
    calls: Any
    """The queue through which workers tell what they do."""

    def carry_out(self, waiting: list[int], outcomes: dict[int, RunOutcome], *, jobs: int) -> list[int]:
        """Fill `outcomes` until all of `waiting` have one; return those that ran when a worker died, if one did."""
        jobs = min(jobs, len(waiting))
        pool = ProcessPoolExecutor(
            jobs,
            mp_context=self.context,
            initializer=_start_worker,
            initargs=(
                dict(os.environ),
                self.calls,
                _gpu_queue(self.options, jobs, self.context),
                logging.getLogger().level,
            ),
        )
        running: dict[Future[Any], int] = {}
        todo = list(waiting)
        with pool:
            try:
                while todo or running:
                    # no more than `jobs` are handed out, so that a broken pool tells which runs it took with it
                    while todo and len(running) < jobs:
                        index = todo.pop(0)
                        running[pool.submit(_work, self.plans[index], self.options)] = index
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        record, error = future.result()
                        index = running.pop(future)
                        outcomes[index] = RunOutcome(self.plans[index], Path(record) if record else None, error)
            except BrokenProcessPool:
                return list(running.values())
            except BaseException:
                _stop_workers(pool)
                raise
        return []


def _stop_workers(pool: ProcessPoolExecutor) -> None:
    """Ask every worker to save its state and stop; whoever got the same signal from a terminal takes it for one."""
    for process in list((pool._processes or {}).values()):
        with contextlib.suppress(OSError, ValueError):
            process.terminate()


def _died(plan: Plan) -> CutOffError:
    return CutOffError(
        f"{plan.title}: its worker process died twice (killed, or out of memory).",
        hint="Run it with --jobs 1, or with a smaller train.batch_size; its saved state is kept.",
    )


# ---------------------------------------------------------------------- inside a worker process


_calls: Any = None


def _start_worker(environment: Mapping[str, str], calls: Any, gpus: Any, level: int) -> None:
    global _calls
    _calls = calls
    take_environment(environment)
    # Ctrl-C reaches every process of a terminal: runs listen to it while they run, an idle worker to its parent alone
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(PATIENCE)
    logging.basicConfig(level=level, format="%(message)s")
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(gpus.get())


def _work(plan: Plan, options: RunOptions) -> tuple[str, ClbenchError | None]:
    try:
        outcome = one(plan, options, relay(_calls.put))
    except KeyboardInterrupt as error:  # this worker alone was asked to stop, or nobody reads what it returns
        if orphaned():
            os._exit(1)  # the state is saved, and to wait for more work would be to wait for ever
        return "", CutOffError(f"{plan.title}: {str(error) or 'interrupted'}")
    return str(outcome.record or ""), outcome.error


def _gpu_queue(options: RunOptions, jobs: int, context: Any) -> Any:
    """Return a queue with the GPU of each worker, as CUDA_VISIBLE_DEVICES names it; None where there is no choice."""
    if options.device not in {"auto", "cuda"}:
        return None  # the CPU, or one GPU that was named: a worker that saw another one alone would not find it
    count = gpu_count()
    if count < 2:
        return None
    names = visible_gpus(count)
    queued = context.Queue()
    for worker in range(jobs):
        queued.put(names[worker % len(names)])
    return queued


def visible_gpus(count: int) -> list[str]:
    """Return the names of the `count` GPUs that this process sees, for a child that is to see one of them.

    torch numbers them from 0; the driver numbers all of the machine's. Where some were chosen beforehand (by a
    scheduler, or by who shares the machine) the numbers differ, and 0 may be somebody else's.
    """
    chosen = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return chosen[:count] if chosen else [str(number) for number in range(count)]


def _listen(calls: Any, watch: Watch, stop: threading.Event) -> None:
    while True:
        try:
            event = calls.get(timeout=0.2)
        except queue.Empty:
            if stop.is_set():
                return
            continue
        except (EOFError, OSError):
            return
        watch(event)
