"""What the pixels of a picture file are: one rule for every format, decoder and colour mode.

A picture is upright: an EXIF orientation tag is obeyed, in every format. Of an animation the first frame counts. Grey
is repeated; where it has more than 8 bits it is scaled by its depth to the nearest of 0 to 255. Of 16-bit colours the
upper byte counts. A palette is looked up. What is transparent lies on white. CMYK is R = (255 - C)(255 - K) / 255,
G and B likewise; L*a*b* (D50) becomes sRGB. Other colour profiles are not applied. 32-bit and floating-point pixels,
whose scale no file says, are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

ORIENTATION = 0x0112
BITS_PER_SAMPLE = 258  # TIFF
_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def upright_rgb(image: Image) -> Image:
    """Return the opened picture as RGB, 8 bits a channel. Raises ValueError where its pixels have no known scale."""
    from PIL import Image as Pillow
    from PIL import ImageOps

    bits = depth(image)
    # where there is no tag Pillow would look for one in the XMP packet, which other decoders do not
    for packet in ("xmp", "XML:com.adobe.xmp"):
        image.info.pop(packet, None)
    if "transparency" in image.info:
        _as_decoded(image)
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode == "F" or (image.mode == "I" and bits > 16):
        raise ValueError(f"its pixels have {bits} bits, whose scale nobody can tell; save it with 8 or 16 bits")
    if image.mode == "I" or image.mode.startswith("I;16"):
        grey = np.asarray(image).astype(np.float64) * (255 / (2**bits - 1))
        if isinstance(clear := image.info.get("transparency"), int):
            grey[np.asarray(image) == clear] = 255
        return Pillow.fromarray(np.rint(np.clip(grey, 0, 255)).astype(np.uint8)).convert("RGB")
    if image.mode == "LAB":
        from PIL import ImageCms

        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        made = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert made is not None  # None only where it changes the picture in place
        return made
    if is_transparent(image):
        whole = image.convert("RGBA")
        return Pillow.alpha_composite(Pillow.new("RGBA", whole.size, "white"), whole).convert("RGB")
    return image.convert("RGB")


def _as_decoded(image: Image) -> None:
    """Give a PNG's transparent colour the depth of the decoded pixels; Pillow leaves it in that of the file."""
    tiles = getattr(image, "tile", None)
    clear, raw = image.info["transparency"], str(tiles[0][3]) if tiles else ""
    if isinstance(clear, int) and raw in ("L;2", "L;4"):
        image.info["transparency"] = clear * (85 if raw == "L;2" else 17)
    elif isinstance(clear, tuple) and raw == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in clear)


def is_transparent(image: Image) -> bool:
    """Say whether the picture can have transparent pixels."""
    return image.mode in _ALPHA or "transparency" in image.info


def depth(image: Image) -> int:
    """Return the bits of a sample, as the file has them."""
    tags = getattr(image, "tag_v2", None)
    if tags and (found := tags.get(BITS_PER_SAMPLE)):
        return int(max(found)) if isinstance(found, tuple) else int(found)
    if image.mode == "F":
        return 32
    return {"1": 1, "I": 16}.get(image.mode, 16 if image.mode.startswith("I;16") else 8)


def orientation(image: Image) -> int:
    """Return the EXIF orientation, 1 where there is none or no valid one."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # what is not readable as EXIF turns nothing
        return 1
    return int(found) if found in range(1, 9) else 1
