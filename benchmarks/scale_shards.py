"""Input at scale: labels and pictures in shards that are written and read from end to end."""

from __future__ import annotations

import importlib.util
import io
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scale_labels import labelled

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
    """Pictures of 20 KB in tar files of 1,000, read through a shuffle buffer; and as files of their own."""
    pictures = max(rows // 100, 10)
    rng = np.random.default_rng(0)
    start = time.process_time()
    for first in range(0, pictures, PER_TAR):
        with tarfile.open(folder / f"{first:08d}.tar", "w") as tar:
            for number in range(first, min(first + PER_TAR, pictures)):
                info = tarfile.TarInfo(f"{number:09d}.jpg")
                info.size = PICTURE
                tar.addfile(info, io.BytesIO(rng.bytes(PICTURE)))
    written = time.process_time()
    met = sum(len(blob) == PICTURE for blob in shuffled(folder, buffer=PER_TAR))
    read = time.process_time()
    assert met == pictures
    loose = folder / "loose"
    loose.mkdir()
    some = min(pictures, 2000)
    for number in range(some):
        (loose / f"{number:09d}.jpg").write_bytes(rng.bytes(PICTURE))
    begun = time.process_time()
    for number in rng.permutation(some).tolist():
        (loose / f"{number:09d}.jpg").read_bytes()
    return {
        "bytes an image": sum(path.stat().st_size for path in folder.glob("*.tar")) / pictures,
        "microseconds an image to write": 1e6 * (written - start) / pictures,
        "microseconds an image to read": 1e6 * (read - written) / pictures,
        "microseconds an image to read, single files": 1e6 * (time.process_time() - begun) / some,
    }


def shuffled(folder: Path, *, buffer: int) -> Iterator[bytes]:
    """Yield the pictures of all shards in an order that is random within `buffer` of them."""
    rng, held = np.random.default_rng(1), []
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path, "r|") as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file is not None
                held.append(file.read())
                if len(held) == buffer:
                    place = int(rng.integers(buffer))
                    held[place], held[-1] = held[-1], held[place]
                    yield held.pop()
    yield from held
