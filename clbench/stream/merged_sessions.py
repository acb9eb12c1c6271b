"""A stream whose sessions are merged into one, or accumulated, as some strategies ask for. Without torch."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.data.ids import by_id
from clbench.data.sparse.labels import as_lists
from clbench.data.sparse.merged import MergedLabels
from clbench.stream.stream import Session, Stream


def merged(stream: Stream) -> Stream:
    """Return the stream as one session that shows every training image with all its labels: the joint upper bound."""
    rows = stream.table.rows("train")
    taken = np.isin(rows, np.concatenate([session.rows for session in stream.sessions]))
    rows = rows[taken]
    labels = len(stream.labels)
    only = Session(
        index=0,
        new=slice(0, labels),
        seen=labels,
        learned=labels,
        labels=stream.labels,
        rows=rows,
        targets=stream.table.targets(rows, stream.order, shown=slice(None), width=labels),
        test_rows=stream.test_rows,
    )
    return dataclasses.replace(stream, sessions=(only,))


def accumulated(stream: Stream) -> Stream:
    """Return the stream with each session holding the images of all sessions so far, their visible labels merged."""
    ordered = by_id(stream.table.ids)
    rank = np.empty_like(ordered)
    rank[ordered] = np.arange(len(ordered))
    held = np.empty(0, dtype=np.int64)  # ranks, so that images stay sorted by id
    known = np.empty((0, 0), dtype=np.int8)
    sessions = []
    shown: list[tuple[slice, npt.NDArray[np.int64]]] = []  # of sessions whose labels are lists: columns and ranks
    for session in stream.sessions:
        given = rank[session.rows]
        union = np.union1d(held, given)
        if lists := as_lists(session.targets):
            shown.append((slice(*lists.shown.indices(lists.width)[:2]), given))
            merged = _merged(stream, ordered[union], union, shown=shown, width=session.seen)
            held = union
            sessions.append(dataclasses.replace(session, rows=ordered[union], targets=merged))
            continue
        targets = np.full((len(union), session.seen), -1, dtype=np.int8)
        targets[np.searchsorted(union, held), : known.shape[1]] = known
        places = np.searchsorted(union, given)
        targets[places] = np.maximum(targets[places], session.targets)  # unknown < negative < positive
        held, known = union, targets
        sessions.append(dataclasses.replace(session, rows=ordered[union], targets=targets))
    return dataclasses.replace(stream, sessions=tuple(sessions))


def _merged(
    stream: Stream,
    rows: npt.NDArray[np.int64],
    ranks: npt.NDArray[np.int64],
    *,
    shown: list[tuple[slice, npt.NDArray[np.int64]]],
    width: int,
) -> Any:
    """Return what is known of `rows` [n], whose ranks are `ranks`, after sessions that showed columns of some ranks."""
    whole = as_lists(stream.table.targets(rows, stream.order[:width], shown=slice(0, width), width=width))
    assert whole is not None
    return MergedLabels(
        tuple(dataclasses.replace(whole, shown=columns).without(~np.isin(ranks, given)) for columns, given in shown)
    )
