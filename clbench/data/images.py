"""Pictures of a label table as uint8 tensors: decoded, rendered, or read from a memory-mapped cache."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from clbench.data.folders import cache_folder
from clbench.data.table import LabelTable
from clbench.errors import DataError

log = logging.getLogger(__name__)

Rows = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]

CACHE_VERSION = 1
MAX_PIXELS = 100_000_000
SMALL_ENOUGH = 2 << 30  # a cache below this size is made without being asked for


class ImageSource(Protocol):
    """Where pictures come from: `read(rows)` gives uint8 [n, 3, size, size] in the order of `rows`."""

    size: int

    def read(self, rows: Rows) -> torch.Tensor:
        """Return uint8 [n, 3, size, size]."""


class FolderImages:
    """Pictures of a table below a folder, decoded and squashed to size x size (antialiased bilinear).

    JPEG decoding is torchcodec's, bit-identical to Pillow's, which reads what torchcodec cannot. Raises DataError
    naming the file when one is missing, damaged or larger than 100 megapixels.
    """

    def __init__(self, table: LabelTable, *, root: Path, size: int) -> None:
        self.table = table
        self.root = root
        self.size = size

    def read(self, rows: Rows) -> torch.Tensor:
        """Return uint8 [n, 3, size, size]."""
        out = torch.empty(len(rows), 3, self.size, self.size, dtype=torch.uint8)
        for i, row in enumerate(rows.tolist()):
            out[i] = self._one(str(self.table.paths[row]))
        return out

    def _one(self, relative: str) -> torch.Tensor:
        from torchvision.transforms.v2 import functional

        path = self.root / relative
        picture = decode(path)
        small: torch.Tensor = functional.resize(picture, [self.size, self.size], antialias=True)
        return small


def decode(path: Path) -> torch.Tensor:
    """Return the picture in `path` as uint8 RGB [3, h, w]. Raises DataError naming the file."""
    from PIL import Image

    try:
        with Image.open(path) as header:
            width, height = header.size
            if width * height > MAX_PIXELS:
                raise DataError(
                    f"{path}: {width} x {height} pixels; pictures here have at most {MAX_PIXELS:,}.",
                    hint="Replace the file, or take its row out of the table.",
                )
            if header.format == "JPEG":
                picture = _decode_jpeg(path)
                if picture is not None:
                    return picture
            array = np.asarray(header.convert("RGB"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such picture.", hint="clbench data check NAME lists every missing one.") from error
    except (OSError, SyntaxError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{path}: not readable as a picture ({(str(error) or type(error).__name__).splitlines()[0]}).",
            hint="clbench data check NAME lists every damaged one and says how to replace it.",
        ) from error
    return torch.from_numpy(array.copy()).permute(2, 0, 1).contiguous()


def _decode_jpeg(path: Path) -> torch.Tensor | None:
    """torchcodec's decoder, or None where it is missing or declines (CMYK, damaged); Pillow then decides."""
    try:
        from torchcodec.decoders import decode_image  # type: ignore[attr-defined]
    except (ImportError, OSError, RuntimeError):  # pragma: no cover - depends on the installation
        return None
    try:
        picture: torch.Tensor = decode_image(path)
    except (RuntimeError, ValueError):
        return None
    return picture


class SceneImages:
    """The stand-in's pictures, rendered on demand."""

    def __init__(self, render: Callable[[Rows], npt.NDArray[np.uint8]], *, size: int, native: int) -> None:
        self.render = render
        self.size = size
        self.native = native

    def read(self, rows: Rows) -> torch.Tensor:
        """Return uint8 [n, 3, size, size]."""
        pictures = torch.from_numpy(self.render(rows)).permute(0, 3, 1, 2).contiguous()
        if self.native == self.size:
            return pictures
        from torchvision.transforms.v2 import functional

        scaled: torch.Tensor = functional.resize(pictures, [self.size, self.size], antialias=True)
        return scaled


class CachedImages:
    """A memory-mapped uint8 file [N, 3, size, size] beside which nothing is decoded twice."""

    def __init__(self, path: Path, *, count: int, size: int) -> None:
        self.path = path
        self.size = size
        self.count = count
        self._map: npt.NDArray[np.uint8] | None = None

    def read(self, rows: Rows) -> torch.Tensor:
        """Return uint8 [n, 3, size, size]."""
        if self._map is None:  # opened late so that loader workers map the file themselves
            self._map = np.memmap(self.path, dtype=np.uint8, mode="r", shape=(self.count, 3, self.size, self.size))
        return torch.from_numpy(self._map[rows])

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_map": None}


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
    from filelock import FileLock

    need = cache_bytes(count, size=source.size)
    path = cache_file(key(), size=source.size)
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(str(path) + ".lock"):
            if not (path.exists() and path.stat().st_size == need):
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
    return CachedImages(path, count=count, size=source.size)


def _fill(source: ImageSource, *, path: Path, count: int, progress: Progress | None, step: int = 256) -> None:
    """Write every picture of `source` to `path`, which appears only when it is complete."""
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            for first in range(0, count, step):
                rows = np.arange(first, min(first + step, count), dtype=np.int64)
                file.write(source.read(rows).numpy().tobytes())
                if progress:
                    progress(int(rows[-1]) + 1, count)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
