"""Parquet and imagefolder as Hugging Face's `datasets` writes and reads them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_makers import put
from import_tools import imported, notes, photos, said
from PIL import Image

from clbench.data.datasets.registry import open_table
from clbench.data.importers.direct import shards_of
from clbench.errors import DataError

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def picture(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), shade, dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, names: list[str], rows: list[tuple[str | None, list[int]]], *, form: str = "List") -> None:
    """Write what `Dataset.to_parquet` of datasets 5.2.0 does: the features stand in the schema."""
    labels = {"feature": {"names": names, "_type": "ClassLabel"}, "_type": form}
    features = {"image": {"_type": "Image"}, "labels": labels, "note": {"dtype": "string", "_type": "Value"}}
    table = arrow.table(
        {
            "image": [{"bytes": picture(len(rows) * 20 + i), "path": name} for i, (name, _) in enumerate(rows)],
            "labels": arrow.array([marks for _, marks in rows], arrow.list_(arrow.int64())),
            "note": ["x"] * len(rows),
        }
    )
    info = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table.replace_schema_metadata(info), path)


@pytest.mark.parametrize("form", ["List", "Sequence"])
def test_parquet_holds_labels_and_photos(tmp_path: Path, form: str) -> None:
    home = tmp_path / "hub"
    write(
        home / "data" / "train-00000-of-00001.parquet",
        ["cat", "traffic light"],
        [("a.png", [0, 1]), (None, [])],
        form=form,
    )
    write(home / "data" / "test-00000-of-00001.parquet", ["cat", "traffic light"], [("a.png", [1])], form=form)
    done = imported(home)
    assert done.table.labels == ["cat", "traffic light"]
    assert done.table.files == [
        "images/train/a.png",
        "images/train/train-00000-of-00001_000001.png",
        "images/test/a.png",
    ]
    assert done.table.splits == ["train", "train", "test"]
    assert done.table.y.tolist() == [[1, 1], [0, 0], [0, 1]]
    said(done)
    assert Image.open(tmp_path / "out" / "images" / "test" / "a.png").getpixel((0, 0)) == (20, 20, 20)


def test_parquet_that_holds_its_photos_is_a_data_set_as_it_is(tmp_path: Path) -> None:
    home = tmp_path / "hub"
    # the first row of each file is called the same, and photos are the same where their number and the rows' agree
    write(home / "data" / "train-0.parquet", ["cat", "dog"], [("a.png", [0, 1]), (None, []), ("a.png", [1])])
    write(home / "data" / "test-0.parquet", ["cat", "dog"], [("a.png", [1])])
    table = open_table(str(home), root=home, options={})
    shards = shards_of(str(home), root=home, options={})
    assert shards is not None
    pictures = [shards.read(row) for row in table.paths.astype(np.int64).tolist()]
    assert pictures == [picture(60), picture(61), picture(62), picture(20)]
    assert table.split.tolist() == ["train", "train", "train", "test"]
    assert table.y.tolist() == [[1, 1], [0, 0], [0, 1], [0, 1]]
    assert table.digest() == open_table(str(home), root=home, options={}).digest()
    write(home / "data" / "test-0.parquet", ["cat", "dog"], [(None, [0]), (None, [0]), (None, [1])])
    with pytest.raises(DataError, match=r"3 photos are in train and in test, .*train-0.parquet: train-0_000000 and"):
        open_table(str(home), root=home, options={})


def test_class_names_in_another_order_are_read_by_name(tmp_path: Path) -> None:
    home = tmp_path / "hub"
    write(home / "train.parquet", ["cat", "dog"], [("a.png", [0]), ("b.png", [0, 1])])
    write(home / "test.parquet", ["dog", "cat"], [("c.png", [0])])
    done = imported(home)
    assert done.table.y.tolist() == [[1, 0], [1, 1], [0, 1]]
    assert "test.parquet: its class names stand in another order; they are read by name" in notes(done)
    write(home / "test.parquet", ["dog", "cow"], [("c.png", [0])])
    with pytest.raises(DataError, match=r"its class names are not those of .*train\.parquet"):
        imported(home, to=tmp_path / "two")


def test_parquet_with_numbers_and_no_names_is_refused(tmp_path: Path) -> None:
    home = photos(tmp_path / "hub", "a.jpg", "b.jpg")
    table: Any = arrow.table({"image": ["a.jpg", "b.jpg"], "labels": [[0, 2], [1]]})
    parquet.write_table(table, home / "train.parquet")
    with pytest.raises(DataError, match=r"row 0: labels \[0, 2\], expected a list of words"):
        imported(home, split=0.5)
    words: Any = arrow.table({"image": ["a.jpg", "b.jpg"], "labels": [["cat", "dog"], ["cat", "dog"]]})
    parquet.write_table(words, home / "train.parquet")
    assert sorted(said(imported(home, split=0.5)).values()) == ["test ++", "train ++"]


def test_damaged_parquet_is_one_message(tmp_path: Path) -> None:
    put(tmp_path / "x" / "train.parquet", b"PAR1 and nothing")
    with pytest.raises(DataError, match=r"train\.parquet: not readable as Parquet"):
        imported(tmp_path / "x")
    write(tmp_path / "x" / "train.parquet", ["cat"], [("a.png", [1])])
    with pytest.raises(DataError, match=r"row 0: labels \[1\], expected positions from 0 to 0"):
        imported(tmp_path / "x")


def test_imagefolder_with_jsonl_and_with_csv(tmp_path: Path) -> None:
    home = photos(tmp_path / "folder", "train/a.jpg", "train/b.jpg", "test/c.jpg")
    put(
        home / "train" / "metadata.jsonl",
        '{"file_name": "a.jpg", "labels": ["cat", "dog"]}\n'
        '{"file_name": "b.jpg", "objects": {"bbox": [], "categories": []}}\n',
    )
    put(home / "test" / "metadata.jsonl", '{"file_name": "c.jpg", "labels": "dog"}\n')
    assert said(imported(home)) == {"a.jpg": "train ++", "b.jpg": "train --", "c.jpg": "test -+"}
    put(home / "test" / "metadata.jsonl", '{"file_name": "c.jpg", "labels": [3]}\n')
    with pytest.raises(DataError, match=r"metadata.jsonl, line 1: labels \[3\], expected a list of words"):
        imported(home, to=tmp_path / "two")
    for place in home.rglob("metadata.jsonl"):
        place.unlink()
    put(home / "metadata.csv", "file_name,cat,dog\ntrain/a.jpg,1,1\ntrain/b.jpg,0,0\ntest/c.jpg,0,1\n")
    assert said(imported(home, to=tmp_path / "three")) == {
        "a.jpg": "train ++",
        "b.jpg": "train --",
        "c.jpg": "test -+",
    }


def test_one_and_zero_for_each_class_name_are_no_positions(tmp_path: Path) -> None:
    home = tmp_path / "hub"
    write(
        home / "train.parquet",
        ["cat", "dog", "cow"],
        [("a.png", [1, 0, 0]), ("b.png", [0, 1, 1]), ("c.png", [-1, 0, 1])],
    )
    with pytest.raises(DataError, match="a 1 or 0 for each class name, not positions") as caught:
        imported(home, split=0.5)
    assert "cells=onehot" in caught.value.hint
    done = imported(home, split=0.5, options={"cells": "onehot"})
    assert done.table.y.tolist() == [[1, 0, 0], [0, 1, 1], [-1, 0, 1]]


def test_a_photo_that_is_there_twice_is_one_photo_with_the_labels_of_both_rows(tmp_path: Path) -> None:
    home = tmp_path / "hub"
    write(home / "train.parquet", ["cat", "dog"], [("a.png", [0]), ("b.png", [1]), ("c.png", [1])])
    table = parquet.read_table(home / "train.parquet")
    parquet.write_table(
        arrow.concat_tables([table, table.slice(0, 1).set_column(1, "labels", table["labels"][1:2])]),
        home / "train.parquet",
    )
    done = imported(home, split=0.5)
    assert done.table.y.tolist() == [[1, 1], [0, 1], [0, 1]]
    assert "1 entries name a photo that was named before" in notes(done)


def test_a_text_of_labels_is_read_as_a_cell_of_a_table(tmp_path: Path) -> None:
    home = photos(tmp_path / "folder", "train/a.jpg", "test/b.jpg")
    # U+2028 ends a line for Python, not for JSON
    put(home / "train" / "metadata.jsonl", '{"file_name": "a.jpg", "labels": "cat, dog", "note": "x\u2028y"}\n')
    put(home / "test" / "metadata.jsonl", '{"file_name": "b.jpg", "labels": "cat"}\n')
    done = imported(home)
    assert said(done) == {"a.jpg": "train ++", "b.jpg": "test +-"}
    assert "labels are taken to be separated by commas, as in 'cat, dog'" in notes(done)
    image = arrow.array([{"bytes": picture(shade), "path": None} for shade in (1, 2)])
    parquet.write_table(arrow.table({"image": image, "labels": ["hot dog;cat", "cat"]}), tmp_path / "train.parquet")
    done = imported(tmp_path / "train.parquet", to=tmp_path / "two", split=0.5)
    assert done.table.labels == ["cat", "hot dog"] and done.table.y.tolist() == [[1, 1], [1, 0]]
    put(home / "train" / "metadata.jsonl", '{"file_name": "a.jpg", "objects": [{"category": "cat"}]}\n')
    with pytest.raises(DataError, match=r"line 1: labels \[\{'category': 'cat'\}\], expected a list of words"):
        imported(home, to=tmp_path / "three")


def test_class_labels_in_brackets_as_older_versions_write_them(tmp_path: Path) -> None:
    features = {"labels": [{"names": ["cat", "dog"], "_type": "ClassLabel"}], "image": {"_type": "Image"}}
    image = arrow.array([{"bytes": picture(shade), "path": None} for shade in (1, 2)])
    table = arrow.table({"labels": [[1], [0, 1]], "image": image})
    info = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    parquet.write_table(table.replace_schema_metadata(info), tmp_path / "old.parquet")
    done = imported(tmp_path / "old.parquet", split=0.5)
    assert done.table.labels == ["cat", "dog"] and done.table.y.tolist() == [[0, 1], [1, 1]]


def test_marks_for_each_name_are_refused_where_they_cannot_be(tmp_path: Path) -> None:
    for number, marks in enumerate(([[1, 0], [1]], [[1, 0], [2, 0]])):
        write(tmp_path / f"{number}.parquet", ["cat", "dog"], [("a.png", marks[0]), ("b.png", marks[1])])
        with pytest.raises(DataError, match="cells=onehot needs class names, and 1, 0 or -1 for each of them"):
            imported(tmp_path / f"{number}.parquet", split=0.5, options={"cells": "onehot"})
