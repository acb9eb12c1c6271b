"""The records of a results folder, and beside them those that clbench ships, each with how far it can be trusted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clbench.errors import ResultsError, UsageError, suggest
from clbench.files import roots
from clbench.files.user_folders import cache_folder
from clbench.records.folder import check_folder
from clbench.records.record import Record
from clbench.records.rows import Row, group_rows, identity
from clbench.records.store import scenario_folders
from clbench.records.verify.findings import LEVELS, Verification
from clbench.records.verify.known_whole import Verdicts
from clbench.records.verify.verify import verify, verify_all

log = logging.getLogger(__name__)

Check = Callable[[Path], Verification]
Places = Path | Sequence[Path]
"""A results folder, or several whose records belong together."""


@dataclass(frozen=True)
class Collection:
    """Rows, the reference rows last, and the trust level of each record by its content digest."""

    rows: list[Row] = field(default_factory=list)
    trust: dict[str, str] = field(default_factory=dict)
    wrong: list[Verification] = field(default_factory=list)
    """The files in which verification found something, also those of which nothing can be shown."""

    @property
    def records(self) -> list[Record]:
        """The records of all rows."""
        return [record for row in self.rows for record in row.records]

    @property
    def own(self) -> list[Record]:
        """The records that a run of one's own left, which may have scores and pictures beside them."""
        return [record for row in self.rows if not row.reference for record in row.records]

    def of(self, scenario: str) -> Collection:
        """Return the rows of one scenario, by name or by its file's path. Raises UsageError if there are none."""
        name = Path(scenario).stem if scenario.endswith(".yaml") else scenario
        found = [row for row in self.rows if row.first.scenario.name == name]
        if not found:
            names = {row.first.scenario.name for row in self.rows}
            raise UsageError(
                f"There are no records of '{name}'.{suggest(name, names)}",
                hint=f"There are records of {', '.join(sorted(names))}; for others: clbench run {name}",
            )
        return Collection(found, self.trust, self.wrong)


def collect(
    results: Places, *, check: Check | None = None, scenario: str = "", reference: bool | None = None
) -> Collection:
    """Return the rows below `results`, followed by reference rows, which are those that clbench ships.

    Of several folders the records are put together: seeds of one configuration make one row. `reference` says whether
    shipped rows are wanted; None means: of the scenarios of which `results` has no row. What is wrong with a file is
    logged. `check` verifies one file; without it, a text that was found whole before is not checked again (see
    `Verdicts`). With `scenario` the folders of other scenarios are left out, unless it has none: then what there is
    can be suggested. Raises ResultsError when there is nothing at all, or a seed has two records that differ.
    """
    own = [results] if isinstance(results, Path) else list(results)
    shipped = reference_folder(own) if reference is not False else None
    there, beside = ([folder for folder in places if folder and folder.is_dir()] for places in (own, [shipped]))
    for folder in own:
        # before anything was run there is no folder of the usual name, and what clbench ships is shown
        if len(own) > 1 or folder.exists() or folder != Path("results"):
            check_folder(folder)
    if scenario and not any(scenario_folders(folder, scenario) for folder in (*there, *beside)):
        scenario = ""
    verdicts = Verdicts(cache_folder() / "verdicts")
    found = Collection()
    for places, is_shipped in ((there, False), (beside, True)):
        known = {row.first.scenario.name for row in found.rows} if reference is None else set()
        runs: list[Record] = []
        for folder in places:
            runs += _records(folder, found, check=check or verdicts.check, scenario=scenario)
        runs = [record for record in runs if record.scenario.name not in known]
        found.rows.extend(Row(row.records, reference=is_shipped) for row in group_rows(runs))
    verdicts.save()
    if not found.rows:
        told = ", ".join(map(str, own))
        raise ResultsError(f"{told}: there are no records yet.", hint="Run something first: clbench run tiny")
    return found


def _records(folder: Path, found: Collection, *, check: Check, scenario: str) -> list[Record]:
    """Return the records of one folder, the first of every seed, and note in `found` how far each is believed."""
    runs: dict[tuple[object, ...], Record] = {}
    for outcome in verify_all(folder, check=check, scenario=scenario):
        for finding in outcome.findings[:3]:
            log.warning("%s: %s", outcome.path, finding)
        found.wrong.extend([outcome] * (not outcome.ok))
        record = outcome.record
        if record is not None:
            runs.setdefault((identity(record), record.seed), record)
            # a record that was changed may name the content of one that was not
            level = found.trust.get(record.content, outcome.level)
            found.trust[record.content] = min(level, outcome.level, key=LEVELS.index)
    return list(runs.values())


def reference_folder(results: Places) -> Path | None:
    """Return the folder of the records that clbench ships, None where there is none or `results` is that folder."""
    shipped = roots.reference_results()
    own = [results] if isinstance(results, Path) else results
    return None if shipped is None or any(one.resolve() == shipped.resolve() for one in own) else shipped


def folders(results: Places) -> list[Path]:
    """Return the results folders that exist: `results`, then the one that clbench ships if it is another."""
    own = [results] if isinstance(results, Path) else list(results)
    return [folder for folder in (*own, reference_folder(own)) if folder is not None and folder.is_dir()]


def find(text: str, *, results: Places) -> Record | Row:
    """Return the record or row that `text` names: a record's file, or the folder of a configuration's records.

    Paths may begin below a results folder; a folder with one configuration in it stands for that. Raises UsageError.
    """
    paths = find_files(text, results=results)
    if len(paths) == 1 and paths[0].name == Path(text).name:
        return _read(paths[0])
    return Row(tuple(sorted(map(_read, paths), key=lambda record: record.seed)))


def find_files(text: str, *, results: Places) -> list[Path]:
    """Return the files of the records that `find` reads. Raises UsageError."""
    for base in (Path(), *folders(results)):
        path = base / text
        if path.is_file():
            return [path]
        if path.is_dir():
            return _files_of_one(path)
    raise UsageError(
        f"{text}: there is no such record.",
        hint="Name a file such as results/tiny.v1/er/0123abcd/seed0.json, or its folder for all seeds.",
    )


def _read(path: Path) -> Record:
    """Return the record in a file. Raises ResultsError where it cannot be read, or nothing can be shown of it."""
    found = verify(path)
    if found.record is None:
        raise ResultsError(f"{path}: {found.findings[0]}.", hint=f"clbench verify {path}")
    return found.record


def _files_of_one(folder: Path) -> list[Path]:
    files = sorted(folder.glob("seed*.json"))
    if files:
        return files
    inner = sorted(path for path in folder.iterdir() if path.is_dir())
    if len(inner) == 1:
        return _files_of_one(inner[0])
    listed = ", ".join(str(path) for path in inner) or "nothing"
    raise UsageError(f"{folder}: not one configuration; in it: {listed}.", hint="Name one of them.")
