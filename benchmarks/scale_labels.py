"""Labels at scale: the dense table and its stream, the same as a sparse matrix, and ids and paths as text."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import sparse

from clbench.data.ids import by_id
from clbench.data.sparse.files import read_csr, write_csr
from clbench.data.sparse.labels import Entries
from clbench.data.table import LabelTable, from_arrays
from clbench.spec.scenario import LabelsSpec, ScenarioSpec
from clbench.stream.build import build_stream
from clbench.stream.who_joins import disjoint

SESSIONS, PER_IMAGE, CHUNK, BATCH = 10, 8, 100_000, 64
Figures = dict[str, float]


def labelled(rows: int, labels: int, *, first: int = 0) -> sparse.csr_array:
    """Return positives [rows, labels], long-tailed, 8 drawn per image at random; a pure function of `first`."""
    rng = np.random.default_rng([first, labels])
    # every session has frequent and rare labels, as it has when names are in alphabetical order
    shares = np.random.default_rng(labels).permutation(1.0 / np.arange(1, labels + 1) ** 0.9)
    counts = np.maximum(rng.poisson(PER_IMAGE, rows), 1)
    columns = np.searchsorted(np.cumsum(shares / shares.sum()), rng.random(int(counts.sum())))
    columns = np.minimum(columns, labels - 1).astype(np.int32)
    # the rarest labels have few images; taking turns leaves none of them without a train image
    ends, number = np.cumsum(counts), first + np.arange(rows)
    columns[ends - 1] = (number // 10 * 9 + number % 10) % labels
    found = sparse.csr_array(
        (np.ones(len(columns), dtype=np.int8), columns, np.r_[0, ends].astype(np.int64)), shape=(rows, labels)
    )
    found.sum_duplicates()
    found.data[:] = 1
    return found


def table_of(positives: sparse.csr_array) -> LabelTable:
    """Return the dense table with these labels, a tenth of it for testing."""
    rows, labels = positives.shape
    test = np.arange(rows) % 10 == 9
    return from_arrays(
        "large",
        labels=[f"label {k:05d}" for k in range(labels)],
        y=positives.toarray(),
        split=np.where(test, "test", "train"),
    )


def scenario(labels: int) -> ScenarioSpec:
    return ScenarioSpec(
        name="large", version=1, title="Large.", dataset="large", labels=LabelsSpec(increment=-(-labels // SESSIONS))
    )


def dense(rows: int, labels: int, folder: Path) -> Figures:
    """The label table and the stream as they are in clbench."""
    positives = labelled(rows, labels)
    start = time.process_time()
    table = table_of(positives)
    made = time.process_time()
    stream = build_stream(table, scenario(labels))
    return {
        "bytes of the table": table.y.nbytes + table.member.nbytes,
        "bytes of the stream": sum(session.targets.nbytes + session.rows.nbytes for session in stream.sessions),
        "seconds for the table": made - start,
        "seconds for the stream": time.process_time() - made,
    }


def compressed(rows: int, labels: int, folder: Path) -> Figures:
    """The same labels as lists in mapped files (clbench.data.sparse), and the stream of them."""
    home = written(rows, labels, folder)
    start = time.process_time()
    table = read_csr(home, root=folder, options={})
    read = time.process_time()
    stream = build_stream(table, scenario(labels))
    built, batches = time.process_time(), []
    for session in stream.sessions:
        begun = time.process_time()
        session.targets[np.arange(min(BATCH, len(session.rows)))]
        batches.append(time.process_time() - begun)
    lists = table.sparse.entries
    return {
        "bytes of the table": lists.starts.nbytes + lists.columns.nbytes,
        "bytes of the stream": sum(session.rows.nbytes + session.test_rows.nbytes for session in stream.sessions),
        "seconds to open and check the table": read - start,
        "seconds for the stream": built - read,
        "milliseconds for a batch": 1e3 * float(np.median(batches)),
    }


def whole_session(rows: int, labels: int, folder: Path) -> Figures:
    """What looks at all labels of a session that are lists: its digest, and who carries what, which memories ask."""
    from clbench.nn.rehearsal.label_lists import present  # torch comes with it

    table = read_csr(written(rows, labels, folder), root=folder, options={})
    stream = build_stream(table, scenario(labels))
    first, last = stream.sessions[0], stream.sessions[-1]
    start = time.process_time()
    replace(stream, sessions=(first,), test_rows=stream.test_rows[:1]).digest()
    hashed = time.process_time()
    carried = present(last.targets)
    return {
        "nanoseconds an entry, digest": 1e9 * (hashed - start) / first.targets.size,
        "entries of the last session": float(len(last.rows) * last.seen),
        "positives of it": float(carried.nnz),
        "seconds to list them": time.process_time() - hashed,
    }


def written(rows: int, labels: int, folder: Path) -> Path:
    """Write a table of lists and return its folder."""
    columns, ends, at = [], [np.zeros(1, dtype=np.int64)], 0
    for first in range(0, rows, CHUNK):
        part = labelled(min(CHUNK, rows - first), labels, first=first)
        part.sort_indices()
        columns.append(part.indices.astype(np.int32))
        ends.append(part.indptr[1:].astype(np.int64) + at)
        at = int(ends[-1][-1])
    entries = Entries(np.concatenate(ends), np.concatenate(columns), None, labels, unlisted=0)
    columns.clear()
    names, home = [f"label {k:05d}" for k in range(labels)], folder / "large.csr"
    write_csr(home, labels=names, entries=entries, test=np.arange(rows) % 10 == 9)
    return home


def texts(rows: int, labels: int, folder: Path) -> Figures:
    """What a table does per image whatever the number of labels: ids and paths as text, order, digest and deal."""
    y = np.ones((rows, 2), dtype=bool)
    split = np.where(np.arange(rows) % 10 == 9, "test", "train")
    start = time.process_time()
    table = from_arrays("large", labels=["a", "b"], y=y, split=split)
    made = time.process_time()
    by_id(table.ids)
    ordered = time.process_time()
    table.digest()
    digested = time.process_time()
    some = min(rows, CHUNK)
    disjoint(np.ones((SESSIONS, some), dtype=bool), ids=table.ids[:some], seed=0)
    dealt = time.process_time()
    return {
        "bytes of ids and paths": table.ids.nbytes + table.paths.nbytes + table.split.nbytes,
        "seconds for the table": made - start,
        "seconds to sort the ids": ordered - made,
        "seconds for the digest": digested - ordered,
        "microseconds an image to deal": 1e6 * (dealt - digested) / some,
    }


def shuffling(rows: int, labels: int, folder: Path) -> Figures:
    """The order of one epoch over all images, as the shared loop draws it."""
    from clbench.train.batches import order  # torch comes with it, half a gigabyte that the other parts do without

    start = time.process_time()
    order(rows, rows, seed=0, session=0, epoch=0)
    return {"seconds for the order": time.process_time() - start}
