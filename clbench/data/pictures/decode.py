"""From a picture file to a uint8 tensor: by torchcodec where that takes it, else by Pillow."""

from __future__ import annotations

import functools
import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from clbench.errors import DataError
from clbench.files.given import look_at

MAX_PIXELS = 100_000_000
MAX_BYTES = 500_000_000


def decode(path: Path) -> torch.Tensor:
    """Return the picture in `path` as uint8 RGB [3, h, w]. Raises DataError naming the file."""
    try:
        look_at(path, largest=MAX_BYTES)
        picture = _decode_jpeg(path)
        return _decode_with_pillow(path, path) if picture is None else picture
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such picture.", hint="clbench data check NAME lists every missing one.") from error
    except (OSError, SyntaxError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{path}: not readable as a picture ({_told(error)}).",
            hint="clbench data check NAME lists every damaged one and says how to replace it.",
        ) from error


def _told(error: Exception) -> str:
    """Return the first line of an error, without the place in memory of what Pillow was given."""
    return re.sub(r" <_io.BytesIO object at 0x[0-9a-f]+>", "", str(error) or type(error).__name__).splitlines()[0]


@functools.cache
def torchcodec_decoder() -> Callable[[torch.Tensor], torch.Tensor | list[torch.Tensor]] | None:
    """Return torchcodec's decoder of JPEGs, or None where it cannot be used.

    It turns bytes, uint8 [n], into a picture, uint8 [3, h, w].
    """
    try:
        from torchcodec.decoders import decode_jpeg  # type: ignore[attr-defined]
    except (ImportError, OSError, RuntimeError):
        return None
    found: Callable[[torch.Tensor], torch.Tensor | list[torch.Tensor]] = decode_jpeg
    return found


def decode_bytes(data: bytes, *, place: str) -> torch.Tensor:
    """Return the picture that a file with the bytes `data` would hold, as `decode` does.

    Raises DataError naming `place`.
    """
    from clbench.data.pictures import jpeg

    try:
        picture = _decoded_jpeg(bytearray(data), place) if data.startswith(jpeg.START) else None
        return _decode_with_pillow(io.BytesIO(data), place) if picture is None else picture
    except (OSError, SyntaxError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{place}: not readable as a picture ({_told(error)}).",
            hint="clbench data check TABLE lists every damaged one.",
        ) from error


def _decode_jpeg(path: Path) -> torch.Tensor | None:
    """torchcodec's decoder, or None where it is missing or declines (no JPEG, CMYK, damaged); Pillow then decides."""
    from clbench.data.pictures import jpeg

    if torchcodec_decoder() is None:
        return None
    with path.open("rb", buffering=0) as file:
        if file.read(len(jpeg.START)) != jpeg.START:
            return None
        file.seek(0)
        return _decoded_jpeg(bytearray(file.read()), path)


def _decoded_jpeg(data: bytearray, place: Path | str) -> torch.Tensor | None:
    from clbench.data.pictures import jpeg

    decode_jpeg = torchcodec_decoder()
    if decode_jpeg is None:
        return None
    size = jpeg.frame_size(data)
    if size is None or jpeg.may_be_turned(data):
        return None
    _check_size(place, *size)
    try:
        # as a tensor: given a path or bytes, torchcodec sets aside and restores Python's warnings for each picture
        picture = decode_jpeg(torch.frombuffer(data, dtype=torch.uint8))
    except (RuntimeError, ValueError):
        return None
    assert isinstance(picture, torch.Tensor)  # a list only where it was given one
    return picture


def _decode_with_pillow(file: Path | io.BytesIO, place: Path | str) -> torch.Tensor:
    from PIL import Image

    from clbench.data.pictures.pixels import upright_rgb

    with warnings.catch_warnings():
        # the limit here is stricter than the one that Pillow refuses at, and laxer than the one it warns of
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            opened = Image.open(file)
        except Image.DecompressionBombError as error:
            raise _too_large(place, str(error).partition(" pixels")[0].rpartition("(")[2]) from error
        with opened as header:
            _check_size(place, *header.size)
            array = np.asarray(upright_rgb(header))
    return torch.from_numpy(array.copy()).permute(2, 0, 1).contiguous()


def _check_size(place: Path | str, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise _too_large(place, f"{width} x {height}")


def _too_large(place: Path | str, size: str) -> DataError:
    return DataError(
        f"{place}: {size} pixels; pictures here have at most {MAX_PIXELS:,}.",
        hint="Replace the file, or take its row out of the table.",
    )
