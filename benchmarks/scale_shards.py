"""Input at scale: labels and pictures in shards that are written and read from end to end."""

from __future__ import annotations

import importlib.util
import io
import os
import resource
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scale_labels import labelled

from clbench.data.shards.shard import Shard, as_bytes
from clbench.data.shards.shards import Shards, find_shards

SHARD, READ = 100_000, 8_192
PICTURE, PER_TAR = 20_000, 1_000
Figures = dict[str, float]
Part = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint16]]
"""ids [n], where each image's labels begin and end [n + 1], labels."""


def parts(rows: int, labels: int) -> Iterator[Part]:
    for first in range(0, rows, SHARD):
        y = labelled(min(SHARD, rows - first), labels, first=first)
        yield np.arange(first, first + y.shape[0]), y.indptr.astype(np.int64), y.indices.astype(np.uint16)


def write_arrays(path: Path, part: Part) -> None:
    with path.open("wb") as file:
        for array in part:
            np.save(file, array)


def read_arrays(path: Path) -> Iterator[Part]:
    with path.open("rb") as file:
        ids, ends, labels = (np.load(file) for _ in range(3))
    for at in range(0, len(ids), READ):
        some = ends[at : at + READ + 1]
        yield ids[at : at + READ], some - some[0], labels[some[0] : some[-1]]


def write_parquet(path: Path, part: Part) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    ids, ends, labels = part
    lists = pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), pa.array(labels))
    parquet.write_table(pa.table({"id": pa.array(ids), "labels": lists}), path, row_group_size=READ)


def read_parquet(path: Path) -> Iterator[Part]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(READ, use_threads=False):
            lists = batch.column("labels")
            ends = lists.offsets.to_numpy().astype(np.int64)
            yield batch.column("id").to_numpy(), ends - ends[0], lists.flatten().to_numpy()


def label_shards(rows: int, labels: int, folder: Path, *, write: Callable, read: Callable) -> Figures:  # type: ignore[type-arg]
    writing = reading = 0.0
    for number, part in enumerate(parts(rows, labels)):
        start = time.process_time()
        write(folder / f"{number:05d}.shard", part)
        writing += time.process_time() - start
    written, met = sorted(folder.glob("*.shard")), 0
    start = time.process_time()
    for path in written:
        for ids, ends, _ in read(path):
            assert len(ends) == len(ids) + 1
            met += len(ids)
    reading = time.process_time() - start
    assert met == rows
    return {
        "bytes an image": sum(path.stat().st_size for path in written) / rows,
        "microseconds an image to write": 1e6 * writing / rows,
        "microseconds an image to read": 1e6 * reading / rows,
    }


def arrays(rows: int, labels: int, folder: Path) -> Figures:
    """Labels in shards of plain NumPy arrays, 100,000 images each."""
    return label_shards(rows, labels, folder, write=write_arrays, read=read_arrays)


def parquet(rows: int, labels: int, folder: Path) -> Figures:
    """Labels in Parquet shards of 100,000 images, read in row groups of 8,192 (with pyarrow)."""
    if not importlib.util.find_spec("pyarrow"):
        return {}
    return label_shards(rows, labels, folder, write=write_parquet, read=read_parquet)


def tars(rows: int, labels: int, folder: Path) -> Figures:
    """Pictures of 20 KB in tars of 1,000: looked up, read by place, through a buffer, and as files of their own.

    What is read cold has been dropped from the system's memory before, as far as the system does what it is told.
    """
    from clbench.train.batches import buffered_order  # torch, which the other parts do without

    pictures = max(rows // 100, 40)
    rng = np.random.default_rng(0)
    for first in range(0, pictures, PER_TAR):
        with tarfile.open(folder / f"{first:08d}.tar", "w") as tar:
            for number in range(first, min(first + PER_TAR, pictures)):
                info = tarfile.TarInfo(f"{number:09d}.jpg")
                info.size = PICTURE
                tar.addfile(info, io.BytesIO(rng.bytes(PICTURE)))
    os.environ["CLBENCH_CACHE"] = str(folder / "cache")
    found: Figures = {"bytes an image": sum(path.stat().st_size for path in folder.glob("*.tar")) / pictures}
    for what in ("look up", "look up again"):
        start = time.process_time()
        shards = find_shards(folder, "*.tar", name="shards")
        found[f"microseconds an image to {what}"] = 1e6 * (time.process_time() - start) / pictures
    where = {"buffer": PER_TAR // 2, "seed": 0, "session": 0, "epoch": 0}
    lying = shards.which(np.arange(pictures))
    orders = {"in any order": rng.permutation(pictures), "buffered": buffered_order(pictures, lying, **where)}
    for name, order in orders.items():
        for path in folder.glob("*.tar"):
            forget(path)
        cpu, wall, before = time.process_time(), time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        for row in order.tolist():
            assert len(shards.read(row, ahead=name == "buffered")) == PICTURE
        after = resource.getrusage(resource.RUSAGE_SELF)
        found[f"waits an image read {name}, cold"] = (after.ru_nvcsw - before.ru_nvcsw) / pictures
        blocks = after.ru_inblock - before.ru_inblock
        found[f"bytes from the disk an image read {name}, cold"] = 512 * blocks / pictures
        found[f"microseconds an image to read {name}, cold"] = 1e6 * (time.perf_counter() - wall) / pictures
        found[f"microseconds an image to read {name}, CPU"] = 1e6 * (time.process_time() - cpu) / pictures
    loose = folder / "loose"
    loose.mkdir()
    some = min(pictures, 2000)
    for number in range(some):
        (loose / f"{number:09d}.jpg").write_bytes(rng.bytes(PICTURE))
    for path in loose.iterdir():
        forget(path)
    wall = time.perf_counter()
    for number in rng.permutation(some).tolist():
        (loose / f"{number:09d}.jpg").read_bytes()
    found["microseconds an image to read, single files, cold"] = 1e6 * (time.perf_counter() - wall) / some
    return found


def forget(path: Path) -> None:
    """Let the system drop what it holds of a file."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def names(rows: int, labels: int, folder: Path) -> Figures:
    """Pictures of shards found by the names in a table: what is held for each, and what looking it up takes."""
    per = 10_000
    shards = []
    for first in range(0, rows, per):
        count = min(per, rows - first)
        keys = as_bytes([f"train/{number:09d}" for number in range(first, first + count)])
        places = np.arange(count, dtype=np.int64) * (PICTURE + 512)
        path, none = folder / f"{first}.tar", np.empty(0, dtype=np.uint32)
        shards.append(Shard(path, path, np.char.add(keys, b".jpg"), keys, places, np.full(count, PICTURE), none))
    held = sum(getattr(shard, part).nbytes for shard in shards for part in ("names", "keys", "first", "sizes"))
    whole = Shards(tuple(shards), "")
    files = [f"train/{number:09d}.jpg" for number in np.random.default_rng(0).permutation(rows).tolist()]
    start = time.process_time()
    assert (whole.rows_of(files) >= 0).all()
    return {"bytes held an image": held / rows, "microseconds an image": 1e6 * (time.process_time() - start) / rows}
