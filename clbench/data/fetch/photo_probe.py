"""What a picture file is, and whether it can be decoded."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clbench.data.pictures.pixels import depth, is_transparent, orientation, upright_rgb
from clbench.files.given import open_given, read_given

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

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
    try:
        if path.stat().st_size > MAX_BYTES:
            return Photo(problem=f"it has more than {MAX_BYTES:,} bytes")
        data = read_given(path, largest=MAX_BYTES)
    except FileNotFoundError:
        return Photo(problem="it is missing")
    except OSError as error:
        return Photo(problem=f"it cannot be read ({error.strerror})")
    return probe_bytes(data)


def probe_bytes(data: bytes) -> Photo:
    """Return what `probe_quietly` would of a file with these bytes."""
    from PIL import Image

    digest = hashlib.sha256(data).hexdigest()
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            seen = _seen(image, start=data[:25], digest=digest)
            if image.width * image.height > MAX_PIXELS:
                return Photo(problem=f"{image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are decoded")
            upright_rgb(image)
    except Image.DecompressionBombError:
        return Photo(sha256=digest, problem=f"it claims more pixels than {MAX_PIXELS:,}")
    except Exception as error:  # a damaged file makes decoders raise whatever they like
        return Photo(sha256=digest, problem=(str(error) or type(error).__name__).splitlines()[0][:200])
    return seen


def glance(path: Path) -> Photo:
    """Return what the header of a picture file says, nothing being decoded; an empty Photo where it is unreadable."""
    from PIL import Image

    try:
        with open_given(path, largest=MAX_BYTES) as file:
            start = file.read(25)
            file.seek(0)
            with Image.open(file, formats=FORMATS) as image:
                return _seen(image, start=start)
    except Exception:  # whatever is wrong with a picture, data check tells
        return Photo()


def _seen(image: Picture, *, start: bytes, digest: str = "") -> Photo:
    return Photo(
        image.width,
        image.height,
        image.mode,
        start[24] if image.format == "PNG" else depth(image),
        orientation(image),
        getattr(image, "n_frames", 1),
        is_transparent(image),
        digest,
    )


def kinds(photos: Sequence[Photo]) -> list[str]:
    """Return sentences on what pictures are: sizes, colour modes, bit depths, orientation tags."""
    if not photos:
        return []
    by_pixels = sorted(photos, key=lambda photo: photo.width * photo.height)
    small, middle, large = (f"{by_pixels[i].width} x {by_pixels[i].height}" for i in (0, len(photos) // 2, -1))
    said = [f"sizes from {small} to {large}, the middle one {middle}"]
    for what, found in (
        ("are not RGB and are converted when they are read", Counter(p.mode for p in photos if p.mode != "RGB")),
        ("have another depth than 8 bits and are scaled", Counter(f"of {p.bits} bits" for p in photos if p.bits != 8)),
        (
            "have an orientation tag and are turned when they are read",
            Counter(f"with tag {p.orientation}" for p in photos if p.orientation != 1),
        ),
        ("can be transparent and lie on white", Counter(p.mode for p in photos if p.transparent)),
        ("have several frames, of which the first counts", Counter(f"of {p.frames}" for p in photos if p.frames > 1)),
    ):
        if found:
            listed = ", ".join(f"{count:,} {kind}" for kind, count in found.most_common(8))
            said.append(f"{sum(found.values()):,} photos {what} ({listed})")
    return said
