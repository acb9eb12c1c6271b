"""What a results folder says of its runs: finished, running now, or stopped on the way."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clbench.files.user_folders import cache_folder
from clbench.records.folder import check_folder
from clbench.records.store import scenario_folders

State = Literal["finished", "running", "stopped", "failed", "damaged"]
REASONS = ("error.txt", "not-finite.json")
"""Files that a run leaves in its work folder when it fails."""
WORK_FOLDER = re.compile(r"seed(0|[1-9][0-9]*)\Z")


@dataclass(frozen=True)
class RunStatus:
    """One run. `sessions` are those it has finished, `changed` (UTC) when it last wrote something."""

    state: State
    scenario: str
    strategy: str
    configuration: str
    seed: int
    sessions: int
    changed: datetime.datetime
    path: Path
    note: str = ""


def statuses(results: Path) -> list[RunStatus]:
    """Return every run below a results folder: unfinished ones first, then by path.

    Raises ResultsError when there is no such folder, or another one must be meant.
    """
    check_folder(results)
    order = ("running", "failed", "stopped", "damaged", "finished")
    found = [*_finished(results), *unfinished(results)]
    return sorted(found, key=lambda run: (order.index(run.state), run.path))


def _finished(results: Path) -> Iterator[RunStatus]:
    from clbench.records.data_since import changes_since, sampled
    from clbench.records.store import scan
    from clbench.records.verify.known_whole import Verdicts

    verdicts = Verdicts(cache_folder() / "verdicts")
    stored, damaged = scan(results)
    records = [item.record for item in stored]
    for item, change, sample in zip(stored, changes_since(records), sampled(records), strict=True):
        wrong = verdicts.check(item.path).findings
        note = f"unverified: {wrong[0]}" if wrong else change or ("photos sampled" if sample else "")
        yield _status("finished", item.path, sessions=len(item.record.scenario.sessions), note=note)
    verdicts.save()
    for broken in damaged:
        yield _status("damaged", broken.path, sessions=0, note=broken.error.message)


def unfinished(results: Path, *, scenario: str = "") -> Iterator[RunStatus]:
    """Yield every run below a results folder, of one scenario or of all, that has no record yet.

    It is running now, or failed or stopped on the way.
    """
    tops = scenario_folders(results, scenario) if scenario else sorted(results.glob("*"))
    for folder in (found for top in tops for found in sorted(top.glob("*/*/seed*"))):
        if not folder.is_dir() or not WORK_FOLDER.match(folder.name) or folder.with_suffix(".json").exists():
            continue
        sessions = len(list(folder.glob("scores-*.npy")))
        if _is_locked(folder.with_name(f"{folder.name}.lock")):
            yield _status("running", folder, sessions=sessions)
            continue
        reason = _reason(folder)
        if reason is not None:
            yield _status("failed", folder, sessions=sessions, note=f"why: {reason}")
            continue
        resumable = (folder / "state.pt").exists()
        note = "the same command goes on from its saved state" if resumable else "nothing saved; it will start afresh"
        yield _status("stopped", folder, sessions=sessions, note=note)


def _status(state: State, path: Path, *, sessions: int, note: str = "") -> RunStatus:
    scenario, strategy, configuration = path.parts[-4:-1]
    newest = max(map(_written, [path, *path.iterdir()] if path.is_dir() else [path]))
    changed = datetime.datetime.fromtimestamp(newest, tz=datetime.timezone.utc)
    seed = int(re.sub(r"\D", "", path.stem))
    return RunStatus(state, scenario, strategy, configuration, seed, sessions, changed, path, note)


def _reason(folder: Path) -> Path | None:
    """Return the file that says why a run failed, if it has written nothing since."""
    found = max((folder / name for name in REASONS), key=_written)
    return found if 0 < _written(found) >= _written(folder / "state.pt") else None


def _written(path: Path) -> float:
    """Return when a file was last written; 0 where it is not there, or is replaced at this moment."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _is_locked(lock: Path) -> bool:
    from filelock import FileLock, Timeout

    if not lock.exists():
        return False
    try:
        with FileLock(str(lock), timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False  # a folder of somebody else's, not writable: nothing of ours runs there
