"""Tables of features: ARFF of Mulan and MEKA, libsvm's multi-label text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_makers import put
from import_tools import imported

from clbench.data.datasets.registry import open_table
from clbench.errors import DataError

HEAD = """% traindata
@RELATION "traindata: -C -2"

@ATTRIBUTE X0 NUMERIC
@ATTRIBUTE 'X 1' NUMERIC
@ATTRIBUTE X2 NUMERIC
@ATTRIBUTE y0 {0, 1}
@ATTRIBUTE y1 {0, 1}

@DATA
"""
DENSE = HEAD + "0.5,0,1.0,1,0\n0,2.0,0,1,1\n1.0,1.0,1.0,0,1\n"
SPARSE = HEAD + "{ 0 0.5,2 1.0,3 1 }\n{ 1 2.0,3 1,4 1 }\n{ 0 1.0,1 1.0,2 1.0,4 1 }\n"
FEATURES = [[0.5, 0, 1], [0, 2, 0], [1, 1, 1]]


@pytest.mark.parametrize("text", [DENSE, SPARSE], ids=["dense", "sparse"])
def test_meka_says_which_attributes_are_the_labels(tmp_path: Path, text: str) -> None:
    # as scikit-multilearn 0.2.0 writes it
    done = imported(put(tmp_path / "data.arff", text), split=0.4)
    assert done.table.labels == ["y0", "y1"]
    assert done.table.y.tolist() == [[1, 0], [1, 1], [0, 1]]
    assert np.load(tmp_path / "out" / "features.npy").tolist() == FEATURES
    assert done.table.files == ["data/000000", "data/000001", "data/000002"]
    first = put(tmp_path / "first.arff", DENSE.replace("-C -2", "-C 1").replace("X0 NUMERIC", "X0 {0,1}"))
    with pytest.raises(DataError, match=r"first.arff, line 11: label 'X0' is '0.5', expected 0 or 1"):
        imported(first, to=tmp_path / "two", split=0.4)


def test_mulans_xml_says_which_attributes_are_the_labels(tmp_path: Path) -> None:
    home = tmp_path / "emotions"
    for split in ("train", "test"):
        put(home / f"emotions-{split}.arff", DENSE.replace(": -C -2", ""))
    labels = '<label name="y1"/><label name="y0"></label>'
    put(home / "emotions.xml", f'<labels xmlns="http://mulan.sourceforge.net/labels">{labels}</labels>')
    done = imported(home)
    assert done.table.labels == ["y1", "y0"]
    assert done.table.splits == ["train"] * 3 + ["test"] * 3
    assert done.table.y.tolist() == [[0, 1], [1, 1], [1, 0]] * 2
    assert np.load(tmp_path / "out" / "features.npy").tolist() == FEATURES * 2
    (home / "emotions.xml").unlink()
    with pytest.raises(DataError, match=r"neither emotions.xml nor -C in @relation says which attributes"):
        imported(home, to=tmp_path / "two")


def test_libsvm_lines_have_labels_or_none(tmp_path: Path) -> None:
    # as scikit-learn's dump_svmlight_file(multilabel=True) writes it: from 0, a row without labels starts blank
    text = "0 0:0.5 2:1\n0,10 1:2\n 0:1 1:1 2:1\n2 2:4\n"
    done = imported(put(tmp_path / "data.svm", text), split=0.5)
    assert done.table.labels == ["0", "2", "10"]
    assert done.table.y.tolist() == [[1, 0, 0], [1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert np.load(tmp_path / "out" / "features.npy").tolist() == [*FEATURES, [0, 0, 4]]
    assert "features count from 0" in done.notes
    one = imported(put(tmp_path / "one.svm", "1 1:5\n1 3:6 # why\n"), to=tmp_path / "one", split=0.5)
    assert one.features and np.load(one.features).tolist() == [[5, 0, 0], [0, 0, 6]]
    with pytest.raises(DataError) as caught:
        open_table(str(one.file), root=None, options={})
    assert "set the option features=features.npy" in caught.value.hint
    tabs = imported(put(tmp_path / "tabs.svm", "1,2\t1:5\n1\t3:6\n"), to=tmp_path / "tabs", split=0.5)
    assert tabs.table.y.tolist() == [[1, 1], [1, 0]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.arff", DENSE.replace("1.0,1.0,1.0,0,1", "1.0,1.0"), "line 13: 2 values for 5 attributes"),
        ("x.arff", DENSE.replace("2.0", "?"), r"line 12: feature '\?', expected a number"),
        ("x.arff", SPARSE.replace("4 1 }\n{ 0", "9 1 }\n{ 0"), "line 12: '9 1', expected a column from 0 to 4"),
        ("x.arff", HEAD, "no rows after @data"),
        ("x.arff", DENSE.replace("X0 NUMERIC", "X0 {red,blue}"), "attribute 'X0' is {red,blue}, expected numeric"),
        ("x.svm", "a 1:2\n", "line 1: labels 'a', expected whole numbers with commas"),
        ("x.svm", "1 1:2 1:3\n", "line 1: '1:3', expected INDEX:VALUE, each index once"),
        ("x.svm", "1 1:nan\n", "line 1: feature 'nan', expected a number"),
    ],
)
def test_a_malformed_table_is_one_message(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        imported(put(tmp_path / name, text), split=0.5)
    assert not (tmp_path / "out").exists()
