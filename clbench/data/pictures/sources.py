"""The pictures of a label table, as runs ask for them: from files, rendered, or from a memory-mapped cache."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch

from clbench.data.pictures.decode import decode
from clbench.data.table import LabelTable
from clbench.errors import DataError, RunError
from clbench.files.cache_lock import made_once
from clbench.files.checked_rows import CheckedRows, remove_leftovers, writing_rows
from clbench.files.user_folders import cache_folder

log = logging.getLogger(__name__)

Rows = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]

CACHE_VERSION = 1
SMALL_ENOUGH = 2 << 30  # a cache below this size is made without being asked for


class ImageSource(Protocol):
    """Where pictures come from: `read(rows)` gives uint8 [n, 3, size, size] in the order of `rows`."""

    size: int

    def read(self, rows: Rows) -> torch.Tensor:
        """Return uint8 [n, 3, size, size]."""


@runtime_checkable
class Originals(ImageSource, Protocol):
    """An image source that also gives its pictures as they are in the data set, at their own size."""

    def whole(self, rows: Rows) -> Iterator[torch.Tensor]:
        """Yield uint8 [3, h, w] for each of `rows`, in their order."""


@runtime_checkable
class EndToEnd(Protocol):
    """An image source whose pictures lie in a few files, read from end to end in training where `buffer` is not 0."""

    buffer: int
    """How many images wait, of which one at random is shown whenever the next is read."""
    lanes: int
    """In how many lines at once files are read."""

    def files(self, rows: Rows) -> Rows:
        """Return in which file each of `rows` lies, [n]."""

    def places(self, rows: Rows) -> Rows:
        """Return numbers [n] that rise with the place in the file."""


def end_to_end(source: object) -> EndToEnd | None:
    """Return the source, behind whatever keeps or guards its pictures, that is read from end to end; else None.

    The order of training must not depend on what is kept of the pictures.
    """
    while source is not None:
        if isinstance(source, EndToEnd):
            return source if source.buffer else None
        source = getattr(source, "behind", None) or getattr(source, "source", None)
    return None


def whole_pictures(source: ImageSource | None, rows: Rows) -> Iterator[torch.Tensor]:
    """Yield the pictures of `rows` at their own size, uint8 [3, h, w]. Raises RunError where `source` has none."""
    if not isinstance(source, Originals):
        raise RunError(
            "these pictures can be read squashed only, and the augmentation starts from whole ones.",
            hint="Choose an augmentation of squashed pictures, such as train.augment=crop.",
        )
    return source.whole(rows)


@contextlib.contextmanager
def of_row(row: int) -> Iterator[None]:
    """Let a DataError of the body say that it is about the picture of this row of the table."""
    try:
        yield
    except DataError as error:
        error.row = row
        raise


class FolderImages:
    """Pictures of a table below a folder, decoded and squashed to size x size (antialiased bilinear).

    What the pixels are is said in `pixels`. JPEG decoding is torchcodec's, bit-identical to Pillow's, which reads what
    torchcodec cannot and turns what a tag says is turned. Raises DataError
    naming the file when one is missing, damaged or larger than 100 megapixels.
    """

    def __init__(self, table: LabelTable, *, root: Path, size: int) -> None:
        self.table = table
        self.root = root
        self.size = size

    def read(self, rows: Rows) -> torch.Tensor:
        """Return uint8 [n, 3, size, size]."""
        out = torch.empty(len(rows), 3, self.size, self.size, dtype=torch.uint8)
        planes = out.numpy()  # decoders give pixels, batches are planes: NumPy turns them twice as fast as torch
        for i, row in enumerate(rows.tolist()):
            with of_row(row):
                planes[i] = squashed(self._path(row), size=self.size).numpy()
        return out

    def whole(self, rows: Rows) -> Iterator[torch.Tensor]:
        """Yield uint8 [3, h, w] for each of `rows`, decoded when it is asked for."""
        for row in rows.tolist():
            with of_row(row):
                picture = decode(self._path(row))
            yield picture

    def _path(self, row: int) -> Path:
        return self.root / str(self.table.paths[row])


def squashed(path: Path, *, size: int) -> torch.Tensor:
    """Return the picture in `path` as networks see it, uint8 RGB [3, size, size]. Raises DataError naming it."""
    return resized(decode(path), size=size)


def lone_photo(path: Path, *, size: int) -> torch.Tensor:
    """Return what `squashed` does of a photo that is of no data set. Raises DataError naming it."""
    try:
        return squashed(path, size=size)
    except DataError as error:
        raise DataError(error.message, hint="Replace the photo, or leave it out.") from error


def resized(picture: torch.Tensor, *, size: int) -> torch.Tensor:
    """Return a picture uint8 [3, h, w] squashed to [3, size, size], antialiased."""
    from clbench.imports.picture_functions import functional

    small: torch.Tensor = functional.resize(picture, [size, size], antialias=True)
    return small


class SceneImages:
    """The stand-in's pictures, rendered on demand."""

    def __init__(self, render: Callable[[Rows], npt.NDArray[np.uint8]], *, size: int, native: int) -> None:
        self.render = render
        self.size = size
        self.native = native

    def read(self, rows: Rows) -> torch.Tensor:
        """Return uint8 [n, 3, size, size]."""
        pictures = self._native(rows).contiguous()
        if self.native == self.size:
            return pictures
        from clbench.imports.picture_functions import functional

        scaled: torch.Tensor = functional.resize(pictures, [self.size, self.size], antialias=True)
        return scaled

    def whole(self, rows: Rows) -> Iterator[torch.Tensor]:
        """Yield uint8 [3, native, native] for each of `rows`."""
        return iter(self._native(rows))

    def _native(self, rows: Rows) -> torch.Tensor:
        return torch.from_numpy(self.render(rows)).permute(0, 3, 1, 2)


class CachedImages:
    """A memory-mapped uint8 file [N, 3, size, size] with checksums, so that nothing is squashed twice.

    Whole pictures are in no cache: they come from the source `behind` it, decoded every time.
    """

    def __init__(self, path: Path, *, count: int, size: int, behind: ImageSource | None = None) -> None:
        self.path = path
        self.size = size
        self.behind = behind
        self.kept = CheckedRows(path, count=count, shape=(3, size, size), kind=np.uint8)

    def read(self, rows: Rows) -> torch.Tensor:
        """Return uint8 [n, 3, size, size]. Raises DataError where one is not the picture that was kept."""
        return torch.from_numpy(self.kept.read(rows))

    def whole(self, rows: Rows) -> Iterator[torch.Tensor]:
        """Yield uint8 [3, h, w] for each of `rows`. Raises RunError where nothing is behind the cache."""
        return whole_pictures(self.behind, rows)


def cache_bytes(count: int, *, size: int) -> int:
    """Return what a cache of `count` pictures takes."""
    return count * 3 * size * size


def is_kept(count: int, *, size: int, wanted: bool | None) -> bool:
    """Say whether pictures are kept decoded: where that was asked for, or was left open and takes little."""
    return cache_bytes(count, size=size) <= SMALL_ENOUGH if wanted is None else wanted


def cache_file(key: str, *, size: int, folder: Path | None = None) -> Path:
    """Return where the pictures called `key` are kept, below `folder` (by default the cache folder)."""
    return (folder or cache_folder()) / "images" / f"{key}-{size}-v{CACHE_VERSION}.u8"


def cached(
    source: ImageSource, *, key: Callable[[], str], count: int, wanted: bool | None, progress: Progress | None = None
) -> ImageSource:
    """Return `source` behind a cache, made now if it is not there yet.

    `key()` names the content (a digest). `wanted` None means: if it is small and the disk has room. Concurrent runs
    make it once: the others wait. Raises DataError when a cache that was asked for does not fit the disk.
    """
    if not is_kept(count, size=source.size, wanted=wanted):
        return source
    need = cache_bytes(count, size=source.size)
    path = cache_file(key(), size=source.size)
    folder = path.parent
    kept = CachedImages(path, count=count, size=source.size, behind=source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with made_once(path):
            if not kept.kept.is_there():
                remove_leftovers(path)
                free = shutil.disk_usage(folder).free
                if free < need * 1.05:
                    if wanted:
                        raise DataError(
                            f"{folder}: the picture cache needs {need / 1e9:.1f} GB and {free / 1e9:.1f} GB are free.",
                            hint="Free some space, name another folder with CLBENCH_CACHE, or run without --cache.",
                        )
                    return source
                _fill(source, path=path, count=count, progress=progress)
    except OSError as error:
        if wanted:
            raise DataError(f"{folder}: the picture cache cannot be written ({error}).") from error
        log.warning("no picture cache: %s", error)
        return source
    return kept


def _fill(source: ImageSource, *, path: Path, count: int, progress: Progress | None, step: int = 256) -> None:
    """Write every picture of `source` to `path`, which appears only when it is complete."""
    with writing_rows(path) as kept:
        for first in range(0, count, step):
            rows = np.arange(first, min(first + step, count), dtype=np.int64)
            kept.add(source.read(rows).numpy())
            if progress:
                progress(int(rows[-1]) + 1, count)
