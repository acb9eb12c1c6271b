"""The records of several results folders as one collection, each with how far it can be trusted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from clbench.errors import ResultsError, UsageError, suggest
from clbench.files import roots
from clbench.files.user_folders import cache_folder
from clbench.records.record import Record, read_record
from clbench.records.rows import Row
from clbench.records.verify.findings import Verification
from clbench.records.verify.known_whole import Verdicts
from clbench.records.verify.verify import verify_all

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Collection:
    """Records, and the trust level of each by its content digest."""

    records: list[Record] = field(default_factory=list)
    trust: dict[str, str] = field(default_factory=dict)

    def of(self, scenario: str) -> Collection:
        """Return the records of one scenario, by name or by its file's path. Raises UsageError if there are none."""
        name = Path(scenario).stem if scenario.endswith(".yaml") else scenario
        found = [record for record in self.records if record.scenario.name == name]
        if not found:
            names = {record.scenario.name for record in self.records}
            raise UsageError(
                f"There are no records of '{name}'.{suggest(name, names)}",
                hint=f"There are records of {', '.join(sorted(names))}; for others: clbench run {name}",
            )
        return Collection(found, self.trust)


def collect(results: Path, *, check: Callable[[Path], Verification] | None = None, scenario: str = "") -> Collection:
    """Return the records below `results` together with those that clbench ships.

    Where both have the same run, that of `results` counts. What is wrong with a file is logged. `check` verifies one
    file; without it, a text that was found whole before is not checked again (see `Verdicts`). With `scenario` the
    folders of other scenarios are left out, unless it has none: then what there is can be suggested. Raises
    ResultsError when there is nothing at all.
    """
    if scenario and not any(next(folder.glob(f"{scenario}.v*"), None) for folder in folders(results)):
        scenario = ""
    verdicts = Verdicts(cache_folder() / "verdicts")
    found = Collection()
    seen: set[tuple[object, ...]] = set()
    for folder in folders(results):
        for outcome in verify_all(folder, check=check or verdicts.check, scenario=scenario):
            for finding in outcome.findings[:3]:
                log.warning("%s: %s", outcome.path, finding)
            if outcome.record is not None and _run(outcome.record) not in seen:
                seen.add(_run(outcome.record))
                found.records.append(outcome.record)
                found.trust[outcome.record.content] = outcome.level
    verdicts.save()
    if not found.records:
        raise ResultsError(f"{results}: there are no records yet.", hint="Run something first: clbench run tiny")
    return found


def folders(results: Path) -> list[Path]:
    """Return the results folders that exist: `results`, then the one that clbench ships if it is another."""
    shipped = roots.shipped_root()
    found = [results, *([shipped / "results"] if shipped else [])]
    return list({folder.resolve(): folder for folder in reversed(found) if folder.is_dir()}.values())[::-1]


def _run(record: Record) -> tuple[object, ...]:
    scenario = record.scenario
    return (scenario.name, scenario.digest, scenario.stand_in, record.configuration, record.protocol, record.seed)


def find(text: str, *, results: Path) -> Record | Row:
    """Return the record or row that `text` names: a record's file, or the folder of a configuration's records.

    Paths may begin below a results folder; a folder with one configuration in it stands for that. Raises UsageError.
    """
    for base in (Path(), *folders(results)):
        path = base / text
        if path.is_file():
            return read_record(path)
        if path.is_dir():
            return _row(path)
    raise UsageError(
        f"{text}: there is no such record.",
        hint="Name a file such as results/tiny.v1/er/0123abcd/seed0.json, or its folder for all seeds.",
    )


def _row(folder: Path) -> Row:
    files = sorted(folder.glob("seed*.json"))
    if files:
        return Row(tuple(sorted(map(read_record, files), key=lambda record: record.seed)))
    inner = sorted(path for path in folder.iterdir() if path.is_dir())
    if len(inner) == 1:
        return _row(inner[0])
    listed = ", ".join(str(path) for path in inner) or "nothing"
    raise UsageError(f"{folder}: not one configuration; in it: {listed}.", hint="Name one of them.")
