"""What an import did, written beside its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from clbench.data.importers.export import Export
from clbench.data.importers.table_out import Table


def report_text(
    source: Path, *, form: str, options: Mapping[str, str], export: Export, table: Table, left_out: Sequence[str]
) -> str:
    """Return the report as Markdown: where the table comes from, what was dropped, merged or unknown, every label."""
    known = int((table.y != -1).sum())
    lines = [f"# Import of {source.name}", "", f"Form: {form}."]
    lines += [f"Options: {', '.join(f'{name}={value}' for name, value in options.items())}."] if options else []
    lines += [
        f"Files read: {len(export.read):,} ({', '.join(export.read[:5])}{', …' if len(export.read) > 5 else ''}).",
        "",
    ]
    for split in ("train", "test"):
        lines.append(f"- {list(table.splits).count(split):,} {split} photos")
    lines.append(f"- {len(table.labels):,} labels")
    lines.append(f"- {known:,} of {table.y.size:,} entries are known ({100 * known / table.y.size:.1f} %)")
    bare = int((~(table.y == 1).any(axis=1)).sum())
    lines += [f"- {bare:,} photos have none of the labels", "", "## What was dropped, merged, renamed or unknown", ""]
    lines += [f"- {note}" for note in export.notes] or ["Nothing."]
    if left_out:
        lines += ["", f"## {len(left_out):,} photos in the folder that the export does not name", ""]
        lines += [f"- {path}" for path in left_out]
    lines += ["", "## Labels", "", "| label | split | present | absent | unknown |", "| :-- | :-- | --: | --: | --: |"]
    sides = {split: np.array([place == split for place in table.splits]) for split in ("train", "test")}
    counts = {split: [(table.y[rows] == value).sum(axis=0) for value in (1, 0, -1)] for split, rows in sides.items()}
    for column, label in enumerate(table.labels):
        for split, marks in counts.items():
            cells = " | ".join(f"{int(count[column]):,}" for count in marks)
            lines.append(f"| {label.replace('|', chr(92) + '|')} | {split} | {cells} |")
    return "\n".join(lines) + "\n"
