"""Checks that a strategy leaves its surroundings alone."""

from __future__ import annotations

import contextlib
import gc
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clbench.testing.confined import confine_writing
from clbench.testing.examined import Examined
from clbench.testing.outcome import Failed
from clbench.testing.subject import Subject
from clbench.testing.surroundings import Noted, functions, listening, open_files, processes, replaced, settings

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


@dataclass(frozen=True)
class Surroundings:
    """What a run has changed of the process, and which files and processes it has made, in words."""

    changed: list[str]
    strays: list[str]
    own: list[str]
    """The folders of the runs."""


def process_is_left_as_it_was(subject: Subject) -> None:
    """A run seeds and draws from no global generator but torch's, and changes no setting and no function of others."""
    found = _surroundings(subject).changed
    if found:
        raise Failed(
            found[0],
            verb="class",
            mend="Draw from self.rng(name), or from torch inside a verb, where it is seeded; change what is your own.",
        )


def no_stray_files(subject: Subject) -> None:
    """A run writes into its own results folder and nowhere else, and starts no process that could."""
    found = _surroundings(subject)
    strays = found.strays
    if not strays:  # what Python did itself is told in its own words
        own = {_looked_at.__name__: [Path(folder) for folder in found.own]}
        outside = [
            path
            for question, path in subject.overheard
            if not any(_is_fine(Path(path), own=folder) for folder in own.get(question, [subject.folder]))
        ]
        strays = [f"a run wrote '{path}', past Python or in another process" for path in outside]
        strays += ["a run started a process, past Python"] * bool(subject.started)
    if strays:
        raise Failed(
            strays[0],
            verb="class",
            mend="Write no files; what must be kept goes into attributes, which the run saves, or into notes().",
        )


def _surroundings(subject: Subject) -> Surroundings:
    return subject.once(_looked_at, kind=Surroundings, before=functions)


def _looked_at(examined: Examined) -> Surroundings:
    here, empty, children = Path.cwd(), examined.new_folder(), processes()
    with listening(first := Noted()):
        settling = examined.trial()
        settling.carry_out()  # what is imported on first use may settle now, and make folders of its own
    trial, noted = examined.trial(), Noted()
    called: list[str] = []
    refused: list[str] = []
    os.chdir(empty)
    gc.collect()
    trial.run.folder.mkdir(parents=True)
    held, confined = open_files(), confine_writing(trial.run.folder)
    try:
        before, state = settings(), torch.get_rng_state()
        examined.kind()
        construction = not torch.equal(state, torch.get_rng_state())
        with _seeders_noted(called), listening(noted):
            try:
                trial.carry_out()
            except Exception as error:
                if not confined:
                    raise
                refused.append(f"a run that may write into its own folder alone fails: {str(error).splitlines()[0]}")
        after = settings()
        gc.collect()
        refused += [f"a run left '{name}' open" for name in sorted(open_files() - held)]
        strays = [f"a run wrote '{path.name}'" for path in sorted(empty.iterdir())]
    finally:
        os.chdir(here)
    changed = [f"{name} was called" for name in called]
    changed += [f"{name} changed" for name in before if before[name] != after[name]]
    changed += [f"{name} was replaced" for name in replaced(examined.before)]
    changed += ["constructing the strategy drew from torch's global generator"] * construction
    expected = {trial.run.record.name, "config.yaml", trial.run.work.name, f"{trial.run.work.name}.lock"}
    strays += [f"a run wrote '{p.name}'" for p in sorted(trial.run.folder.iterdir()) if p.name not in expected]
    strays += [f"a run wrote '{path}'" for path in noted.written if not _is_fine(Path(path), own=trial.run.folder)]
    strays += [f"a run started a process ({event})" for event in first.started + noted.started]
    strays += refused + ["a run started a process"] * (processes() != children)
    return Surroundings(changed, strays, own=[str(folder) for folder in (settling.run.folder, empty, trial.run.folder)])


def _is_fine(path: Path, *, own: Path) -> bool:
    """Whether a run may write there: in its own folder and the folders above it, to devices, bytecode of imports."""
    places = {own.absolute(), own.resolve()}
    below = any(path.is_relative_to(place) or place.is_relative_to(path) for place in places)
    return below or path.is_relative_to(os.devnull) or "__pycache__" in path.parts
