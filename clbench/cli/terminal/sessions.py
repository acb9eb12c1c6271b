"""What the sessions of a stream show: labels in their order, and how many images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clbench.stream.stream import Stream

TITLES = ("session", "train", "test", "new labels")
MOST = 100
"""So many labels of a session are printed; --json has all of them."""


def session_rows(stream: Stream) -> list[list[str]]:
    """Return one line for each session, as `TITLES` says."""
    rows = []
    for number, session in enumerate(sessions(stream)):
        labels = session["labels"]
        more = f", … ({len(labels) - MOST:,} more)" if len(labels) > MOST else ""
        counts = [f"{session[name]:,}" for name in ("train_images", "test_images")]
        rows.append([str(number), *counts, ", ".join(labels[:MOST]) + more])
    return rows


def sessions(stream: Stream) -> list[dict[str, Any]]:
    """Return `labels` (the new ones), `train_images` and `test_images` of each session of a stream."""
    return [
        {
            "labels": list(stream.labels[session.new]),
            "train_images": len(session.rows),
            "test_images": len(session.test_rows),
        }
        for session in stream.sessions
    ]
