"""What the sessions of a plan's stream show: labels in their order, and how many images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clbench.plan.plan import Plan

if TYPE_CHECKING:
    from clbench.data.table import LabelTable

TITLES = ("session", "train", "test", "new labels")
MOST = 100
"""So many labels of a session are printed; --json has all of them."""


def session_rows(item: Plan, table: LabelTable) -> list[list[str]]:
    """Return one line for each session, as `TITLES` says. Raises DataError or UsageError where there is no stream."""
    rows = []
    for number, session in enumerate(sessions(item, table)):
        labels = session["labels"]
        more = f", … ({len(labels) - MOST:,} more)" if len(labels) > MOST else ""
        counts = [f"{session[name]:,}" for name in ("train_images", "test_images")]
        rows.append([str(number), *counts, ", ".join(labels[:MOST]) + more])
    return rows


def sessions(item: Plan, table: LabelTable) -> list[dict[str, Any]]:
    """Return `labels` (the new ones), `train_images` and `test_images` of each session of a plan's stream."""
    from clbench.stream.build import build_stream

    stream = build_stream(table, item.scenario)
    return [
        {
            "labels": list(stream.labels[session.new]),
            "train_images": len(session.rows),
            "test_images": len(session.test_rows),
        }
        for session in stream.sessions
    ]
