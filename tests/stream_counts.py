"""What the field counts about a stream, from the stream alone."""

from __future__ import annotations

import numpy as np

from clbench.stream.stream import Stream


def counts(stream: Stream) -> dict[str, object]:
    """Per session: images, images met for the first time, test images, and labels shown and hidden per train image."""
    met = np.zeros(len(stream.table), dtype=np.int64)
    sessions = []
    for session in stream.sessions:
        truth = stream.truth(session.rows) == 1
        new, learned = session.new, session.learned
        n = len(session.rows)
        sessions.append(
            {
                "train": n,
                "new": int((met[session.rows] == 0).sum()),
                "test": len(session.test_rows),
                "test_new": int(stream.table.member[session.test_rows][:, stream.order[new]].any(axis=1).sum()),
                "visible": (session.targets == 1).sum() / n,
                "true": truth.sum() / n,
                "hidden_old": truth[:, : new.start].sum() / n,
                "hidden_future": truth[:, learned:].sum() / n,
            }
        )
        met[session.rows] += 1
    histogram = np.bincount(met[stream.table.split == "train"], minlength=len(stream.sessions) + 1).tolist()
    return {"sessions": sessions, "visits": int(met.sum()), "histogram": histogram}
