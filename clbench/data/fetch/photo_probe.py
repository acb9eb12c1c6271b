"""A full look at one picture file: can it be decoded, and what is it."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

from clbench.data.pictures.pixels import depth, is_transparent, orientation, upright_rgb

MAX_PIXELS = 100_000_000  # the decoders of a run refuse more, too
MAX_BYTES = 500_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")


@dataclass(frozen=True)
class Photo:
    """What a picture file is. `problem` says why it cannot be used, or is empty; `sha256` is of its bytes."""

    width: int = 0
    height: int = 0
    mode: str = ""
    bits: int = 8
    orientation: int = 1
    frames: int = 1
    transparent: bool = False
    sha256: str = ""
    problem: str = ""


def probe(path: Path) -> Photo:
    """Decode the picture in `path` to its last pixel and return what it is; nothing is raised for a bad file."""
    from PIL import Image

    with warnings.catch_warnings():
        # the limit below is stricter than the one that Pillow warns about
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)  # odd metadata does not harm the pixels
        return probe_quietly(path)


def probe_quietly(path: Path) -> Photo:
    """Do what `probe` does, for threads: their caller silences Pillow's warnings once for all of them."""
    from PIL import Image

    try:
        if path.stat().st_size > MAX_BYTES:
            return Photo(problem=f"it has more than {MAX_BYTES:,} bytes")
        data = path.read_bytes()
    except FileNotFoundError:
        return Photo(problem="it is missing")
    except OSError as error:
        return Photo(problem=f"it cannot be read ({error.strerror})")
    digest = hashlib.sha256(data).hexdigest()
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            seen = Photo(
                image.width,
                image.height,
                image.mode,
                data[24] if image.format == "PNG" else depth(image),
                orientation(image),
                getattr(image, "n_frames", 1),
                is_transparent(image),
                digest,
            )
            if image.width * image.height > MAX_PIXELS:
                return Photo(problem=f"{image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are decoded")
            upright_rgb(image)
    except Image.DecompressionBombError:
        return Photo(sha256=digest, problem=f"it claims more pixels than {MAX_PIXELS:,}")
    except Exception as error:  # a damaged file makes decoders raise whatever they like
        return Photo(sha256=digest, problem=(str(error) or type(error).__name__).splitlines()[0][:200])
    return seen
