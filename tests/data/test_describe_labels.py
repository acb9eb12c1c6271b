"""What check and show say of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_makers import put
from PIL import Image

from clbench.data.fetch.data_verbs import check
from clbench.data.fetch.describe_labels import label_lines, summary
from clbench.data.fetch.photo_probe import glance, probe
from clbench.data.table import LabelTable, from_arrays


def table(counts: list[int]) -> LabelTable:
    """Label k has counts[k] train images and one test image."""
    rows = max(counts)
    y = np.array([[int(row < count) for count in counts] for row in range(rows)] + [[1] * len(counts)])
    labels = [f"l{k:02d}" for k in range(len(counts))]
    return from_arrays("x", labels=labels, y=y, split=["train"] * rows + ["test"])


def test_all_labels_up_to_forty_are_listed_else_the_first_and_the_rarest() -> None:
    [(what, listed)] = label_lines(table([3] * 40))
    assert what == "labels (train + test images)" and listed.count("3+1") == 40
    first, rarest = label_lines(table([*range(1, 42)]))
    assert first[1].startswith("l00 1+1, l01 2+1") and first[1].endswith("l19 20+1")
    assert rarest == ("the rarest", first[1])
    first, rarest = label_lines(table([*range(41, 0, -1)]))
    assert first[1].startswith("l00 41+1") and rarest[1].startswith("l40 1+1, l39 2+1")


def test_images_without_a_label_and_unknown_entries_are_counted() -> None:
    y = [[0, 0], [1, -1], [0, -1], [1, 1]]
    said = summary(from_arrays("x", labels=["a", "b"], y=y, split=["train", "train", "train", "test"]))
    assert said == ["2 of 3 train images have no label", "4 of 6 train entries are known, 2 are not"]


def test_sizes_depths_and_orientation_tags_are_told(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg", exif=exif)
    Image.fromarray(np.ones((8, 4), dtype=np.uint16)).save(tmp_path / "b.png")
    Image.new("RGBA", (10, 10)).save(tmp_path / "c.png")
    put(tmp_path / "mine.csv", "file,split,labels\na.jpg,train,sky\nb.png,train,sea\nc.png,test,sky\n")
    said = [finding.text for finding in check(str(tmp_path / "mine.csv")).findings]
    for wanted in (
        "labels (train + test images): sea 1+0, sky 1+1",
        "sizes from 4 x 8 to 40 x 30, the middle one 10 x 10",
        "1 photos have another depth than 8 bits and are scaled (1 of 16 bits)",
        "1 photos have an orientation tag and are turned when they are read (1 with tag 6)",
        "1 photos can be transparent and lie on white (1 RGBA)",
    ):
        assert wanted in said


@pytest.mark.parametrize("name", ["a.jpg", "b.png", "c.tif", "d.gif"])
def test_a_glance_says_what_a_full_look_says(tmp_path: Path, name: str) -> None:
    Image.new("L", (9, 5), 7).save(tmp_path / name)
    full = probe(tmp_path / name)
    short = glance(tmp_path / name)
    assert (short.width, short.height, short.mode, short.bits) == (full.width, full.height, full.mode, full.bits)
    put(tmp_path / "no.jpg", "nothing")
    assert glance(tmp_path / "no.jpg").width == 0
