"""Readers of files from strangers: whatever the bytes, a value or a ClbenchError, soon, and nothing written."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from record_factory import TINY, make_record, make_scored

from clbench.data.datasets.coco import read_instances
from clbench.data.datasets.matlab import MatFile
from clbench.data.datasets.nuswide_files import read_split_file
from clbench.data.datasets.voc import LABELS, read_lists
from clbench.data.datasets.voc_xml import objects
from clbench.data.own_table.csv_file import read_csv
from clbench.data.own_table.npz_and_json import read_json, read_npz
from clbench.data.own_table.table_file import read as read_table
from clbench.errors import ClbenchError, DataError
from clbench.many.sweep_file import load_sweep
from clbench.plan.catalog import strategies
from clbench.plan.plans import plan
from clbench.records.record import parse_record, to_plain, to_text
from clbench.records.verify.verify import verify, verify_scores
from clbench.spec.scenario import parse_scenario
from clbench.stream.published_lists import read_lists as read_published
from clbench.train.resume import state as states

EXAMPLES = int(os.environ.get("CLBENCH_FUZZ", "40"))
"""A quick look by default; a thousand take minutes."""
# what hangs is ended by the time limit of all tests; a limit per example would fail on a busy machine
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

SCENARIO = Path(__file__).parents[2] / "scenarios" / "tiny.yaml"
RECORD = to_plain(make_record(layout=TINY))
INSTANCES = {
    "images": [{"id": 1, "file_name": "a.jpg", "split": "train"}, {"id": 2, "file_name": "b.jpg", "split": "test"}],
    "annotations": [
        {"image_id": 1, "category_id": 5, "iscrowd": 0},
        {"image_id": 2, "category_id": 5, "iscrowd": 1, "segmentation": {"counts": [1, 2], "size": [3, 4]}},
    ],
    "categories": [{"id": 5, "name": "cat"}],
}
XML = """<?xml version="1.0"?><annotation><object><name>cat</name><difficult>0</difficult>
<part><name>head</name></part></object><object><name>dog</name><difficult>1</difficult></object></annotation>"""
OWN = {"val": "refuse", "separator": "auto", "cells": "auto", "rows": "image", "crowd": "membership"}
CSV = 'file,split,labels,unknown\na.jpg,train,"cat;dog",\nb.jpg,test,cat,dog\n'

SWEEP = {
    "scenarios": ["tiny"],
    "strategies": ["er"],
    "seeds": [0],
    "set": {"train.epochs": 1},
    "grid": {"er.memory": [10, 20]},
    "data": {"voc2007": "/data"},
}
STRATEGY = '"""A file."""\n\nfrom clbench import Strategy\n\n\nclass OddOne(Strategy):\n    """Says so."""\n'

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["..", "../x", "/etc/passwd", "", "\x00", "a\n", "1e999", "scenes", "naive", "shuffle:x"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from places(child, (*path, key))


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """A valid value with up to three parts replaced, taken out, or given twice."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(value))
        if not found:
            break
        *above, key = draw(st.sampled_from(found))
        holder = value
        for step in above:
            holder = holder[step]
        action = draw(st.sampled_from(["replace", "replace", "remove", "repeat", "add"]))
        if action == "replace":
            holder[key] = draw(plain)
        elif action == "remove":
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]) if action == "repeat" else draw(plain))
        else:
            holder[draw(st.text(max_size=6))] = draw(plain)
    return value


@st.composite
def damaged(draw: st.DrawFn, text: bytes) -> bytes:
    """Bytes with a stretch cut out, overwritten, or repeated."""
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 40)))
    middle = draw(
        st.binary(max_size=12) | st.just(text[start:end] * 3) | st.sampled_from([b"[" * 300, b"{", b'"', b"\xff"])
    )
    return text[:start] + middle + text[end:]


@pytest.fixture(autouse=True)
def an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield
    assert not list(folder.iterdir()), "reading has written something"


def survives(read: Callable[[], object]) -> None:
    try:
        read()
    except ClbenchError as error:
        told = str(error)
        assert told and "Traceback" not in told and len(told) < 3000


# ---------------------------------------------------------------------- scenarios


@FUZZ
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
@example(b"!!timestamp x")
@example(b"? [a]\n: b")
@example(b"- " * 5000)
@example(b"a: 0x_\nb: 1_\nc: ._\nd: 190:20:30.15")
def test_any_bytes_as_a_scenario(text: bytes) -> None:
    survives(lambda: parse_scenario(text, source="x.yaml"))


@FUZZ
@given(changed(yaml.safe_load(SCENARIO.read_bytes())))
def test_changed_scenarios(value: Any) -> None:
    survives(lambda: parse_scenario(json.dumps(value), source="x.yaml"))


@FUZZ
@given(damaged(SCENARIO.read_bytes()))
def test_damaged_scenarios(text: bytes) -> None:
    survives(lambda: parse_scenario(text, source="x.yaml"))


# ---------------------------------------------------------------------- sweeps and the command line


@FUZZ
@given(changed(SWEEP).map(lambda value: json.dumps(value).encode()) | damaged(json.dumps(SWEEP).encode()))
@example(b"scenarios: [tiny]\nset: {train.epochs: !!python/name:os.system }")
def test_sweep_files(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_bytes(text)
    survives(lambda: load_sweep(path))


@FUZZ
@given(
    st.sampled_from(["train.lr", "train.epochs", "head", "head_options", "head_options.d", "memory", "er.memory", "x"]),
    st.text(max_size=40)
    | damaged(b"{a: [1, 2e-3], b: null}").map(lambda text: text.decode("utf-8", "replace"))
    | plain.map(json.dumps),
)
@example("train.epochs", "[" * 5000)
@example("train.epochs", "9" * 5000)
@example("head_options", "&a [*a]")
def test_values_on_the_command_line(name: str, value: str) -> None:
    survives(lambda: plan("tiny", strategies=["er"], sets=[f"{name}={value}"]))


@FUZZ
@given(st.binary(max_size=200) | damaged(STRATEGY.encode()))
@example(b"class A:\n" + b" (" * 5000)
@example(b"# coding: utf-42\nclass A: pass")
@example(b"x = " + b"-" * 100_000 + b"1")
def test_strategy_files_that_are_listed(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "strategies").mkdir(exist_ok=True)
    (tmp_path / "strategies" / "odd_one.py").write_bytes(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLBENCH_PATH", str(tmp_path))
        (entry,) = [entry for entry in strategies() if entry.name == "odd_one"]
    assert "\n" not in entry.title + entry.problem


# ---------------------------------------------------------------------- records


def read_and_verify(text: bytes, folder: Path) -> None:
    survives(lambda: parse_record(text, source="seed0.json"))
    path = folder / "seed0.json"
    path.write_bytes(text)
    verify(path)  # never raises, whatever the file holds


@FUZZ
@given(st.binary(max_size=200))
@example(b"[" * 100_000)
@example(b'{"schema": 10000000000000000000000000}')
@example(b'{"schema": 1e400}')
def test_any_bytes_as_a_record(tmp_path: Path, text: bytes) -> None:
    read_and_verify(text, tmp_path)


@FUZZ
@given(changed(RECORD))
def test_changed_records(tmp_path: Path, value: Any) -> None:
    read_and_verify(json.dumps(value).encode(), tmp_path)


@FUZZ
@given(damaged(to_text(make_record(layout=TINY))))
def test_damaged_records(tmp_path: Path, text: bytes) -> None:
    read_and_verify(text, tmp_path)


@FUZZ
@given(st.data())
def test_damaged_score_files(tmp_path: Path, data: st.DataObject) -> None:
    _, path, truth, tests = make_scored(Path(tempfile.mkdtemp(dir=tmp_path)))
    scores = path.with_suffix("") / "scores-0.logits.npy"
    whole = scores.read_bytes()
    text = data.draw(damaged(whole))
    scores.write_bytes(text)
    assert verify_scores(path, truth=truth, tests=tests).ok == (text == whole)


@FUZZ
@given(st.data())
def test_damaged_states(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "state.pt"
    states.save({part: {"a": [1, 2.5, None], "b": torch.arange(5)} for part in states.PARTS}, path)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(lambda: states.load(path))


# ---------------------------------------------------------------------- annotations


@FUZZ
@given(changed(INSTANCES).map(lambda value: json.dumps(value).encode()) | damaged(json.dumps(INSTANCES).encode()))
def test_instances_files(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "labels.json"
    path.write_bytes(text)
    survives(lambda: read_instances(path, name="own"))
    survives(lambda: read_json(path, name="own", values=OWN).table(name="own", revision="own"))


@FUZZ
@given(damaged(XML.encode()) | st.binary(max_size=100))
@example(b'<!DOCTYPE a [<!ENTITY x "y">]><annotation>&x;</annotation>')
@example(b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>')
@example(b"<a>" * 20_000)
@example(b'<?xml version="1.0" encoding="utf-42"?><annotation/>')
@example(b'<?xml version="1.0" encoding="utf-7"?><annotation/>')
def test_voc_annotations(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(text)
    survives(lambda: objects(path, name="own"))


@FUZZ
@given(damaged(CSV.encode()) | st.binary(max_size=100) | st.text(max_size=100).map(lambda text: text.encode()))
@example(b"file,split,labels\n" + b'"' * 200_000)
@example(b"file,split,labels\na.jpg,train," + b"x" * 200_000)
@example(b"file,split,labels,labels\na,train,b,c\n")
def test_tables_as_csv(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(text)
    survives(lambda: read_csv(path, name="own", values=OWN).table(name="own", revision="own"))
    survives(lambda: read_table(path, root=tmp_path, options={}, photos=False))


@FUZZ
@given(changed(["cat", "dog"]).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_vocabularies(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(CSV)
    (tmp_path / "classes.json").write_bytes(text)
    survives(lambda: read_csv(path, name="own", values=OWN).table(name="own", revision="own"))


@FUZZ
@given(st.data())
def test_tables_as_npz(tmp_path: Path, data: st.DataObject) -> None:
    import numpy as np

    path = tmp_path / "labels.npz"
    np.savez(path, paths=["a.jpg", "b.jpg"], labels=["cat"], y=np.array([[1], [0]], np.int8), split=["train", "test"])
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(lambda: read_npz(path, name="own", values=OWN).table(name="own", revision="own"))


NUSWIDE = "filepath,label,split_name\nimages/1.jpg,\"['clouds', 'sky']\",train\nimages/2.jpg,['sun'],val\n"


@FUZZ
@given(damaged(NUSWIDE.encode()) | st.binary(max_size=100))
@example(b"a,b,c\n" + b"x" * 200_000 + b",['sky'],train\n")
@example(b'a,b,c\n"' + b"x," * 100_000)
def test_split_files_of_nuswide(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "split.csv"
    path.write_bytes(text)
    survives(lambda: read_split_file(path, name="own"))


@FUZZ
@given(st.text(st.sampled_from("01-9a \t\n\r\x00\x0b\u2028"), max_size=60) | damaged(b"000001  1\n000002 -1\n"))
def test_image_lists_of_voc(tmp_path: Path, text: str | bytes) -> None:
    main = tmp_path / "ImageSets" / "Main"
    main.mkdir(parents=True, exist_ok=True)
    (main / "val.txt").write_bytes(text.encode() if isinstance(text, str) else text)
    for label in LABELS:
        (main / f"{label}_val.txt").write_text("000001  1\n000002 -1\n")
    survives(lambda: read_lists(tmp_path, part="val", name="own"))


@settings(FUZZ, max_examples=max(EXAMPLES // 10, 1))  # each is looked at in a process of its own first
@given(st.data())
def test_files_of_matlab(tmp_path: Path, data: st.DataObject) -> None:
    path = make_mat(tmp_path)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(lambda: MatFile(path, name="own"))


@pytest.mark.parametrize(("place", "value"), [(144, 9), (220, 0), (240, 0), (276, 9)])
def test_a_file_of_matlab_in_which_one_byte_kills_its_reader(place: int, value: int, tmp_path: Path) -> None:
    path = make_mat(tmp_path)
    text = bytearray(path.read_bytes())
    text[place] = value
    path.write_bytes(text)
    with pytest.raises(DataError, match=r"annotation\.mat is "):
        MatFile(path, name="own")


def make_mat(folder: Path) -> Path:
    import numpy as np
    from scipy.io import savemat

    path = folder / "annotation.mat"
    savemat(path, {"attributes": np.array(["hat", "bag"], dtype=object), "train_label": np.eye(2)})
    return path


@FUZZ
@given(changed([[1, 2], [3]]).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_id_lists_of_ones_own(tmp_path: Path, text: bytes) -> None:
    for file in ("train-0.txt", "test-0.txt"):
        (tmp_path / file).write_bytes(text)
    survives(lambda: read_published(str(tmp_path), source="own.yaml", folder=None))
