"""Tars of WebDataset's form, with labels in them: used as they are, and imported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from import_tools import imported
from shard_makers import write_tar

from clbench.data.datasets.registry import open_table
from clbench.data.importers.direct import shards_of
from clbench.errors import DataError


def told(*labels: object, **fields: object) -> bytes:
    return json.dumps({"labels": list(labels), **fields}).encode()


TRAIN = {"a.jpg": b"A", "a.json": told("cat", "dog"), "b.png": b"B", "b.json": told("dog", unknown=["cat"])}
TEST = {"c.json": told("cat"), "c.jpg": b"C"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    write_tar(tmp_path / "own" / "train-0.tar", TRAIN)
    write_tar(tmp_path / "own" / "test-0.tar", TEST)
    return tmp_path / "own"


def opened(home: Path, **options: str) -> tuple[dict[str, tuple[str, list[int]]], tuple[str, ...]]:
    """Return split and marks of each picture, by its bytes, and the labels."""
    table = open_table(str(home), root=home, options=options)
    shards = shards_of(str(home), root=home, options=options)
    assert shards is not None
    rows = zip(table.paths.astype(np.int64).tolist(), table.split.tolist(), table.y.tolist(), strict=True)
    return {shards.read(row).decode(): (split, y) for row, split, y in rows}, table.labels


def test_a_folder_of_tars_is_a_data_set(home: Path) -> None:
    found, labels = opened(home)
    assert labels == ("cat", "dog")
    assert found == {"A": ("train", [1, 1]), "B": ("train", [-1, 1]), "C": ("test", [1, 0])}


def test_labels_are_numbers_names_or_texts(home: Path) -> None:
    write_tar(home / "train-0.tar", {"a.jpg": b"A", "a.cls": b"1\n", "b.jpg": b"B", "b.cls": b"0;1"})
    write_tar(home / "test-0.tar", {"c.jpg": b"C", "c.json": b'{"tags": 1}', "c.cls": b"0", "c.txt": b"a caption"})
    (home / "classes.json").write_text('["cat", "dog"]')
    found, labels = opened(home)
    assert labels == ("cat", "dog")
    assert found == {"A": ("train", [0, 1]), "B": ("train", [1, 1]), "C": ("test", [1, 0])}
    write_tar(home / "train-0.tar", {"a.jpg": b"A", "a.json": b'{"tags": [0, 1], "split": "train"}'})
    write_tar(home / "test-0.tar", {"c.jpg": b"C", "c.json": b'{"tags": 1, "split": "train"}'})
    assert opened(home, labels="tags")[0] == {"A": ("train", [1, 1]), "C": ("test", [0, 1])}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"d.jpg": b"D"} | TEST, "the key 'd' has a photo and no labels"),
        ({"d.json": told("cat")} | TEST, "the key 'd' has labels and no photo"),
        ({"d.jpg": b"D", "d.json": b'{"tags": []}'}, r"d.json has no field 'labels' \(found: tags\)"),
        ({"d.jpg": b"D", "d.json": b'{"labels": [1.5]}'}, "labels: '1.5' is no label"),
        ({"d.jpg": b"D", "d.json": b'{"labels'}, "d.json: "),
        ({"d.jpg": b"D", "d.json": b" " * (1 << 20) + b"{}"}, "labels of a photo take at most"),
        ({"a.jpg": b"D", "a.json": told("cat")}, "the key 'a' is there twice: .*train-0.tar: a.jpg, and .*test-0.tar"),
    ],
)
def test_what_does_not_fit_together_is_one_message(home: Path, members: dict[str, bytes], message: str) -> None:
    write_tar(home / "test-0.tar", members)
    with pytest.raises(DataError, match=message):
        opened(home)


def test_a_cut_tar_is_named(home: Path) -> None:
    for name in ("test-0.tar", "train-0.tar"):
        whole = (home / name).read_bytes()
        (home / name).write_bytes(whole[:1300])
        with pytest.raises(DataError, match=rf"{name}: cut, or not a tar archive"):
            opened(home)
        (home / name).write_bytes(whole)


def test_an_import_leaves_the_photos_in_their_shards(home: Path, tmp_path: Path) -> None:
    done = imported(home, to=tmp_path / "table")
    assert sorted(path.name for path in (tmp_path / "table").iterdir()) == [
        "import-report.md",
        "labels.classes.json",
        "labels.csv",
    ]
    (option,) = [note.partition("'")[2].rstrip("'}") for note in done.notes if "stay in their shards" in note]
    assert option == "../own/*.tar"
    table = open_table(str(done.file), root=None, options={"shards": option})
    shards = shards_of(str(done.file), root=tmp_path / "table", options={"shards": option})
    assert shards is not None
    pictures = [shards.read(row) for row in table.paths.astype(np.int64).tolist()]
    assert dict(zip(table.ids.tolist(), pictures, strict=True)) == {"a.jpg": b"A", "b.png": b"B", "c.jpg": b"C"}
