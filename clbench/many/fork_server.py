"""Worker processes as forks of a server that has imported the loop: a fork costs a tenth of what the imports cost.

The server is the standard library's. It imports and does nothing else, so that no thread and no GPU stands in the way
of a fork; what a worker computes with, it sets up itself. It ends when the processes that use it have ended.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext
from typing import TypeVar

T = TypeVar("T")

PRELOADED = "clbench.many.preloaded"


def worker_context(*modules: str) -> BaseContext:
    """Return the context in which to start processes that train; the server imports `modules` too, if it is not there.

    Where the system has no safe fork (Windows, macOS) processes are spawned, and import for themselves.

    >>> worker_context().get_start_method() in {"forkserver", "spawn"}
    True
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOADED, *modules])
    return context


def in_worker(function: Callable[[], T], *, otherwise: Callable[[], T] | None = None) -> T:
    """Return what `function` returns in a process that has imported the loop, or raise what it raises there.

    Where that process is killed, `otherwise` (default: `function`) is called in this one.
    """
    own = dict(os.environ)
    with ProcessPoolExecutor(1, mp_context=worker_context(), initializer=_begin, initargs=(own,)) as pool:
        try:
            return pool.submit(function).result()
        except BrokenProcessPool:
            return (otherwise or function)()
        except KeyboardInterrupt:
            for process in list((pool._processes or {}).values()):
                process.kill()
            raise


def _begin(environment: Mapping[str, str]) -> None:
    take_environment(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal, which tells the parent too
    end_with_parent(0.0)


def take_environment(environment: Mapping[str, str]) -> None:
    """Give this process the environment of its parent: that of the server may be older."""
    os.environ.clear()
    os.environ.update(environment)


def end_with_parent(patience: float) -> None:
    """Stop this process when its parent has died, after `patience` seconds at the latest: nobody waits for it."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(patience)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def orphaned() -> bool:
    """Return whether this process was started by one that has died."""
    parent = multiprocessing.parent_process()
    return parent is not None and not parent.is_alive()
