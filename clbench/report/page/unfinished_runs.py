"""Runs that have no record yet, and how far each is, as the served page shows them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from clbench.errors import ResultsError
from clbench.files.given import LARGEST_TEXT, read_given
from clbench.files.sealed_json import unsealed
from clbench.records.unfinished import RunStatus, unfinished

PROGRESS = "progress.json"
"""What `clbench.watch.progress_file` writes into a run's work folder."""
LOOK_SECONDS = 5.0
"""Who runs is asked no more often than this: asking takes each lock for a moment."""


class Unfinished:
    """The unfinished runs of a results folder."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._known: list[RunStatus] = []
        self._looked = -LOOK_SECONDS

    def runs(self, sessions: Mapping[str, int]) -> list[dict[str, Any]]:
        """Return one mapping per run, running ones first; `sessions` says how many a scenario's folder name has."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked, self._known = now, list(unfinished(self._results))
        left = [run for run in self._known if not run.path.with_suffix(".json").exists()]
        return [_plain(run, sessions) for run in sorted(left, key=lambda run: (run.state != "running", run.path))]


def _plain(run: RunStatus, sessions: Mapping[str, int]) -> dict[str, Any]:
    told = _progress(run.path / PROGRESS)
    failed = run.state != "running" and told["state"] == "failed"
    return {
        "state": "failed" if failed else run.state,
        "scenario": run.scenario,
        "strategy": run.strategy,
        "configuration": run.configuration,
        "seed": run.seed,
        "sessions": sessions.get(run.scenario),
        "session": told["session"] if told["session"] is not None else run.sessions,
        "epoch": told["epoch"],
        "step": told["step"],
        "steps": told["steps"],
        "loss": told["loss"],
        "losses": told["losses"],
        "maps": told["maps"],
        "ago": max(0.0, time.time() - _changed(run)),
        "note": told["message"] if failed or told["damaged"] else run.note,
    }


def _changed(run: RunStatus) -> float:
    try:
        return (run.path / PROGRESS).stat().st_mtime
    except OSError:
        return run.changed.timestamp()


class _Told(msgspec.Struct):
    """What the page reads of a progress file; a run that nobody follows has none."""

    state: str = ""
    message: str = ""
    session: int | None = None
    epoch: int | None = None
    step: int = 0
    steps: int = 0
    loss: float | None = None
    losses: list[tuple[int, int, float | None]] = []
    """(session, step since the run's beginning, loss) from the beginning on."""
    maps: list[dict[str, float | None]] = []
    damaged: bool = False


def _progress(path: Path) -> dict[str, Any]:
    try:
        told = msgspec.convert(unsealed(read_given(path, largest=LARGEST_TEXT)), _Told)
    except FileNotFoundError:
        told = _Told()
    except ResultsError as error:
        told = _Told(message=f"{path.name} {error.message}", damaged=True)
    except (OSError, msgspec.ValidationError):
        told = _Told(message=f"{path.name} cannot be read", damaged=True)
    return msgspec.structs.asdict(told)
