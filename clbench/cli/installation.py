"""Looks at an installation: what is here, what is missing, and the command that gets it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from clbench.cli.gpus import gpus, torch_cuda
from clbench.errors import ClbenchError
from clbench.files import roots, shared_memory
from clbench.plan import catalog
from clbench.plan.place import check_writable

GIB = 1 << 30
LITTLE_DISK = 2 * GIB
LITTLE_SHARED = GIB

Verdict = Literal["ok", "note", "bad"]


@dataclass(frozen=True)
class Health:
    """One thing looked at. "bad" means that runs will fail; `next_step` is what to do about it."""

    topic: str
    verdict: Verdict
    text: str
    next_step: str = ""


def examine(results: Path, *, thorough: bool = False) -> Iterator[Health]:
    """Yield findings on Python, packages, solver, device, roots, data sets, weights, disk and the results folder.

    What is `thorough` imports the loop and torch, solves a small problem and asks torch for its devices.
    """
    yield Health("python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield from _guarded("packages", _packages)
    for topic, look in (("solver", _solver), ("loop", _loop), ("torch", _torch)) if thorough else (("loop", _there),):
        yield from _guarded(topic, look)
    yield from _guarded("device", _device)
    yield from _guarded("roots", _roots)
    yield from _guarded("files", _broken_files)
    yield from _guarded("data", _data)
    yield from _guarded("weights", _weights)
    yield from _guarded("disk", lambda: _disk(results))
    yield from _guarded("disk", _cache)
    yield from _guarded("device", _shared_memory)
    yield from _guarded("results", lambda: _results(results))


def _guarded(topic: str, look: Callable[[], Iterator[Health]]) -> Iterator[Health]:
    """Pass findings on; what breaks while looking is itself a finding."""
    try:
        yield from look()
    except ClbenchError as error:
        yield Health(topic, "bad", error.message, error.hint)
    except Exception as error:
        yield Health(topic, "bad", f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")


def _packages() -> Iterator[Health]:
    from packaging.requirements import Requirement

    found, wrong = [], []
    for text in requires("clbench") or []:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            here = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(text)
            continue
        found.append(f"{requirement.name} {here}")
        if not requirement.specifier.contains(here, prereleases=True):
            wrong.append(text)
    yield Health("packages", "ok", f"clbench {version('clbench')}, {', '.join(found)}")
    if wrong:
        quoted = " ".join(f"'{text}'" for text in wrong)
        yield Health("packages", "bad", f"missing or of another version: {', '.join(wrong)}", f"pip install {quoted}")


def _solver() -> Iterator[Health]:
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import qpsolvers

        # the nearest point to (1, 2) with both coordinates at most 1
        found = qpsolvers.solve_qp(P=np.eye(2), q=np.array([-1.0, -2.0]), G=np.eye(2), h=np.ones(2), solver="quadprog")
    right = found is not None and np.allclose(found, [1.0, 1.0])
    text = f"quadprog through qpsolvers {version('qpsolvers')}"
    yield Health("solver", "ok" if right else "bad", text if right else f"{text} gives {found}")


def _loop() -> Iterator[Health]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import clbench.train.loop  # noqa: F401 - importing it is the test
    yield Health("loop", "ok", f"Avalanche {version('avalanche-lib')} imports")


def _there() -> Iterator[Health]:
    """Say what `--thorough` would try: torch alone takes longer to import than everything else takes to look at."""
    for topic, package, name in (("solver", "qpsolvers", "qpsolvers"), ("loop", "avalanche", "avalanche-lib")):
        if find_spec(package) is None:
            yield Health(topic, "bad", f"{name} cannot be imported", f"pip install {name}")
        else:
            yield Health(topic, "ok", f"{name} {version(name)} is there; clbench doctor --thorough tries it")


def _device() -> Iterator[Health]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Health("device", "ok", f"cpu with {cores} cores, {platform.machine()}")
    found, built = gpus(), torch_cuda()
    for number, (name, memory) in enumerate(found):
        yield Health("device", "ok", f"cuda:{number} {name}, {memory / GIB:.0f} GiB")
    if found and built is None:
        yield Health("device", "note", "this torch was built without CUDA and runs on the CPU alone")
    if not found:
        yield Health("device", "note", "no GPU here; runs are slow beyond the stand-in and tiny scenarios")


def _torch() -> Iterator[Health]:
    import torch

    yield Health("torch", "ok", f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
    usable = torch.cuda.device_count() if torch.cuda.is_available() else 0
    there = len(gpus())
    if usable < there:
        yield Health("torch", "bad", f"torch can use {usable} of {there} GPUs", "Is the driver as new as torch wants?")


def _roots() -> Iterator[Health]:
    for root in roots.roots():
        if roots.is_root(root.path):
            yield Health("roots", "ok", f"{root.path} ({root.origin})")
        else:
            text = f"{root.path} ({root.origin}) has neither strategies/ nor scenarios/"
            yield Health(
                "roots", "bad", text, f"Mend or remove the {'distribution' if ':' in root.origin else 'entry'}."
            )


def _broken_files() -> Iterator[Health]:
    entries = [*catalog.strategies(), *catalog.scenarios()]
    for entry in entries:
        if entry.problem:
            yield Health("files", "note", f"{entry.path}: {entry.problem}")
    yield Health("files", "ok", f"{sum(not e.problem for e in entries)} strategies and scenarios can be read")


def _data() -> Iterator[Health]:
    from clbench.data.fetch.data_verbs import list_datasets

    for row in list_datasets():
        if not row.dataset.folders:
            continue
        if row.place is not None:
            yield Health("data", "ok", f"{row.name} in {row.place}", f"clbench data check {row.name}")
        else:
            yield Health("data", "note", f"{row.name} is not here", f"clbench data get {row.name}")


def _weights() -> Iterator[Health]:
    from clbench.cli.named_weights import named_weights

    for one in named_weights():
        if one.path is not None:
            yield Health("weights", "ok", f"{one.name} of {one.backbone} in {one.path}")
        elif one.scenarios:
            yield Health("weights", "note", f"{one.name} of {one.backbone} is not here", one.next_step)


def _disk(results: Path) -> Iterator[Health]:
    from clbench.files.user_folders import cache_folder

    seen: set[int] = set()
    for what, folder in (("results", results.absolute()), ("cache", cache_folder().absolute())):
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if there.stat().st_dev in seen:
            continue
        seen.add(there.stat().st_dev)
        free = shutil.disk_usage(there).free
        text = f"{free / GIB:.1f} GiB free for {what} in {folder}"
        yield Health("disk", "ok" if free > LITTLE_DISK else "note", text)


def _cache() -> Iterator[Health]:
    from clbench.files.user_folders import cache_folder

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-"):
            pass
    except OSError as error:
        yield Health(
            "disk",
            "note",
            f"{folder} cannot be written ({error.strerror}), so that every run makes tables and pictures again",
            "export CLBENCH_CACHE=FOLDER, and HOME=FOLDER where other tools complain too",
        )


def _shared_memory() -> Iterator[Health]:
    found = shared_memory.room()
    if found is not None and found.total < LITTLE_SHARED:
        text = f"shared memory ({shared_memory.told()}) holds batches of few processes that read pictures"
        yield Health("device", "note", text, "docker run --shm-size=8g, or run with --workers 0")


def _results(results: Path) -> Iterator[Health]:
    check_writable(results)
    yield Health("results", "ok", f"{results.absolute()} can be written")
