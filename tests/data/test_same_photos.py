"""The same photo under several names."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_makers import jpeg, put

from clbench.data.fetch.data_verbs import check
from clbench.data.own_table.same_photos import same_photos
from clbench.data.own_table.table_file import read
from clbench.errors import DataError

ONE, OTHER = jpeg((200, 0, 0)), jpeg((0, 0, 200))


def table(folder: Path, *rows: str, **options: str):  # type: ignore[no-untyped-def]
    put(folder / "mine.csv", "\n".join(["file,split,labels,unknown", *rows]))
    return read(folder / "mine.csv", root=folder, options=options)


def test_a_photo_in_several_label_folders_is_one_photo_with_every_label(tmp_path: Path) -> None:
    for place, data in {"cat/1": ONE, "dog/x": ONE, "cat/2": OTHER, "cat/3": jpeg(), "cow/y": ONE}.items():
        put(tmp_path / f"{place}.jpg", data)
    rows = ("cat/1.jpg,train,cat,", "dog/x.jpg,train,dog,", "cat/2.jpg,train,cat;cow,", "cat/3.jpg,test,cat,dog")
    found = table(tmp_path, *rows, "cow/y.jpg,train,,cow;cat")
    assert found.labels == ("cat", "cow", "dog")
    assert found.ids.tolist() == ["cat/1.jpg", "cat/2.jpg", "cat/3.jpg"]
    # a label is there where any row says so, else unknown where any row does
    assert found.y.tolist() == [[1, -1, 1], [1, 1, 0], [1, 0, -1]]
    assert found.notes[-1].startswith("3 rows are 1 photos, byte for byte the same (cat/1.jpg and dog/x.jpg)")
    kept = table(tmp_path, *rows, duplicates="keep")
    assert kept.y.tolist() == [[1, 0, 0], [0, 0, 1], [1, 1, 0], [1, 0, -1]]


def test_a_photo_in_train_and_in_test_is_an_error_unless_it_is_allowed(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", ONE)
    put(tmp_path / "b.jpg", ONE)
    rows = ("a.jpg,train,cat,", "b.jpg,test,cat,")
    with pytest.raises(DataError, match=r"1 photos are in train and in test.* a.jpg and b.jpg") as caught:
        table(tmp_path, *rows)
    assert "duplicates=keep" in caught.value.hint
    assert not check(str(tmp_path / "mine.csv")).ok
    assert len(table(tmp_path, *rows, duplicates="keep")) == 2
    assert check(str(tmp_path / "mine.csv"), options={"duplicates": "keep"}).ok


def test_files_are_compared_whole_and_absent_or_empty_ones_are_like_nothing(tmp_path: Path) -> None:
    long = bytes(20_000)
    middle = long[:10_000] + b"x" + long[10_001:]
    for name, data in {"a": long, "b": middle, "c": long, "d": long[:-1], "e": b"", "f": b""}.items():
        put(tmp_path / name, data)
    assert same_photos(tmp_path, list("abcdefg")) == [[0, 2]]
    assert same_photos(tmp_path, ["b", "b"]) == [[0, 1]]
