"""Files from strangers: nothing in them is executed, nothing is written outside, nothing hangs."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from record_factory import TINY, make_record, make_scored

from clbench.errors import ClbenchError, DataError, ResultsError, UsageError
from clbench.nn.backbones.by_name import build_backbone
from clbench.plan.plans import plan
from clbench.records.record import parse_record, read_record, to_plain, to_text
from clbench.records.store import scan
from clbench.records.verify.verify import verify, verify_scores
from clbench.spec.scenario import load_scenario, parse_scenario
from clbench.train.resume import state as states

HEAD = "name: own\nversion: 1\ntitle: x\ndataset: scenes\n"

BOMBS = {
    "a billion laughs": "a: &a [x]\n" + "".join(f"{c}: &{c} [*{p},*{p},*{p}]\n" for p, c in pairwise("abcdefghi")),
    "an alias to itself": "a: &a [*a]",
    "an anchor": "title: &t x",
    "a merge key": "train: {<<: [x]}",
    "lists in lists": "a: " + "[" * 50_000,
    "dashes in dashes": "- " * 100_000,
    "mappings in mappings": "{a: " * 50_000,
    "a python object": "title: !!python/object/apply:os.system ['touch owned']",
    "a python name": "title: !!python/name:os.system",
    "a binary": "title: !!binary aGVsbG8=",
    "a set": "title: !!set {a}",
    "a tag of its own": "title: !danger x",
    "a bad number": "version: !!int ''",
    "a bad truth value": "online: !!bool perhaps",
    "a bad date": "title: 2001-13-45",
    "a number of ten thousand digits": "version: " + "9" * 10_000,
    "two documents": "--- a\n--- b",
    "a megabyte": "title: " + "x" * 2_000_000,
    "no text": "\x00\x01\x02",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_yaml_bomb_is_refused_in_words(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        parse_scenario(HEAD + BOMBS[name] if name != "no text" else BOMBS[name], source="own.yaml")
    assert caught.value.message.startswith("own.yaml: ") and len(caught.value.message) < 600
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["../../etc", "..", "a/b", ".hidden", "a\nb", "a\n", "A", "", "x" * 100, "con:1", "a\\b"]
)
def test_a_scenario_has_no_name_that_leads_elsewhere(name: str, tmp_path: Path) -> None:
    text = json.dumps({"name": name, "version": 1, "title": "x", "dataset": "scenes"})
    with pytest.raises(UsageError, match="name"):
        parse_scenario(text, source="own.yaml")
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(UsageError):
        load_scenario(path)
    with pytest.raises(UsageError):
        plan(str(path))


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["scenario"].update(name="../../../tmp/x"),
        lambda r: r["scenario"].update(name="tiny\n"),
        lambda r: r["scenario"].update(dataset="../x"),
        lambda r: r["scenario"].update(dataset=".."),
        lambda r: r["scenario"]["data"].update(name="/etc/passwd"),
        lambda r: r["strategy"].update(name="../er"),
        lambda r: r["strategy"].update(name="a/b"),
        lambda r: r["scores"][0].update(file="../../seed0.json"),
        lambda r: r["scores"][0].update(file="/etc/passwd"),
        lambda r: r["scores"][0].update(file="a\x00b"),
        lambda r: r.update(configuration="../../.."),
        lambda r: r.update(seed=-1),
    ],
)
def test_a_record_has_no_name_that_leads_elsewhere(change: Callable[[dict[str, Any]], None], tmp_path: Path) -> None:
    plain = to_plain(make_record(layout=TINY))
    change(plain)
    text = json.dumps(plain).encode()
    with pytest.raises(ResultsError):
        parse_record(text, source="seed0.json")
    place = tmp_path / "tiny.v1" / "er" / "0123abcd" / "seed0.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(text)
    assert not verify(place).ok
    stored, damaged = scan(tmp_path)
    assert not stored and len(damaged) == 1


def test_a_record_in_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside" / "er" / "0123abcd"
    outside.mkdir(parents=True)
    (outside / "seed0.json").write_bytes(to_text(make_record(layout=TINY)))
    results = tmp_path / "results"
    results.mkdir()
    (results / "tiny.v1").symlink_to(tmp_path / "outside")
    assert scan(results) == ([], [])


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("form", ["torch", "pickle", "inside", "old torch"])
def test_a_weights_file_with_a_payload_is_refused_and_nothing_runs(form: str, tmp_path: Path) -> None:
    mark, path = tmp_path / "owned", tmp_path / "weights.pth"
    if form == "pickle":
        path.write_bytes(pickle.dumps(Payload(mark)))
    else:
        content = {"state_dict": {"a": torch.zeros(1), "b": Payload(mark)}} if form == "inside" else Payload(mark)
        torch.save(content, path, _use_new_zipfile_serialization=form != "old torch")
    with pytest.raises(DataError, match=r"weights.pth"):
        build_backbone("resnet10t", image_size=32, weights=str(path))
    assert not mark.exists()


def test_a_state_with_a_payload_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    mark, path = tmp_path / "owned", tmp_path / "state.pt"
    for content in (Payload(mark), {"version": 1, "progress": Payload(mark)}):
        torch.save(content, path)
        with pytest.raises(ResultsError, match=r"state.pt: not a readable state"):
            states.load(path)
    torch.save({"version": states.STATE_VERSION, "progress": {}}, path)
    with pytest.raises(ResultsError, match="not a whole state"):
        states.load(path)
    assert not mark.exists()


def test_a_score_file_with_a_payload_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    mark = tmp_path / "owned"
    _, path, truth, tests = make_scored(tmp_path)
    scores = path.with_suffix("") / "scores-0.logits.npy"
    np.save(scores, np.array([Payload(mark)], dtype=object), allow_pickle=True)
    assert not verify_scores(path, truth=truth, tests=tests).ok
    assert not mark.exists()


def test_a_table_with_a_payload_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    from clbench.data.own_table.table_file import read

    mark = tmp_path / "owned"
    np.savez(
        tmp_path / "labels.npz", paths=np.array([Payload(mark)], dtype=object), labels=["a"], y=[[1]], split=["train"]
    )
    with pytest.raises(DataError, match=r"labels.npz"):
        read(tmp_path / "labels.npz", root=tmp_path, options={})
    assert not mark.exists()


def test_a_table_cannot_name_photos_outside_its_folder(tmp_path: Path) -> None:
    from clbench.data.own_table.table_file import read

    for file in ("../secret.jpg", "/etc/passwd", "a/../../b.jpg", "C:/x.jpg", "a\\b.jpg"):
        (tmp_path / "labels.csv").write_text(f"file,split,labels\n{file},train,a\nb.jpg,test,a\n")
        with pytest.raises(ClbenchError):
            read(tmp_path / "labels.csv", root=tmp_path, options={})


def test_reading_a_record_never_needs_its_scores(tmp_path: Path) -> None:
    path = tmp_path / "seed0.json"
    path.write_bytes(to_text(make_record(layout=TINY)))
    assert read_record(path).scenario.name == "tiny"
