from __future__ import annotations

import io
import json
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from data_makers import jpeg, put, write_coco, write_nuswide, write_voc
from PIL import Image

from clbench.data.datasets import nuswide, voc
from clbench.data.datasets.nuswide_files import CONCEPTS
from clbench.data.datasets.statistics import FOLDER, id_digest
from clbench.data.fetch import check
from clbench.data.fetch.check_report import Observation
from clbench.data.fetch.data_verbs import check as run
from clbench.data.fetch.photo_probe import MAX_PIXELS, probe
from clbench.data.pictures.photo_files import photo_path
from clbench.errors import DataError, UsageError

ROWS = "file,split,labels\na.jpg,train,sky\nb.jpg,train,sea\nc.jpg,test,sky\n"


def texts(findings: list[Observation], level: str) -> list[str]:
    return [finding.text for finding in findings if finding.level == level]


def png(width: int, height: int) -> bytes:
    """A picture that claims to be large, in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def encoded(mode: str, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (8, 8)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "mode"),
    [
        (jpeg(), "RGB"),
        (encoded("L", "JPEG"), "L"),
        (encoded("CMYK", "JPEG"), "CMYK"),
        (encoded("RGBA", "PNG"), "RGBA"),
        (encoded("P", "PNG"), "P"),
        (encoded("I;16", "PNG"), "I;16"),
        (encoded("LA", "PNG"), "LA"),
    ],
)
def test_a_picture_of_any_colour_mode_can_be_used(tmp_path: Path, data: bytes, mode: str) -> None:
    found = probe(put(tmp_path / "x.jpg", data))
    assert (found.problem, found.mode, found.width, found.height) == ("", mode, 8, 8)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cannot identify"),
        (b"<html>404</html>", "cannot identify"),
        (jpeg(size=(400, 400))[:-2000], "truncated"),
        (png(12_000, 12_000), "12000 x 12000 pixels"),
        (png(60_000, 60_000), "claims more pixels"),
        (png(50, 50), "truncated|broken|incomplete"),
    ],
)
def test_a_picture_that_cannot_be_used_says_why(tmp_path: Path, data: bytes, words: str) -> None:
    assert re.search(words, probe(put(tmp_path / "x.jpg", data)).problem)
    assert MAX_PIXELS == 100_000_000


def test_a_missing_picture_is_said_to_be_missing(tmp_path: Path) -> None:
    assert probe(tmp_path / "x.jpg").problem == "it is missing"


def test_a_sound_table_is_reported_as_sound(tmp_path: Path) -> None:
    for index, name in enumerate("abc"):
        put(tmp_path / f"{name}.jpg", jpeg(color=(90 * index, 0, 0), size=(9, 9)))
    seen: list[tuple[str, int, int]] = []
    report = run(str(put(tmp_path / "mine.csv", ROWS)), progress=lambda *step: seen.append(step))
    assert report.ok
    assert texts(report.findings, "ok")[0] == "2 train and 1 test images, 2 labels"
    assert "all 3 photos can be decoded" in texts(report.findings, "ok")
    assert texts(report.findings, "warning") == ["1 labels have no positive test image"]
    assert seen[-1] == ("photos", 3, 3)


def test_damaged_odd_and_repeated_photos_are_counted(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", jpeg(size=(300, 300))[:-3000])
    put(tmp_path / "b.jpg", encoded("L", "JPEG"))
    put(tmp_path / "c.jpg", encoded("L", "JPEG"))
    report = run(str(put(tmp_path / "mine.csv", ROWS)))
    assert not report.ok
    twice, damaged = (finding for finding in report.findings if finding.level == "error")
    assert twice.text == "mine: 1 photos are in train and in test, byte for byte the same: b.jpg and c.jpg."
    assert damaged.text == "1 of 3 photos cannot be decoded"
    assert damaged.items[0].startswith("a.jpg: ")
    assert "2 photos are not RGB and are converted when they are read (2 L)" in texts(report.findings, "ok")
    assert "1 photos are byte for byte the same in train and in test" in texts(report.findings, "warning")


def test_without_decoding_no_photo_is_opened(tmp_path: Path) -> None:
    for name in "abc":
        put(tmp_path / f"{name}.jpg", f"no picture {name}")
    assert run(str(put(tmp_path / "mine.csv", ROWS)), decode=False).ok


def test_a_photo_that_is_a_link_out_of_the_folder_is_wrong(tmp_path: Path) -> None:
    outside = put(tmp_path / "outside.jpg", jpeg())
    home = tmp_path / "home"
    for name in "ab":
        put(home / f"{name}.jpg", jpeg(color=(ord(name), 0, 0)))
    (home / "c.jpg").symlink_to(outside)
    report = run(str(put(home / "mine.csv", ROWS)))
    [error] = (finding for finding in report.findings if finding.level == "error")
    assert error.items[0].startswith("c.jpg: ")


def test_a_folder_of_photos_may_be_a_link_to_another_disk(tmp_path: Path) -> None:
    put(tmp_path / "disk" / "deep" / "x.jpg", jpeg())
    home = tmp_path / "home"
    home.mkdir()
    (home / "train2014").symlink_to(tmp_path / "disk")
    assert photo_path(home, "train2014/deep/x.jpg").is_file()
    (tmp_path / "disk" / "out.jpg").symlink_to(put(tmp_path / "outside.jpg", jpeg()))
    with pytest.raises(DataError, match="leads out of the data folder"):
        photo_path(home, "train2014/out.jpg")


def test_missing_photos_do_not_hide_what_the_labels_say(tmp_path: Path) -> None:
    report = run(str(put(tmp_path / "mine.csv", ROWS)))
    assert texts(report.findings, "error") == [f"mine: 3 of 3 photos are not in {tmp_path}: a.jpg, b.jpg, c.jpg."]
    assert "2 train and 1 test images, 2 labels" in texts(report.findings, "ok")


def test_labels_that_cannot_be_read_are_one_error(tmp_path: Path) -> None:
    report = run(str(put(tmp_path / "mine.csv", "")))
    assert len(report.findings) == 1
    assert "is empty" in report.findings[0].text


def test_a_data_set_that_is_not_there_is_one_error_with_the_command() -> None:
    report = run("coco2014")
    assert [finding.hint.split(",")[0] for finding in report.findings] == ["clbench data get coco2014"]
    with pytest.raises(UsageError, match="no data set"):
        run("cocoo")


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Statistics of a small data set in place of the official ones."""
    facts: dict[str, object] = {"source": "a test", "of": "member"}
    monkeypatch.setattr(check, "known_statistics", lambda name, options: facts)
    return facts


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    return write_coco(tmp_path / "coco", train2014={1: [(1, 0)], 2: [(3, 1)]}, val2014={3: [(17, 0)]})


def statistics() -> dict[str, object]:
    return {
        "images": {"train": 2, "test": 1},
        "ids": {"train": id_digest(["000000000001", "000000000002"]), "test": id_digest(["000000000003"])},
        "labels": {"train": {"person": 1, "car": 1, "cat": 0}, "test": {"person": 0, "car": 0, "cat": 1}},
    }


def test_a_copy_that_is_the_official_one_says_so(known: dict[str, object], coco: Path) -> None:
    known |= statistics()
    report = run("coco2014", root=coco)
    assert report.ok
    said = texts(report.findings, "ok")
    assert "2 train images, as published" in said
    assert "the test images are the official ones (ids compared)" in said
    assert "all 3 labels have as many train images as published" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": {"train": 3, "test": 1}}, "2 train images, expected 3"),
        ({"ids": {"train": id_digest(["000000000001"])}}, "the train images are not the official ones (ids compared)"),
        ({"labels": {"train": {"person": 1, "car": 0, "cat": 0}}}, "1 of 3 labels have another number of train images"),
        ({"labels": {"train": {"person": 1}}}, "2 of 3 labels have another number of train images"),
    ],
)
def test_a_copy_that_differs_says_where(
    known: dict[str, object], coco: Path, change: dict[str, object], words: str
) -> None:
    known |= statistics() | change
    report = run("coco2014", root=coco)
    assert not report.ok
    assert any(text.startswith(words) for text in texts(report.findings, "error"))


def test_a_known_slack_is_granted(known: dict[str, object], coco: Path) -> None:
    known |= statistics() | {"slack": {"images": 1, "labels": {"car": 1}}}
    known["images"] = {"train": 3, "test": 1}
    known["labels"] = {"train": {"person": 1, "car": 2, "cat": 0}}
    assert run("coco2014", root=coco).ok


def test_flickr_numbers_are_compared_over_both_splits_whatever_the_layout(
    known: dict[str, object], tmp_path: Path
) -> None:
    write_nuswide(tmp_path, concepts=CONCEPTS, Train={"a/0001_11.jpg": {"sky"}}, Test={"b/0002_12.jpg": {"sky"}})
    put(tmp_path / "images" / "11.jpg", jpeg())
    put(tmp_path / "images" / "12.jpg", jpeg())
    known |= {"images": {"train": 1, "test": 1}, "numbers": {"all": id_digest(["11", "12"])}}
    report = run("nuswide-official", root=tmp_path)
    assert "the images are the official ones (numbers compared)" in texts(report.findings, "ok")
    known["numbers"] = {"all": id_digest(["11", "13"])}
    assert not run("nuswide-official", root=tmp_path).ok


def test_options_without_known_counts_are_said_to_have_none(coco: Path) -> None:
    report = run("coco2014", root=coco, options={"crowd": "drop"})
    assert "no counts to compare with are known for these options" in texts(report.findings, "warning")


def test_voc_annotations_are_compared_with_the_lists(tmp_path: Path) -> None:
    home = write_voc(
        tmp_path, labels=voc.LABELS, trainval={"1": {"dog": 1}, "2": {"cat": 0}}, test={"3": {"dog": 1, "sofa": 0}}
    )
    said = texts(run("voc2007", root=tmp_path).findings, "ok")
    assert "trainval: the XML annotations of 2 images agree with ImageSets/Main" in said
    put(home / "Annotations" / "2.xml", (home / "Annotations" / "1.xml").read_text())
    errors = {f.text: f.items for f in run("voc2007", root=tmp_path).findings if f.level == "error"}
    assert errors["trainval: the XML annotations disagree with ImageSets/Main 2 times"] == ("2: cat", "2: dog")
    (home / "Annotations" / "3.xml").unlink()
    assert any("3.xml cannot be read" in text for text in texts(run("voc2007", root=tmp_path).findings, "error"))


@pytest.mark.realdata
def test_the_committed_counts_are_those_of_the_real_label_matrices(realdata: Path) -> None:
    names = ("coco2014", "voc2007", "nuswide-official", "peta")
    facts = {name: json.loads((FOLDER / f"{name}.json").read_text()) for name in names}
    z = np.load(realdata / "labels_coco14" / "coco14_multilabel.npz")
    train = np.unpackbits(z["train_labels"], axis=1)[:, :80]
    assert facts["coco2014"]["labels"]["train"] == dict(zip(z["classes"].tolist(), train.sum(0).tolist(), strict=True))
    assert facts["coco2014"]["ids"]["train"] == id_digest([name[-16:-4] for name in z["train_names"].tolist()])
    v = np.load(realdata / "labels_voc07" / "voc07_multilabel.npz")
    counts = (v["trainval_labels"] == 1).sum(0).tolist()
    assert facts["voc2007"]["labels"]["train"] == dict(zip(v["classes"].tolist(), counts, strict=True))
    n = np.load(realdata / "labels_nuswide81" / "nuswide81_multilabel.npz")
    counts = np.unpackbits(n["labels_rows"], axis=1)[:, :81].sum(0).tolist()
    assert facts["nuswide-official"]["labels"]["all"] == dict(zip(nuswide.CONCEPTS, counts, strict=True))
    p = np.load(realdata / "labels_pedestrian" / "peta19000.npz")
    assert facts["peta"]["labels"]["all"] == dict(
        zip(p["attributes"].tolist(), p["labels"].sum(0).tolist(), strict=True)
    )
