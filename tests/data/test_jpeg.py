"""How large a JPEG is, before it is decoded."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clbench.data.pictures import jpeg
from clbench.data.pictures.decode import decode


def picture(size: tuple[int, int], seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def written(size: tuple[int, int], **options: object) -> bytes:
    kept = io.BytesIO()
    picture(size).save(kept, "JPEG", **options)  # type: ignore[arg-type]
    return kept.getvalue()


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"exif": b"Exif\0\0" + bytes(60_000)}, {"comment": b"\xff\xc0" * 99}]
)
@pytest.mark.parametrize("size", [(640, 480), (1, 300), (17, 1)])
def test_the_size_of_a_jpeg_is_pillows(size: tuple[int, int], options: dict[str, object]) -> None:
    assert jpeg.frame_size(written(size, **options)) == size


def test_bytes_before_a_marker_are_stepped_over() -> None:
    data = written((30, 20))
    assert jpeg.frame_size(data[:2] + b"\xff\xff\xff" + data[2:]) == (30, 20)


@given(st.binary(max_size=300))
def test_what_is_no_jpeg_has_no_size_or_some(data: bytes) -> None:
    found = jpeg.frame_size(jpeg.START + data)
    assert found is None or min(found) > 0


def test_a_jpeg_that_ends_before_its_frame_has_no_size() -> None:
    data = written((30, 20))
    start = data.index(b"\xff\xc0")
    assert [jpeg.frame_size(data[:end]) for end in range(2, start + 9)] == [None] * (start + 7)


def test_several_pictures_in_one_file_decode_to_pillows_first(tmp_path: Path) -> None:
    path = tmp_path / "several.jpg"
    picture((40, 30)).save(path, "MPO", save_all=True, append_images=[picture((40, 30), 1)])
    with Image.open(path) as image:
        wanted = np.asarray(image.convert("RGB"))
    assert np.array_equal(decode(path).permute(1, 2, 0).numpy(), wanted)
