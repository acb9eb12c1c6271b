"""Verification of records: nothing was changed since the run, and every number follows from another."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from clbench.errors import ResultsError
from clbench.files.checked_lines import check_lines
from clbench.files.given import LARGEST_TEXT, read_given
from clbench.records.configuration import other_section
from clbench.records.json_paths import path_at
from clbench.records.migrations import changed_in_first, migrated
from clbench.records.record import Record, RecordError, changed_parts, parse_both, read_bytes
from clbench.records.store import record_files, record_path, scenario_folders
from clbench.records.verify.consistency import check_record, is_misshapen
from clbench.records.verify.findings import Finding, Verification
from clbench.records.verify.rescore import rescore_record

LARGEST_LOG = 1 << 30
"""Bytes of a run's log that are looked at."""


def verify(path: Path) -> Verification:
    """Return what is wrong with the record in a file, be it a single character; level `consistent` if nothing is.

    Checked: the schema, the digests, the text itself, shapes and ranges, the marks, every summary number against the AP
    matrices and the counts, and the run's `config.yaml` and `log.csv`. Never raises for a damaged record.
    """
    try:
        text = read_bytes(path)
    except ResultsError as error:
        return Verification(path, "unverified", (Finding("the file", error.message),))
    found = verify_text(text, path=path)
    if found.record is None:
        return found
    config, log = path.with_name("config.yaml"), path.with_suffix("") / "log.csv"
    told = [*_other_values(found.record, config), *_damaged_log(log)]
    if not told:
        return found
    return Verification(path, "unverified", (*found.findings, *told), found.record)


def _other_values(record: Record, config: Path) -> Iterator[Finding]:
    """Yield a finding where the `config.yaml` beside a record, if there is one, is not what its run wrote."""
    if not os.path.lexists(config):
        return
    try:
        wrong = other_section(record, read_given(config, largest=LARGEST_TEXT))
    except OSError as error:
        yield Finding("config.yaml", f"beside the record cannot be read ({error.strerror})")
        return
    if wrong:
        yield Finding("config.yaml", f"beside the record has another `{wrong[:60]}` than the record")


def _damaged_log(log: Path) -> Iterator[Finding]:
    """Yield a finding where a line of the run's log, if it kept one, is not as it was written."""
    if not os.path.lexists(log):
        return
    try:
        check_lines(read_given(log, largest=LARGEST_LOG))
    except OSError as error:
        yield Finding("log.csv", f"of the run cannot be read ({error.strerror})")
    except ResultsError as error:
        yield Finding("log.csv", f"of the run: {error.message}")


def verify_text(text: bytes, *, path: Path | None = None) -> Verification:
    """Verify a record's text as `verify` does its file; a record of the wrong shape is left out of what is returned."""
    try:
        plain, record = parse_both(text)
    except RecordError as error:
        return Verification(path, "unverified", (Finding(error.field, error.problem),))
    changed = changed_in_first(plain) if plain["schema"] == 1 else []
    findings = [Finding(field, problem) for field, problem in [*changed, *changed_parts(migrated(plain))]]
    findings = findings or _written_otherwise(text, plain)
    # digests can be made anew by whoever changes a number, so the numbers must also agree with each other
    known = {finding.field for finding in findings}
    findings += [finding for finding in check_record(record) if finding.field not in known]
    shown = None if is_misshapen(record) else record
    return Verification(path, "unverified" if findings else "consistent", tuple(findings), shown)


def verify_all(
    results: Path, *, check: Callable[[Path], Verification] = verify, scenario: str = ""
) -> list[Verification]:
    """Verify every record below a results folder, and that each lies where it belongs; each file is read once.

    `check` verifies one file, for who remembers what it has verified before. With `scenario` only the folders of that
    scenario are looked at.
    """
    found = []
    wanted = {folder.name for folder in scenario_folders(results, scenario)} if scenario else set()
    with collector_resting():
        for path in record_files(results):
            if scenario and path.relative_to(results).parts[0] not in wanted:
                continue
            outcome = check(path)
            if outcome.record is not None and (right := record_path(results, outcome.record)) != path:
                astray = Finding("the file", f"belongs to {right.relative_to(results)}")
                outcome = Verification(path, "unverified", (*outcome.findings, astray), outcome.record)
            found.append(outcome)
    return found


def verify_scores(
    path: Path,
    *,
    scores: Path | None = None,
    truth: npt.NDArray[np.int8],
    tests: Sequence[npt.NDArray[np.int64]],
) -> Verification:
    """Verify a record and re-score it: AP and counts are computed again from its score files and must be the same.

    `scores` is the folder of the score files (default: the record's work folder, named like it). `truth` int8 [n, K]
    holds 1, 0 and -1 (unknown) for the fixed test set in the stream's order, labels in arrival order; `tests` has per
    session the positions of the growing test set within it. Level `re-scored` if nothing is wrong.
    """
    first = verify(path)
    if not first.ok or first.record is None:
        return first
    folder = path.with_suffix("") if scores is None else scores
    findings = rescore_record(first.record, folder=folder, truth=truth, tests=tests)
    return Verification(path, "re-scored" if not findings else "unverified", tuple(findings), first.record)


@contextmanager
def collector_resting() -> Iterator[None]:
    """Keep Python's collector of cyclic garbage from running meanwhile.

    Decoding makes millions of containers and no cycles; the collector would walk all of them again and again, which
    takes as long as decoding itself.
    """
    resting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if resting:
            gc.enable()


def _written_otherwise(text: bytes, plain: dict[str, Any]) -> list[Finding]:
    """Find characters that change no value, such as a digit beyond a number's precision or a key given twice."""
    told, right = msgspec.json.format(text, indent=-1), msgspec.json.encode(plain)
    if told == right:
        return []
    offset = next((i for i, (a, b) in enumerate(zip(told, right, strict=False)) if a != b), min(len(told), len(right)))
    return [Finding(path_at(told, offset) or "the file", "is not written the way clbench writes it")]
