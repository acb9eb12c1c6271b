"""The pixels of every kind of picture file, by hand."""

from __future__ import annotations

import struct
import zlib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from data_makers import put
from PIL import Image

from clbench.data.fetch.photo_probe import probe
from clbench.data.pictures import decode as decoders
from clbench.data.pictures.decode import decode
from clbench.errors import DataError
from clbench.train import environment
from clbench.train.environment import describe

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def pixels(path: Path) -> list[list[tuple[int, ...]]]:
    assert probe(path).problem == "", "what a run reads, data check does not call damaged"
    return [[tuple(pixel) for pixel in row] for row in decode(path).permute(1, 2, 0).tolist()]


def tagged(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


# a picture of two rows, red green / blue white, as each orientation says it is to be shown (EXIF 2.3, tag 0x0112)
SHOWN = {
    1: [[RED, GREEN], [BLUE, WHITE]],
    2: [[GREEN, RED], [WHITE, BLUE]],
    3: [[WHITE, BLUE], [GREEN, RED]],
    4: [[BLUE, WHITE], [RED, GREEN]],
    5: [[RED, BLUE], [GREEN, WHITE]],
    6: [[BLUE, RED], [WHITE, GREEN]],
    7: [[WHITE, GREEN], [BLUE, RED]],
    8: [[GREEN, WHITE], [RED, BLUE]],
}


@pytest.mark.parametrize("orientation", SHOWN)
@pytest.mark.parametrize("kind", ["png", "tiff", "webp", "jpg"])
@pytest.mark.parametrize("torchcodec", [True, False])
def test_an_orientation_tag_is_obeyed_in_every_format_by_every_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, orientation: int, kind: str, torchcodec: bool
) -> None:
    if not torchcodec:
        monkeypatch.setattr(decoders, "torchcodec_decoder", lambda: None)
    squares = np.array([[RED, GREEN], [BLUE, WHITE]], dtype=np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    path = tmp_path / f"x.{kind}"
    options = {"webp": {"lossless": True}, "jpg": {"quality": 95}}.get(kind, {})
    Image.fromarray(squares).save(path, exif=tagged(orientation), **options)
    centres = decode(path)[:, 8::16, 8::16].permute(1, 2, 0)
    wanted = torch.tensor(SHOWN[orientation], dtype=torch.uint8)
    assert (centres.int() - wanted.int()).abs().max() <= (3 if kind == "jpg" else 0)
    assert probe(path).orientation == (orientation if kind != "tiff" else probe(path).orientation)


def test_a_turned_jpeg_has_the_same_pixels_with_and_without_torchcodec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (31, 45, 3), dtype=np.uint8)
    for orientation in (*SHOWN, 0, 9):
        Image.fromarray(noise).save(tmp_path / f"{orientation}.jpg", exif=tagged(orientation))
    with_it = [decode(tmp_path / f"{orientation}.jpg") for orientation in (*SHOWN, 0, 9)]
    monkeypatch.setattr(decoders, "torchcodec_decoder", lambda: None)
    without = [decode(tmp_path / f"{orientation}.jpg") for orientation in (*SHOWN, 0, 9)]
    assert all(torch.equal(one, other) for one, other in zip(with_it, without, strict=True))
    assert with_it[5].shape == (3, 45, 31)


def test_a_record_names_the_decoder_and_its_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    said = describe(torch.device("cpu"), threads=1)
    assert (said["jpeg_decoder"], said["torchcodec"], said["pillow"]) == (
        "torchcodec",
        version("torchcodec"),
        version("pillow"),
    )
    monkeypatch.setattr(environment, "torchcodec_decoder", lambda: None)
    assert describe(torch.device("cpu"), threads=1)["jpeg_decoder"] == "pillow"


def test_an_orientation_that_only_the_xmp_packet_names_turns_nothing(tmp_path: Path) -> None:
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
    Image.new("RGB", (8, 4)).save(tmp_path / "x.jpg", xmp=packet)
    Image.new("RGB", (8, 4)).save(tmp_path / "x.webp", xmp=packet)
    assert decode(tmp_path / "x.jpg").shape == decode(tmp_path / "x.webp").shape == (3, 4, 8)


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_grey_of_16_bits_is_scaled_by_its_depth(tmp_path: Path, kind: str) -> None:
    values = np.array([[0, 2000, 32768, 60000, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / f"x.{kind}")
    # 2000 / 257 = 7.8, 32768 / 257 = 127.5, 60000 / 257 = 233.5
    assert pixels(tmp_path / f"x.{kind}") == [[(v, v, v) for v in (0, 8, 128, 233, 255)]]
    assert probe(tmp_path / f"x.{kind}").bits == 16


def test_a_transparent_grey_of_16_bits_lies_on_white(tmp_path: Path) -> None:
    values = np.array([[0, 2000, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "x.png", transparency=2000)
    assert pixels(tmp_path / "x.png") == [[(v, v, v) for v in (0, 255, 255)]]


def png(depth: int, colour: int, row: bytes, *, width: int, clear: bytes) -> bytes:
    """A PNG of one row with a transparent colour (PNG 1.2, 4.1.1 and 4.2.1.1)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", head), (b"tRNS", clear), (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_a_transparent_colour_is_meant_in_the_depth_of_the_file(tmp_path: Path) -> None:
    # four bits: 0, 15, 7, 15, of which 7 is transparent; two bits: 0 to 3, of which 1 is; 17 and 85 are their steps
    put(tmp_path / "four.png", png(4, 0, bytes([0x0F, 0x7F]), width=4, clear=struct.pack(">H", 7)))
    assert pixels(tmp_path / "four.png") == [[(v, v, v) for v in (0, 255, 255, 255)]]
    put(tmp_path / "two.png", png(2, 0, bytes([0b00011011]), width=4, clear=struct.pack(">H", 1)))
    assert pixels(tmp_path / "two.png") == [[(v, v, v) for v in (0, 255, 170, 255)]]
    # 16-bit colours, the upper byte of each counts
    row = struct.pack(">6H", 0x0102, 0x0304, 0x0506, 0x0708, 0x090A, 0x0B0C)
    put(tmp_path / "deep.png", png(16, 2, row, width=2, clear=row[:6]))
    assert pixels(tmp_path / "deep.png") == [[(255, 255, 255), (7, 9, 11)]]


def tiff(bits: int, kind: int, data: bytes, *, width: int) -> bytes:
    """A grey TIFF of one row; `kind` is 1 for whole numbers, 3 for floating point (TIFF 6.0, SampleFormat)."""
    entries = [(256, width), (257, 1), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, len(data))]
    listed = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in [*entries, (339, kind)])
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", 10) + listed + b"\0\0\0\0"


def test_grey_of_12_bits_is_scaled_by_12_bits(tmp_path: Path) -> None:
    # two samples in three bytes, 0x000 and 0xFFF, then 0x800 and 0x008: 2048 / 4095 * 255 = 127.5, 8 / 4095 * 255 = 0.5
    path = put(tmp_path / "x.tif", tiff(12, 1, bytes.fromhex("000FFF800010"), width=4))
    assert [row[0] for row in pixels(path)[0]] == [0, 255, 128, 1]


def test_one_bit_is_black_or_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "x.png")
    assert pixels(tmp_path / "x.png") == [[WHITE, (0, 0, 0)]]
    assert probe(tmp_path / "x.png").bits == 1


def test_what_is_transparent_lies_on_white_in_every_mode(tmp_path: Path) -> None:
    # a fifth of the colour and four fifths of white: 100 / 5 + 255 * 4 / 5 = 224
    Image.fromarray(np.array([[[255, 0, 0, 0], [100, 0, 255, 51], [1, 2, 3, 255]]], dtype=np.uint8)).save(
        tmp_path / "a.png"
    )
    assert pixels(tmp_path / "a.png") == [[WHITE, (224, 204, 255), (1, 2, 3)]]
    Image.fromarray(np.array([[[0, 0], [100, 51], [7, 255]]], dtype=np.uint8), "LA").save(tmp_path / "la.png")
    assert pixels(tmp_path / "la.png") == [[WHITE, (224, 224, 224), (7, 7, 7)]]
    Image.fromarray(np.array([[0, 100]], dtype=np.uint8)).save(tmp_path / "l.png", transparency=0)
    assert pixels(tmp_path / "l.png") == [[WHITE, (100, 100, 100)]]
    palette = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), "P")
    palette.putpalette([*RED, *BLUE])
    palette.save(tmp_path / "p.png", transparency=0)
    assert pixels(tmp_path / "p.png") == [[WHITE, BLUE]]
    palette.save(tmp_path / "plain.png")
    assert pixels(tmp_path / "plain.png") == [[RED, BLUE]]
    assert [probe(tmp_path / f"{name}.png").transparent for name in ("a", "la", "l", "p", "plain")] == [True] * 4 + [
        False
    ]


def test_cmyk_is_the_product_of_what_the_inks_let_through(tmp_path: Path) -> None:
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [51, 102, 204, 51]]], dtype=np.uint8)
    Image.fromarray(inks, "CMYK").save(tmp_path / "x.tif")
    # 204 * 204 / 255 = 163.2, 153 * 204 / 255 = 122.4, 51 * 204 / 255 = 40.8
    assert pixels(tmp_path / "x.tif") == [[WHITE, (0, 255, 255), (0, 0, 0), (163, 122, 41)]]


def test_lab_becomes_srgb(tmp_path: Path) -> None:
    # a* and b* are signed, 0 is grey;
    # L* of 100 is white, of 0 black; L* = 53.7 (byte 137) has a luminance of 0.217, which sRGB writes as 128
    lab = np.array([[[255, 0, 0], [0, 0, 0], [137, 0, 0]]], dtype=np.uint8)
    Image.fromarray(lab, "LAB").save(tmp_path / "x.tif")
    found = np.array(pixels(tmp_path / "x.tif"))[0]
    assert np.abs(found - [[255] * 3, [0] * 3, [128] * 3]).max() <= 1


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "tiff"])
def test_of_an_animation_the_first_frame_counts(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (2, 2), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if kind == "webp" else {}
    frames[0].save(tmp_path / f"x.{kind}", save_all=True, append_images=frames[1:], **options)
    assert pixels(tmp_path / f"x.{kind}") == [[RED, RED], [RED, RED]]
    assert probe(tmp_path / f"x.{kind}").frames == 3


def test_pixels_without_a_scale_are_refused_and_the_check_agrees(tmp_path: Path) -> None:
    for name, dtype in (("f", np.float32), ("i", np.int32)):
        Image.fromarray(np.ones((2, 2), dtype=dtype)).save(tmp_path / f"{name}.tif")
        with pytest.raises(DataError, match=f"{name}.tif.*32 bits, whose scale nobody can tell"):
            decode(tmp_path / f"{name}.tif")
        assert "32 bits" in probe(tmp_path / f"{name}.tif").problem
