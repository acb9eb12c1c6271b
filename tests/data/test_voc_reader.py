from __future__ import annotations

from pathlib import Path

import pytest
from data_makers import put, write_voc

from clbench.data.datasets import voc, voc_xml
from clbench.errors import DataError

TRAIN = {"000005": {"chair": 1}, "000007": {"car": 1, "person": 0}, "000009": {"dog": 0}}
TEST = {"000001": {"dog": 1, "person": 1}, "000002": {"train": 1}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_voc(tmp_path / "VOCdevkit" / "VOC2007", labels=voc.LABELS, trainval=TRAIN, test=TEST)
    return tmp_path


def read(root: Path, name: str = "voc2007", **options: str) -> voc.LabelTable:
    return voc.read(root, name=name, options=options)


def of(table: voc.LabelTable, image: str, label: str) -> tuple[int, bool]:
    row, column = table.ids.tolist().index(image), table.labels.index(label)
    return int(table.y[row, column]), bool(table.member[row, column])


def test_the_official_lists_become_the_table(root: Path) -> None:
    table = read(root)
    assert table.ids.tolist() == [*TRAIN, *TEST]
    assert table.split.tolist() == ["train"] * 3 + ["test"] * 2
    assert table.paths.tolist()[0] == "VOCdevkit/VOC2007/JPEGImages/000005.jpg"
    assert of(table, "000005", "chair") == (1, True)
    assert of(table, "000005", "dog") == (0, False)
    assert table.revision == "voc2007 difficult=negative"


@pytest.mark.parametrize(
    ("difficult", "mark"), [("negative", (0, False)), ("ignore", (-1, False)), ("positive", (1, True))]
)
def test_a_label_with_only_difficult_objects_is_what_the_option_says(
    root: Path, difficult: str, mark: tuple[int, bool]
) -> None:
    table = read(root, difficult=difficult)
    assert of(table, "000007", "person") == mark
    assert of(table, "000007", "car") == (1, True)


@pytest.mark.parametrize("place", ["VOCdevkit/VOC2007", "VOC2007", "."])
def test_the_folder_may_be_the_devkit_or_what_is_in_it(tmp_path: Path, place: str) -> None:
    write_voc(tmp_path / place, labels=voc.LABELS, trainval=TRAIN, test=TEST)
    prefix = "" if place == "." else f"{place}/"
    assert read(tmp_path).paths.tolist()[0] == f"{prefix}JPEGImages/000005.jpg"


def test_voc_2012_takes_train_and_val_for_its_test_labels_are_not_public(tmp_path: Path) -> None:
    write_voc(tmp_path / "VOC2012", labels=voc.LABELS, train=TRAIN, val=TEST)
    table = read(tmp_path, name="voc2012")
    assert table.split.tolist() == ["train"] * 3 + ["test"] * 2


def test_a_folder_without_lists_is_an_error_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no ImageSets/Main") as caught:
        read(tmp_path)
    assert caught.value.hint == "clbench data get voc2007"


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("chair_trainval.txt", None, "chair_trainval.txt is missing"),
        ("chair_trainval.txt", "", "chair_trainval.txt is empty"),
        ("chair_trainval.txt", "000005  1\n", "does not list the images of trainval.txt"),
        ("chair_trainval.txt", "000005  1\n000007 -1\n000009 -1\n000009 -1\n", "does not list the images"),
        (
            "chair_trainval.txt",
            "000005  2\n000007 -1\n000009 -1\n",
            "line 1: '000005  2', expected an id and 1, 0 or -1",
        ),
        ("chair_trainval.txt", "000005\n000007 -1\n000009 -1\n", "line 1: '000005', expected an id and"),
        ("chair_trainval.txt", "000005 1\0\n", "NUL byte"),
        ("trainval.txt", "000005\n000007\n000011\n", "does not list the images"),
        ("test.txt", "\n\n", "test.txt is empty"),
    ],
)
def test_a_damaged_list_is_named_with_its_line(root: Path, file: str, text: str | None, words: str) -> None:
    path = root / "VOCdevkit/VOC2007/ImageSets/Main" / file
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(DataError, match=words):
        read(root)


def test_text_in_another_encoding_is_named_with_its_line(root: Path) -> None:
    path = root / "VOCdevkit/VOC2007/ImageSets/Main/chair_trainval.txt"
    path.write_bytes(b"000005  1\n00000\xe9 -1\n")
    with pytest.raises(DataError, match="line 2: byte 0xe9 is not UTF-8"):
        read(root)
    path.write_bytes("000005  1\n".encode("utf-16"))
    with pytest.raises(DataError, match="is UTF-16"):
        read(root)


def test_a_missing_photo_is_counted(root: Path) -> None:
    (root / "VOCdevkit/VOC2007/JPEGImages/000002.jpg").unlink()
    with pytest.raises(DataError, match="1 of 5 photos are not in"):
        read(root)


def test_the_annotations_say_what_the_lists_say(root: Path) -> None:
    home = voc.find_home(root, name="voc2007")
    ids, marks = voc.read_lists(home, part="trainval", name="voc2007")
    assert (voc_xml.marks(home, ids, name="voc2007") == marks).all()


def test_an_object_beats_a_difficult_one_of_the_same_label(tmp_path: Path) -> None:
    one = "<object><name>dog</name><difficult>{}</difficult></object>"
    put(tmp_path / "Annotations" / "1.xml", f"<annotation>{one.format(1)}{one.format(0)}</annotation>")
    put(tmp_path / "Annotations" / "2.xml", f"<annotation>{one.format(1)}</annotation>")
    found = voc_xml.marks(tmp_path, ["1", "2"], name="voc2007")
    assert found[:, voc.LABELS.index("dog")].tolist() == [1, 0]
    assert found.sum() == 1 + 0 - 19 * 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<annotation><object>", "not a VOC annotation"),
        ("", "not a VOC annotation"),
        ('<!DOCTYPE a [<!ENTITY x "boom">]><annotation>&x;</annotation>', "declares an entity"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation/>', "declares an entity"),
        ("<annotation><object><difficult>0</difficult></object></annotation>", "an object has name ''"),
        ("<annotation><object><name>dog</name><difficult>x</difficult></object></annotation>", "difficult 'x'"),
        ("<annotation><object><name>unicorn</name></object></annotation>", "'unicorn' is none of the 20 labels"),
    ],
)
def test_an_annotation_that_is_damaged_or_malicious_is_refused(tmp_path: Path, text: str, words: str) -> None:
    put(tmp_path / "Annotations" / "1.xml", text)
    with pytest.raises(DataError, match=words):
        voc_xml.marks(tmp_path, ["1"], name="voc2007")
