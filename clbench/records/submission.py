"""How a row becomes one that clbench ships: verified records, copied into the reference folder of the checkout."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from clbench import PROTOCOL
from clbench.errors import CheckError, UsageError
from clbench.files import roots
from clbench.files.whole_file import whole_file
from clbench.records.record import Record, to_text
from clbench.records.store import record_path
from clbench.records.verify.findings import Verification

_KEPT_OUT = ("dirty", "dirty-unknown", "local-strategy", "local-scenario", "trial", "unverified")
"""Marks of records that nobody else could make again from the checkout."""


def submitted(right: Sequence[Verification]) -> list[Path]:
    """Write records that were found right, each with its `config.yaml`, below `results/reference`; return the paths.

    Nothing is copied unless all may be. Raises UsageError outside a checkout, and CheckError for a record that the
    checkout cannot make: of uncommitted or local code, or of another version of the strategy's file.
    """
    root = roots.shipped_root()
    if root is None or not (root / "pyproject.toml").is_file():
        raise UsageError("--submit: this clbench is no checkout.", hint="Clone the repository and run it from there.")
    records = [(item.path, item.record) for item in right if item.path is not None and item.record is not None]
    for path, record in records:
        if problem := why_not_shipped(record, root=root):
            raise CheckError(f"{path}: cannot be submitted: {problem}.", hint="CONTRIBUTING.md: Submit a row.")
    copied = []
    for path, record in records:
        target = record_path(root / "results" / "reference", record)
        target.parent.mkdir(parents=True, exist_ok=True)
        for name, content in (
            ("config.yaml", path.with_name("config.yaml").read_bytes()),
            (target.name, to_text(record)),
        ):
            with whole_file(target.with_name(name), what="the reference") as file:
                file.write(content)
        copied.append(target)
    return copied


def why_not_shipped(record: Record, *, root: Path) -> str:
    """Return why a record cannot stand among those that the checkout `root` ships, or an empty text."""
    if record.protocol != PROTOCOL:
        return f"it is of protocol {record.protocol}, and this clbench measures by protocol {PROTOCOL}"
    kept_out = [mark for mark in record.marks if mark in _KEPT_OUT]
    if kept_out:
        return f"it is marked {', '.join(kept_out)}"
    file = root / "strategies" / f"{record.strategy.name}.py"
    if not file.is_file():
        return f"there is no strategies/{file.name}"
    if hashlib.sha256(file.read_bytes()).hexdigest() != record.strategy.sha256:
        return f"strategies/{file.name} was changed after the run"
    return ""
