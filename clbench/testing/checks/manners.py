"""Checks that a strategy leaves its surroundings alone."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clbench.testing.examined import Examined, finished
from clbench.testing.outcome import Failed
from clbench.testing.subject import Subject
from clbench.testing.surroundings import Noted, functions, listening, replaced, settings

_SEEDERS: tuple[tuple[Any, str], ...] = (
    (random, "seed"),
    (np.random, "seed"),
    (np.random, "set_state"),
    (torch, "manual_seed"),
    (torch, "seed"),
)


@contextlib.contextmanager
def _seeders_noted(called: list[str]) -> Iterator[None]:
    """Note every call of a function that seeds a global generator."""

    def noting(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            called.append(name)
            return original(*arguments, **named)

        return call

    originals = [(module, name, getattr(module, name)) for module, name in _SEEDERS]
    for module, name, original in originals:
        setattr(module, name, noting(f"{module.__name__}.{name}", original))
    try:
        yield
    finally:
        for module, name, original in originals:
            setattr(module, name, original)


def process_is_left_as_it_was(subject: Subject) -> None:
    """A run seeds and draws from no global generator but torch's, and changes no setting and no function of others."""
    found = subject.ask(_changed, before=functions)
    if found:
        raise Failed(
            found[0],
            verb="class",
            mend="Draw from self.rng(name), or from torch inside a verb, where it is seeded; change what is your own.",
        )


def _changed(examined: Examined) -> list[str]:
    finished(examined)  # what is imported on first use may settle now
    trial = examined.trial()
    called: list[str] = []
    before, state = settings(), torch.get_rng_state()
    examined.kind()
    construction = not torch.equal(state, torch.get_rng_state())
    with _seeders_noted(called):
        trial.carry_out()
    after = settings()
    found = [f"{name} was called" for name in called]
    found += [f"{name} changed" for name in before if before[name] != after[name]]
    found += [f"{name} was replaced" for name in replaced(examined.before)]
    return found + ["constructing the strategy drew from torch's global generator"] * construction


def no_stray_files(subject: Subject) -> None:
    """A run writes into its own results folder and nowhere else, and starts no process that could."""
    strays = subject.ask(_strays)
    if strays:
        raise Failed(
            strays[0],
            verb="class",
            mend="Write no files; what must be kept goes into attributes, which the run saves, or into notes().",
        )


def _strays(examined: Examined) -> list[str]:
    here, empty = Path.cwd(), examined.new_folder()
    with listening(first := Noted()):
        finished(examined)  # libraries that are imported on first use make folders of their own
    trial = examined.trial()
    noted = Noted()
    os.chdir(empty)
    try:
        with listening(noted):
            trial.carry_out()
        found = [f"a run wrote '{path.name}'" for path in sorted(empty.iterdir())]
    finally:
        os.chdir(here)
    expected = {trial.run.record.name, "config.yaml", trial.run.work.name, f"{trial.run.work.name}.lock"}
    found += [f"a run wrote '{p.name}'" for p in sorted(trial.run.folder.iterdir()) if p.name not in expected]
    found += [f"a run wrote '{path}'" for path in noted.written if not _is_fine(Path(path), own=trial.run.folder)]
    return found + [f"a run started a process ({event})" for event in first.started + noted.started]


def _is_fine(path: Path, *, own: Path) -> bool:
    """Whether a run may write there: in its own folder and the folders above it, to devices, bytecode of imports."""
    places = {own.absolute(), own.resolve()}
    below = any(path.is_relative_to(place) or place.is_relative_to(path) for place in places)
    return below or path.is_relative_to(os.devnull) or "__pycache__" in path.parts
