from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from data_makers import put, write_coco

from clbench.data.datasets.registry import DATASETS, check_whole, default_root, open_table
from clbench.data.datasets.statistics import known_statistics
from clbench.data.table import LabelTable, from_arrays
from clbench.errors import DataError, UsageError
from clbench.spec.scenario import ScenarioSpec
from clbench.train import prepare


def test_the_known_data_sets_are_those_of_the_field() -> None:
    wanted = (
        "scenes coco2014 coco2017 voc2007 voc2012 nuswide-official nuswide-labelled nuswide-asl pa100k peta rapv1 "
        "rapv2 open-images-v7"
    )
    assert [name for name, dataset in DATASETS.items() if dataset.read] == wanted.split()


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_every_entry_says_what_a_person_needs(dataset: object) -> None:
    assert dataset.title.endswith(".")  # type: ignore[attr-defined]
    for option in dataset.options:  # type: ignore[attr-defined]
        assert option.help
        assert option.kind != "choice" or option.default in option.allowed
    if dataset.name != "scenes":  # type: ignore[attr-defined]
        assert dataset.layout  # type: ignore[attr-defined]
        assert dataset.sources or dataset.by_hand  # type: ignore[attr-defined]
        assert dataset.homepage.startswith("http")  # type: ignore[attr-defined]
    for source in dataset.sources:  # type: ignore[attr-defined]
        assert source.urls
        kind, _, digits = source.checksum.partition(":")
        assert (kind, len(digits)) in {("", 0), ("md5", 32), ("sha256", 64)}
        assert bool(source.bytes) == bool(source.checksum)
        assert source.unpack == source.file.endswith((".zip", ".tar")) or source.file == "Split-COCO.zip"


def test_opening_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"There is no data set 'coco2041'. Did you mean 'coco20"):
        open_table("coco2041", root=None, options={})


def test_opening_what_is_not_here_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it is not on this machine") as caught:
        open_table("voc2007", root=None, options={})
    assert caught.value.hint.startswith("clbench data get voc2007")
    with pytest.raises(DataError, match="is not a folder"):
        open_table("voc2007", root=tmp_path / "nowhere", options={})


@pytest.mark.parametrize("name", [name for name, dataset in DATASETS.items() if dataset.folders and dataset.read])
def test_an_empty_folder_is_an_error_and_never_the_stand_in(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=name) as caught:
        open_table(name, root=tmp_path, options={})
    assert "clbench data get" in caught.value.hint


def test_id_lists_cannot_be_opened_as_a_table() -> None:
    with pytest.raises(UsageError, match="a set of id lists"):
        open_table("prs-lists", root=None, options={})


def test_the_default_folder_is_that_of_the_data_set_where_it_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    assert default_root("coco2014") is None
    kept = tmp_path / "cache" / "data" / "coco2014"
    kept.mkdir(parents=True)
    assert default_root("coco2014") == kept
    monkeypatch.setenv("CLBENCH_DATA", str(tmp_path / "disk"))
    assert default_root("coco2014") == kept
    write_coco(tmp_path / "disk" / "coco2014", train2014={1: [(1, 0)]}, val2014={2: [(3, 0)]})
    assert default_root("coco2014") == tmp_path / "disk" / "coco2014"
    assert len(open_table("coco2014", root=None, options={})) == 2
    (tmp_path / "disk" / "nuswide").mkdir()
    assert default_root("nuswide-official") == default_root("nuswide-asl") == tmp_path / "disk" / "nuswide"


def test_the_default_folder_of_a_table_is_where_it_lies(tmp_path: Path) -> None:
    path = put(tmp_path / "x" / "mine.csv", "file,split,labels\n")
    assert default_root(str(path)) == tmp_path / "x"
    assert default_root(str(path.parent)) == tmp_path / "x"


def test_the_stand_in_needs_no_folder_and_takes_options() -> None:
    table = open_table("scenes", root=None, options={"train": "300", "test": "100"})
    assert len(table) == 400
    with pytest.raises(UsageError, match="option train is '-1', expected a whole number"):
        open_table("scenes", root=None, options={"train": "-1"})


def test_statistics_hold_only_for_the_options_they_were_made_for() -> None:
    assert known_statistics("coco2014", options={"crowd": "membership", "unlabelled": "drop"})
    assert known_statistics("coco2014", options={"crowd": "drop", "unlabelled": "drop"}) is None
    assert known_statistics("scenes", options={}) is None


WITH_STATISTICS = [
    name for name in DATASETS if name not in ("scenes", "nuswide-asl", "open-images-v7", "prs-lists", "agcn-lists")
]


@pytest.mark.parametrize("name", WITH_STATISTICS)
def test_statistics_add_up(name: str) -> None:
    known = known_statistics(name, options={option.name: option.default for option in DATASETS[name].options})
    assert known is not None
    assert known["source"]
    for split, counts in known.get("labels", {}).items():
        images = sum(known["images"].values()) if split == "all" else known["images"][split]
        assert all(0 <= count <= images for count in counts.values())
        assert sum(counts.values()) > images


def test_the_published_id_lists_are_complete() -> None:
    names = {source.file for source in DATASETS["prs-lists"].sources}
    for part in ("train", "test", "teorg"):
        assert {f"COCOseq/ids/{part}_task{i}_id_coco.json" for i in range(4)} <= names
        assert {f"NUSWIDEseq/ids/{part}_task{i}_id_nuswide.json" for i in range(6)} <= names


def test_opening_a_table_loads_neither_torch_nor_pandas() -> None:
    code = (
        "import sys; from clbench.data.fetch import data_verbs; from clbench.data.datasets.registry import open_table\n"
        "open_table('scenes', root=None, options={'train': '300'})\n"
        "print([m for m in ('torch', 'pandas', 'scipy', 'avalanche', 'torchvision') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


@pytest.mark.realdata
def test_the_committed_checksums_are_those_of_the_published_files(realdata: Path) -> None:
    import hashlib

    root = realdata / "labels_mlcil_splits" / "PRS"
    for source in DATASETS["prs-lists"].sources:
        place = root / source.file if source.file.startswith("resources/") else root / "data_source" / source.file
        assert f"sha256:{hashlib.sha256(place.read_bytes()).hexdigest()}" == source.checksum


# ---------------------------------------------------------------------- a part of a data set


def part_of_pa100k(train: int, test: int) -> LabelTable:
    split = ["train"] * train + ["test"] * test
    return from_arrays("pa100k", labels=["hat"], y=[[1]] * len(split), split=split)


def test_a_part_of_a_known_data_set_is_refused_also_without_pins() -> None:
    with pytest.raises(DataError, match="pa100k: 1,800 train images, its release has 90,000") as caught:
        check_whole(part_of_pa100k(1_800, 200), "pa100k", options={})
    assert "--unpinned" in caught.value.hint
    check_whole(part_of_pa100k(90_000, 10_000), "pa100k", options={})
    check_whole(part_of_pa100k(10, 10), "pa100k", options={"val": "drop"})  # of which no counts are known


@pytest.mark.parametrize("unpinned", [False, True])
def test_a_run_asks_for_the_known_counts_unless_it_may_show_other_data(
    unpinned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "read_table", lambda *_, **__: part_of_pa100k(40, 20))
    monkeypatch.setattr(prepare, "build_stream", lambda table, spec: table)
    about = {"name": "part", "version": 1, "title": "A part.", "dataset": "pa100k", "labels": {"base": 1}}
    spec = msgspec.convert(about, ScenarioSpec)
    plan = SimpleNamespace(
        dataset="pa100k",
        root=None,
        options={},
        scenario=spec,
        own=None,
        stand_in=False,
        unpinned=unpinned,
        trial=None,
        kept_stream=lambda: None,
    )
    if unpinned:
        assert len(prepare.plan_stream(plan)) == 60
        return
    with pytest.raises(DataError, match="40 train images, its release has 90,000"):
        prepare.plan_stream(plan)
