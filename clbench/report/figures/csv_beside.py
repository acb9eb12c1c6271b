"""The numbers of every figure as CSV, beside it: all rows, all digits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clbench.report.figures.curves import Forgotten, Heat, Line, Point
from clbench.report.formats.csv_sheet import as_csv

Lines = list[dict[str, Any]]


def of_lines(
    curves: Mapping[str, Sequence[Line]], *, kind: str, steps: Sequence[float], step: str = "session"
) -> Lines:
    """Return curves as rows: one per kind (test set, figure), configuration and step; `kind` names the first column."""
    return [
        {kind: name, "configuration": line.name, step: at, "mean": mean, "std": std, "seeds": line.seeds}
        for name, lines in curves.items()
        for line in lines
        for at, mean, std in zip(steps[-len(line.mean) :], line.mean, line.std, strict=True)
    ]


def of_points(points: Mapping[str, Sequence[Point]], *, kind: str) -> Lines:
    """Return points as rows: one per kind and configuration."""
    return [
        {
            kind: name,
            "configuration": p.name,
            "x": p.x,
            "x_std": p.x_std,
            "y": p.y,
            "y_std": p.y_std,
            "bound": int(p.reference),
        }
        for name, found in points.items()
        for p in found
    ]


def of_heat(heat: Heat) -> Lines:
    """Return an AP matrix as rows: one per session, one column per label."""
    return [
        {"after_session": session} | dict(zip(heat.labels, row.tolist(), strict=True))
        for session, row in enumerate(heat.ap, start=1)
    ]


def of_forgotten(found: Iterable[Forgotten]) -> Lines:
    """Return the forgetting of labels as rows, the worst first."""
    return [{"label": f.label, "session": f.session + 1, "mean": f.mean, "std": f.std} for f in found]


def write_csv(lines: Lines, path: Path) -> Path:
    """Write rows as CSV; NaN becomes an empty cell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = list(lines[0]) if lines else ["empty"]
    path.write_text(as_csv(names, (list(line.values()) for line in lines)), encoding="utf-8", newline="")
    return path
