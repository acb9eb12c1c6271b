"""Streams from published id lists."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from stream_cases import scenario, table

from clbench.data.table import LabelTable, from_arrays
from clbench.errors import DataError, UsageError
from clbench.spec.scenario import LabelsSpec, ScenarioSpec
from clbench.stream.build import build_stream
from clbench.stream.published_lists import PUBLISHED
from clbench.stream.stream import Stream

TRAIN = {"t1": "a", "t2": "a b", "t3": "b", "t4": "a"}
TEST = {"u1": "a", "u2": "b", "u3": "a b"}


def write(folder: Path, lists: dict[str, str]) -> Path:
    for name, ids in lists.items():
        (folder / f"{name}.txt").write_text("\n".join(ids.split()) + "\n")
    return folder


def toy(folder: Path) -> ScenarioSpec:
    return scenario(images="listed", lists=str(folder), labels=LabelsSpec(sessions=[["b"], ["a"]]))


def names(stream: Stream) -> list[tuple[list[str], list[str]]]:
    ids = stream.table.ids
    return [(ids[s.rows].tolist(), ids[s.test_rows].tolist()) for s in stream.sessions]


def test_a_folder_of_lists_decides_who_is_where(tmp_path: Path) -> None:
    lists = {"train-0": "t3 t2", "test-0": "u2", "train-1": "t1 t2 t2", "test-1": "u1"}
    stream = build_stream(table("a b", TRAIN, TEST), toy(write(tmp_path, lists)))
    assert names(stream) == [(["t2", "t3"], ["u2"]), (["t1", "t2"], ["u1", "u2"])]
    assert stream.test_rows.tolist() == [4, 5]
    assert stream.sessions[1].targets.tolist() == [[-1, 1], [-1, 1]]


def test_a_listed_test_image_may_come_from_the_train_split(tmp_path: Path) -> None:
    lists = {"train-0": "t2", "test-0": "t3", "train-1": "t1", "test-1": "u1 t4"}
    stream = build_stream(table("a b", TRAIN, TEST), toy(write(tmp_path, lists)))
    assert names(stream) == [(["t2"], ["t3"]), (["t1"], ["t3", "t4", "u1"])]


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"train-0": "t2 x9 x8"}, "session 0: 2 of 3 train images listed by .* are not in toy, first 'x8'"),
        ({"test-1": "u1 y"}, "session 1: 1 of 2 test images listed by .* are not in toy, first 'y'"),
        ({"test-0": "t1"}, "lists image 't1' for training and for testing"),
        ({"train-2": "t4", "test-2": "u3"}, "has lists for 3 sessions, the labels make 2"),
    ],
)
def test_lists_that_do_not_fit_are_named(tmp_path: Path, lists: dict[str, str], message: str) -> None:
    good = {"train-0": "t2", "test-0": "u2", "train-1": "t1", "test-1": "u1"}
    with pytest.raises(DataError, match=message):
        build_stream(table("a b", TRAIN, TEST), toy(write(tmp_path, {**good, **lists})))


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"train-0": "t2", "test-0": "u2", "train-1": "t1"})
    with pytest.raises(DataError, match=r"test-1\.txt cannot be read"):
        build_stream(table("a b", TRAIN, TEST), toy(tmp_path))


def test_a_folder_without_lists_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no train-0\.txt"):
        build_stream(table("a b", TRAIN, TEST), toy(tmp_path))


def test_an_unknown_name_gets_a_suggestion() -> None:
    spec = scenario(images="listed", lists="prs:cocosec", labels=LabelsSpec(sessions=[["b"], ["a"]]))
    with pytest.raises(UsageError, match="Did you mean 'prs:cocoseq'"):
        build_stream(table("a b", TRAIN, TEST), spec)


def test_lists_that_were_never_fetched_name_the_command() -> None:
    spec = scenario(images="listed", lists="agcn:split-coco", labels=LabelsSpec(sessions=[["b"], ["a"]]))
    with pytest.raises(DataError, match="clbench data get agcn-lists"):
        build_stream(table("a b", TRAIN, TEST), spec)


# ---------------------------------------------------------------------- the published formats, in miniature


def coco_like(sessions: int) -> LabelTable:
    """Labels l0, l1, ...; train image s00..s09 and test image 100 + s00..s09 carry label s."""
    owner = [number % 100 // 10 for number in numbers_of(sessions)]
    y = np.eye(sessions, dtype=np.int8)[owner]
    split = ["train" if number < 100 else "test" for number in numbers_of(sessions)]
    ids = [f"{number:012d}" for number in numbers_of(sessions)]
    return from_arrays("coco2014", labels=[f"l{i}" for i in range(sessions)], y=y, ids=ids, split=split)


def numbers_of(sessions: int) -> list[int]:
    return [part + 10 * session + i for part in (0, 100) for session in range(sessions) for i in range(10)]


def listed(lists: str, order: tuple[int, ...]) -> ScenarioSpec:
    return scenario(images="listed", lists=lists, visible="all", labels=LabelsSpec(sessions=[[f"l{i}"] for i in order]))


@pytest.mark.parametrize("below", ["", "data_source", "dataset/data_source"])
def test_prs_lists_are_read_in_visiting_order(tmp_path: Path, below: str) -> None:
    folder = tmp_path / below / "COCOseq" / "ids"
    folder.mkdir(parents=True)
    for task in range(4):
        for part, first, count in (("train", 0, 3), ("test", 100, 2), ("teorg", 100, 4)):
            numbers = [first + 10 * task + i for i in reversed(range(count))]
            (folder / f"{part}_task{task}_id_coco.json").write_text(json.dumps(numbers))
    streams = [
        build_stream(coco_like(4), listed(lists, (0, 3, 1, 2)), lists=tmp_path)
        for lists in ("prs:cocoseq", "prs:cocoseq/natural")
    ]
    assert [ids[0] for ids, _ in names(streams[0])] == ["000000000000", "000000000030", "000000000010", "000000000020"]
    assert [len(ids) for ids, _ in names(streams[0])] == [3, 3, 3, 3]
    assert [[len(test) for _, test in names(stream)] for stream in streams] == [[2, 4, 6, 8], [4, 8, 12, 16]]
    assert names(streams[0])[1][1] == ["000000000100", "000000000101", "000000000130", "000000000131"]


@pytest.mark.parametrize("packed", [True, False])
def test_agcn_lists_are_read_from_the_zip_or_its_folder(tmp_path: Path, packed: bool) -> None:
    files = {}
    for task in range(10):
        lines = [f"COCO_train2014_{10 * task + i:012d}.jpg,1,0,0,0" for i in range(2)]
        files[f"Split-COCO/task{task}/train.csv"] = "\n".join(lines) + "\n"
        lines = [f"COCO_val2014_{100 + 10 * old:012d}.jpg,1" for old in range(task + 1)]
        files[f"Split-COCO/task{task}/test.csv"] = "\n".join([*lines, lines[0]]) + "\n"
    with zipfile.ZipFile(tmp_path / "Split-COCO.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    if not packed:
        with zipfile.ZipFile(tmp_path / "Split-COCO.zip") as archive:
            archive.extractall(tmp_path)
        (tmp_path / "Split-COCO.zip").unlink()
    stream = build_stream(coco_like(10), listed("agcn:split-coco", tuple(range(10))), lists=tmp_path)
    assert [len(s.rows) for s in stream.sessions] == [2] * 10
    assert [len(s.test_rows) for s in stream.sessions] == list(range(1, 11))


@pytest.mark.parametrize(
    ("name", "text"),
    [("train_task0_id_coco.json", "{"), ("train_task0_id_coco.json", '["x"]'), ("test_task2_id_coco.json", "[null]")],
)
def test_a_damaged_published_list_is_a_data_error(tmp_path: Path, name: str, text: str) -> None:
    folder = tmp_path / "COCOseq" / "ids"
    folder.mkdir(parents=True)
    for task in range(4):
        for part in ("train", "test"):
            (folder / f"{part}_task{task}_id_coco.json").write_text(f"[{task}0]" if part == "train" else f"[1{task}0]")
    (folder / name).write_text(text)
    with pytest.raises(DataError, match="cannot be read") as error:
        build_stream(coco_like(4), listed("prs:cocoseq", (0, 3, 1, 2)), lists=tmp_path)
    assert "clbench data get prs-lists" in error.value.hint


def test_a_missing_published_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train_task0_id_coco\.json is missing"):
        build_stream(coco_like(4), listed("prs:cocoseq", (0, 3, 1, 2)), lists=tmp_path)


def test_every_published_list_names_the_folder_that_is_fetched() -> None:
    assert {lists.folder for lists in PUBLISHED.values()} == {"prs-lists", "agcn-lists"}
