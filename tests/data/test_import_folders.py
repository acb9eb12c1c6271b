"""Exports as folders and XML: CVAT, VOC, YOLO, a folder per label, and where the photos lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_makers import put
from import_tools import imported, notes, photos, said

from clbench.errors import DataError

CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><labels>
<label><name>cat</name></label><label><name>dog</name></label><label><name>cow</name></label></labels></task></meta>
<image id="0" name="a.jpg" subset="{split}" width="8" height="8"><tag label="cat" source="manual"></tag>
<box label="dog" occluded="0" xtl="1" ytl="1" xbr="2" ybr="2"></box></image>
<image id="1" name="sub/b.jpg" subset="test" width="8" height="8"><polygon label="dog" points="1,1;2,2;3,1"/></image>
</annotations>
"""


def test_cvats_tags_and_shapes_are_labels(tmp_path: Path) -> None:
    home = photos(tmp_path / "cvat", "images/a.jpg", "images/sub/b.jpg")
    put(home / "annotations.xml", CVAT.format(split="Train"))
    done = imported(home)
    assert said(done) == {"a.jpg": "train ++", "b.jpg": "test -+"}
    assert "labels that no photo has are left out: cow" in notes(done)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CVAT.replace("</annotations>", ""), "is not XML that can be read: no element found"),
        (CVAT.replace('tag label="cat"', 'tag label="kat"'), "image 0: the label 'kat' is not in <labels>"),
        (CVAT.replace('name="a.jpg"', ""), "image 0 has no name"),
        (CVAT.replace("<meta>", '<track id="0" label="cat"></track><meta>'), "it holds tracks of a video"),
        (
            CVAT.replace("<annotations>", '<!DOCTYPE a [<!ENTITY x "xx">]><annotations>').replace(">cow<", ">&x;<"),
            "it declares an entity",
        ),
    ],
)
def test_malformed_or_unsafe_xml_is_one_message(tmp_path: Path, text: str, message: str) -> None:
    home = photos(tmp_path / "cvat", "a.jpg", "sub/b.jpg")
    put(home / "annotations.xml", text.format(split="train"))
    with pytest.raises(DataError, match=message) as error:
        imported(home)
    assert str(home / "annotations.xml") in error.value.message
    assert not (tmp_path / "out").exists()


def voc(name: str, *objects: tuple[str, str]) -> str:
    nodes = "".join(
        f"<object><name>{label}</name><difficult>{hard}</difficult><part><name>head</name></part></object>"
        for label, hard in objects
    )
    return f"<annotation><folder></folder><filename>{name}</filename>{nodes}</annotation>"


def test_voc_xml_with_labels_of_ones_own(tmp_path: Path) -> None:
    home = photos(tmp_path / "voc", *(f"JPEGImages/{name}.jpg" for name in "abcd"))
    put(home / "Annotations" / "a.xml", voc("a.jpg", ("scratch", "0"), ("dent", "0"), ("dent", "1")))
    put(home / "Annotations" / "b.xml", voc("b.jpg", ("dent", "1")))
    put(home / "Annotations" / "c.xml", voc("c.jpg", ("dent", "0")))
    put(home / "ImageSets" / "Main" / "train.txt", "a\nb\n")
    put(home / "ImageSets" / "Main" / "test.txt", "c\nd\n")  # d has no XML: Datumaro leaves it out
    done = imported(home)
    assert done.table.labels == ["dent", "scratch"]
    assert said(done) == {"a.jpg": "train ++", "b.jpg": "train ?-", "c.jpg": "test +-", "d.jpg": "test --"}
    assert "labels with difficult objects only are unknown (2 such objects)" in notes(done)
    assert "1 listed photos have no XML and count as having no label" in notes(done)
    sure = imported(home, to=tmp_path / "two", options={"difficult": "present"})
    assert said(sure)["b.jpg"] == "train +-"


def test_voc_xml_beside_its_photos_takes_the_split_of_the_folder(tmp_path: Path) -> None:
    home = photos(tmp_path / "rf", "train/a.jpg", "test/b.jpg")
    put(home / "train" / "a.xml", voc("a.jpg", ("dent", "0")))
    put(home / "test" / "b.xml", voc("b.jpg", ("dent", "Unspecified")))
    assert said(imported(home)) == {"a.jpg": "train +", "b.jpg": "test +"}
    put(home / "test" / "b.xml", voc("b.jpg", ("", "0")))
    with pytest.raises(DataError, match=r"b.xml: object 0 has name '' and difficult '0'"):
        imported(home, to=tmp_path / "two")


def test_voc_lists_leave_what_they_do_not_list_unknown(tmp_path: Path) -> None:
    home = photos(tmp_path / "voc", *(f"JPEGImages/{name}.jpg" for name in "abcd"))
    main = home / "ImageSets" / "Main"
    put(main / "train.txt", "a\nb\n")
    put(main / "test.txt", "c\nd\n")
    put(main / "traffic light_train.txt", "a  1\nb -1\n")
    put(main / "traffic light_test.txt", "c  0\n")
    put(main / "cat_train.txt", "a -1\nb  1\n")
    put(main / "cat_test.txt", "c  1\n")  # d is in no list, as Datumaro writes photos without labels
    done = imported(home)
    assert done.table.labels == ["cat", "traffic light"]
    assert said(done) == {"a.jpg": "train -+", "b.jpg": "train +-", "c.jpg": "test +?"}
    assert "2 marks that the lists leave out are unknown" in notes(done)
    assert "1 photos of which no label is known are left out" in notes(done)
    absent = imported(home, to=tmp_path / "two", options={"unlisted": "absent", "difficult": "absent"})
    assert said(absent)["d.jpg"] == "test --" and said(absent)["c.jpg"] == "test +-"
    put(main / "cat_test.txt", "c 2\n")
    with pytest.raises(DataError, match=r"cat_test\.txt, line 1: 'c 2', expected an image and 1, 0 or -1"):
        imported(home, to=tmp_path / "three")


@pytest.mark.parametrize("names", ["names: [cat, dog]", "names: {0: cat, 1: dog}", "names:\n- cat\n- dog"])
def test_yolo_takes_a_photo_without_a_text_for_one_without_labels(tmp_path: Path, names: str) -> None:
    home = photos(tmp_path / "yolo", "train/images/a.jpg", "train/images/b.jpg", "test/images/c.jpg")
    put(home / "data.yaml", f"train: ../train/images\nnc: 2\n{names}\n")
    put(home / "train" / "labels" / "a.txt", "0 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.1 0.1\n0 0.1 0.1 0.1 0.1\n")
    put(home / "test" / "labels" / "c.txt", "1 0.1 0.1 0.2 0.1 0.2 0.2\n")
    done = imported(home)
    assert said(done) == {"a.jpg": "train ++", "b.jpg": "train --", "c.jpg": "test -+"}
    assert "1 photos have no text file and count as having none of the labels" in notes(done)
    put(home / "test" / "labels" / "c.txt", "\n2 0.1 0.1 0.2 0.1\n")
    with pytest.raises(DataError, match=r"c.txt, line 2: '2 0.1 0.1 0.2 0.1', expected a class below 2 and a box"):
        imported(home, to=tmp_path / "two")


def test_yolo_names_that_yaml_takes_for_something_else_are_refused(tmp_path: Path) -> None:
    home = photos(tmp_path / "yolo", "images/a.jpg")
    put(home / "data.yaml", "names: [cat, no]\n")
    put(home / "labels" / "a.txt", "0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(DataError, match=r"data.yaml: names: \['cat', False\], expected a list of label names"):
        imported(home, split=0.5)


def test_yolo_text_beside_the_photos_with_a_list_of_names(tmp_path: Path) -> None:
    home = photos(tmp_path / "yolo", "obj_train_data/a.jpg", "obj_test_data/b.jpg")
    put(home / "obj.names", "cat\ndog\n")
    put(home / "obj_train_data" / "a.txt", "1 0.5 0.5 0.1 0.1\n")
    put(home / "obj_test_data" / "b.txt", "0 0.5 0.5 0.1 0.1\n")
    assert said(imported(home)) == {"a.jpg": "train -+", "b.jpg": "test +-"}


def test_equal_photos_in_several_label_folders_are_one_with_all_labels(tmp_path: Path) -> None:
    home = photos(tmp_path / "pets", "train/cat/a.jpg", "train/dog/b.jpg", "test/cat/c.jpg")
    put(home / "train" / "dog" / "copy.jpg", (home / "train" / "cat" / "a.jpg").read_bytes())
    done = imported(home)
    assert said(done) == {"a.jpg": "train ++", "b.jpg": "train -+", "c.jpg": "test +-"}
    assert "one photo, byte for byte: train/cat/a.jpg, train/dog/copy.jpg" in notes(done)
    put(home / "test" / "dog" / "leak.jpg", (home / "train" / "cat" / "a.jpg").read_bytes())
    with pytest.raises(DataError, match=r"train/cat/a.jpg: the same photo as .*leak.jpg, in another split"):
        imported(home, to=tmp_path / "two")


def test_a_folder_called_train_beside_other_labels_is_a_label(tmp_path: Path) -> None:
    home = photos(tmp_path / "rails", "train/a.jpg", "train/b.jpg", "bus/c.jpg", "bus/d.jpg")
    assert imported(home, split=0.5).table.labels == ["bus", "train"]
    split = photos(tmp_path / "none", "train/a.jpg", "test/b.jpg")
    with pytest.raises(DataError, match="no export in a form that is known"):
        imported(split, to=tmp_path / "x")


def test_photos_elsewhere_are_linked_or_copied(tmp_path: Path) -> None:
    home = photos(tmp_path / "pets", "cat/a.jpg", "cat/b.jpg", "dog/c.jpg", "dog/d.jpg")
    linked = imported(home, split=0.5)
    assert (tmp_path / "out" / "photos").is_symlink()
    assert linked.table.files[0].startswith("photos/cat/")
    copied = imported(home, to=tmp_path / "copy", split=0.5, copy=True)
    assert not (tmp_path / "copy" / "photos").is_symlink()
    assert said(copied) == said(linked)
    inside = imported(home, to=home, split=0.5)
    assert inside.table.files == inside.table.ids and not (home / "photos").exists()
    put(tmp_path / "full" / "photos" / "x.txt", "mine")
    with pytest.raises(DataError, match=r"photos is there already"):
        imported(home, to=tmp_path / "full", split=0.5)
    assert not (tmp_path / "full" / "labels.csv").exists()


def test_labels_with_bars_and_commas_read_back_as_they_are(tmp_path: Path) -> None:
    home = photos(tmp_path / "pets", "train/cat | tabby/a.jpg", "train/dog, big/b.jpg", "test/dog, big/c.jpg")
    done = imported(home)
    assert done.table.labels == ["cat | tabby", "dog, big"]
    assert said(done) == {"a.jpg": "train +-", "b.jpg": "train -+", "c.jpg": "test -+"}
    (home / "train" / "dog, big").rename(home / "train" / "a;b")
    with pytest.raises(DataError, match=r"the label 'a;b' holds a ';'"):
        imported(home, to=tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_a_folder_in_no_form_names_the_forms(tmp_path: Path) -> None:
    home = photos(tmp_path / "x", "a.jpg")
    with pytest.raises(DataError, match="no export in a form that is known") as error:
        imported(home)
    assert "coco" in error.value.hint and "libsvm" in error.value.hint
    with pytest.raises(DataError, match="there is no such file or folder"):
        imported(tmp_path / "y")


def test_two_photos_with_one_yolo_text_are_refused(tmp_path: Path) -> None:
    home = photos(tmp_path / "yolo", "images/train/a.jpg", "images/train/a.png")
    put(home / "classes.txt", "cat\n")
    put(home / "labels" / "train" / "a.txt", "0 .5 .5 .1 .1\n")
    with pytest.raises(DataError, match=r"a\.png: a\.jpg has the same text file"):
        imported(home, split=0.5)
