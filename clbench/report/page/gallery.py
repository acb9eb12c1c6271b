"""Pictures that `clbench explain` left beside records, as the page embeds them."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clbench.records.record import Record
from clbench.records.store import record_path

log = logging.getLogger(__name__)

PATTERN = "explain-*.png"
"""Files of a record's work folder that are pictures to show; what follows the first dash is the caption."""
MOST_PICTURES = 12
"""Pictures per record that the page embeds, first ones by name."""
MOST_PIXELS = 1100
"""Pixels that an embedded picture is wide at most."""
INCH = 96
"""Units of a page in an inch: pictures are as large as they say they are, so that their letters are of one size."""
ALL_BYTES = 8 << 20
"""Bytes of all embedded pictures together."""


def galleries(records: Iterable[Record], folders: Iterable[Path]) -> dict[str, list[dict[str, Any]]]:
    """Return the pictures beside records below `folders`: content digest -> pictures as data addresses.

    They are made smaller and written anew, so only what is a picture gets in; the rest is left out and logged.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    left = ALL_BYTES
    places = list(folders)
    for record in records:
        pictures = []
        for path in picture_files(record, places):
            source, width = _source(path)
            if len(source) > left:
                log.warning("%s: the page holds no more than %d bytes of pictures; it is left out.", path, ALL_BYTES)
            elif source:
                left -= len(source)
                caption = path.stem.partition("-")[2]
                pictures.append({"source": source, "width": width, "caption": caption, "seed": record.seed})
        if pictures:
            found[record.content] = pictures
    return found


def picture_files(record: Record, folders: Iterable[Path]) -> list[Path]:
    """Return the files of the pictures beside a record, in the first of the results folders that has some."""
    for results in folders:
        paths = sorted(record_path(results, record).with_suffix("").glob(PATTERN))
        if paths:
            return paths[:MOST_PICTURES]
    return []


def _source(path: Path) -> tuple[str, int]:
    """Return a picture as a data address and its width on the page; an empty address when it is none."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            dots = float(picture.info.get("dpi", (INCH, INCH))[0])
            width = round(picture.width * INCH / dots) if dots >= 1 else picture.width
            picture.thumbnail((MOST_PIXELS, 2 * MOST_PIXELS))
            stream = io.BytesIO()
            picture.convert("RGB").save(stream, "WEBP", quality=80)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        log.warning("%s: not a picture (%s); it is left out.", path, error)
        return "", 0
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}", min(width, MOST_PIXELS)
