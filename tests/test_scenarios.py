"""The shipped scenarios: well-formed, what the papers describe, and pinned to the streams they make."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
import realtables
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clbench.data.datasets.registry import DATASETS, open_table
from clbench.data.table import LabelTable, from_arrays
from clbench.files.yaml_text import yaml_text
from clbench.spec.orders import load_in_order
from clbench.spec.scenario import LabelsSpec, PinsSpec, ScenarioSpec, ValidationSpec, load_scenario, parse_scenario
from clbench.stream.build import build_stream, check_pins
from clbench.stream.label_order import arrival
from clbench.stream.pins.write import stand_in_spec
from clbench.stream.published_lists import PUBLISHED
from clbench.stream.stream import Stream

HERE = Path(__file__).parent
FILES = sorted((HERE.parent / "scenarios").glob("*.yaml"))
FACTS = json.loads((HERE / "session_counts.json").read_text())
COCO, VOC, NUS = (FACTS["orders"][name] for name in ("coco2014", "voc2007", "nuswide-official"))
SPECS = {path.stem: load_scenario(path) for path in FILES}

# number of labels per session, as the papers give them
SIZES = {
    "coco_b40c10": [40, 10, 10, 10, 10],
    "coco_b0c10": [10] * 8,
    "coco_b0c5": [5] * 16,
    "coco_b20c4": [20] + [4] * 15,
    "coco_b0c20": [20] * 4,
    "coco_disjoint_b40c10": [40, 10, 10, 10, 10],
    "coco_disjoint_b0c20": [20] * 4,
    "coco_static": [80],
    "voc07_b0c4": [4] * 5,
    "voc07_b10c2": [10] + [2] * 5,
    "voc07_b5c3": [5] + [3] * 5,
    "voc07_b4c2": [4] + [2] * 8,
    "voc07_b10c5": [10, 5, 5],
    "voc07_b0c5": [5] * 4,
    "voc07_disjoint_b10c5": [10, 5, 5],
    "voc07_disjoint_b0c5": [5] * 4,
    "voc07_static": [20],
    "nuswide_11x10": [11] + [10] * 7,
    "nuswide_b41c5": [41] + [5] * 8,
    "agcn_split_coco": [4] * 10,
    "cocoseq": [24, 14, 18, 14],
    "nuswideseq": [12, 6, 5, 6, 4, 16],
    "pa100k_static": [26],
    "pa100k_b6c5": [6] + [5] * 4,
    "peta_b15c5": [15] + [5] * 4,
    "corel5k_static": [74],
    "corel5k_b34c10": [34] + [10] * 4,
    "bibtex_b79c20": [79] + [20] * 4,
}


def bare(spec: ScenarioSpec) -> LabelTable:
    """A table with the labels of the scenario's data set and one image of all of them on each side."""
    counts = {"pa100k": 26, "peta": 35, "corel5k/labels.csv": 74, "bibtex/labels.csv": 159}
    names = {"coco2014": COCO, "voc2007": VOC, "nuswide-official": NUS}.get(spec.dataset)
    names = names or [f"attribute {i:03d}" for i in range(counts[spec.dataset])]
    return from_arrays(spec.dataset, labels=names, y=np.ones((2, len(names))), split=["train", "test"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_scenario_is_named_after_its_file_and_has_a_one_line_title(path: Path) -> None:
    spec = SPECS[path.stem]
    assert spec.name == path.stem
    assert spec.version >= 1
    assert "\n" not in spec.title
    assert len(spec.title) <= 120
    assert spec.title.endswith(".")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_lines_are_short_and_pins_stand_beside(path: Path) -> None:
    assert [line for line in path.read_text().splitlines() if len(line) > 120] == []
    pins = SPECS[path.stem].pins
    assert (f"pins: {path.stem}.pins.json\n" in path.read_text()) == (pins.images != "")
    assert (path.parent / f"{path.stem}.pins.json").exists() == (pins.images != "")


@pytest.mark.parametrize("name", SPECS)
def test_a_scenario_written_out_again_is_the_same(name: str) -> None:
    spec = SPECS[name]
    text = yaml.safe_dump(msgspec.to_builtins(spec), sort_keys=False)
    again = parse_scenario(text, source="again")
    assert again == spec
    assert again.digest() == spec.digest()


def test_no_two_scenarios_ask_for_the_same_stream() -> None:
    digests = {name: spec.digest() for name, spec in SPECS.items()}
    assert len(set(digests.values())) == len(digests)


def test_every_scenario_uses_a_known_data_set_and_known_lists() -> None:
    for spec in SPECS.values():
        assert spec.dataset in DATASETS or spec.dataset.endswith(".csv")
        assert not spec.lists or spec.lists in PUBLISHED


@pytest.mark.parametrize("name", SIZES)
def test_sessions_have_the_number_of_labels_the_papers_give(name: str) -> None:
    spec = SPECS[name]
    sessions = arrival(bare(spec), spec.labels, source=name)
    assert [len(labels) for labels in sessions] == SIZES[name]


@pytest.mark.parametrize("name", ["agcn_split_coco", "cocoseq", "nuswideseq"])
def test_published_tasks_have_their_labels_in_visiting_order(name: str) -> None:
    spec = SPECS[name]
    assert spec.labels.sessions == FACTS[spec.lists]["labels"]
    assert len(spec.labels.sessions) == len(PUBLISHED[spec.lists].visits)


def test_online_scenarios_make_one_pass() -> None:
    online = {name for name, spec in SPECS.items() if spec.online}
    assert online == {"agcn_split_coco", "cocoseq", "nuswideseq", "nuswide_11x10", "nuswide_b41c5"}
    assert all(SPECS[name].train.epochs == 1 for name in online)


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.stand_in])
def test_a_stand_in_makes_the_same_sessions_of_labels(name: str) -> None:
    spec = stand_in_spec(SPECS[name])
    stream = build_stream(scenes(spec.dataset, tuple(spec.options.items())), spec)
    assert [len(session.labels[session.new]) for session in stream.sessions] == SIZES[name]
    assert sorted(stream.labels) == sorted(COCO)
    check_pins(stream, spec)


@cache
def scenes(dataset: str, options: tuple[tuple[str, str], ...]) -> LabelTable:
    return open_table(dataset, root=None, options=dict(options))


# ---------------------------------------------------------------------- on the real label matrices


@cache
def real(name: str, realdata: Path) -> LabelTable:
    return getattr(realtables, name)(realdata)


def real_stream(name: str, realdata: Path) -> Stream:
    spec = SPECS[name]
    dataset = "nuswideseq" if name == "nuswideseq" else spec.dataset
    lists = realtables.agcn_lists if spec.lists.startswith("agcn") else realtables.prs_lists
    return build_stream(real(dataset, realdata), spec, lists=lists(realdata) if spec.lists else None)


@pytest.mark.realdata
@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.pins.images])
def test_the_real_labels_make_the_pinned_stream(name: str, realdata: Path) -> None:
    check_pins(real_stream(name, realdata), SPECS[name])


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["coco_b40c10", "voc07_b0c4", "peta_b15c5"])
def test_the_real_labels_make_the_stream_that_is_pinned_for_another_order(name: str, realdata: Path) -> None:
    spec = load_in_order(HERE.parent / "scenarios" / f"{name}.yaml", "shuffle:4")
    assert spec.pins.images and spec.pins.images != SPECS[name].pins.images
    check_pins(build_stream(real(spec.dataset, realdata), spec), spec)


def test_label_values_are_pinned_where_they_are_established() -> None:
    pinned = {name: bool(spec.pins.labels) for name, spec in SPECS.items() if spec.pins.images}
    assert {SPECS[name].dataset for name, labels in pinned.items() if labels} == {"voc2007", "peta"}
    assert {SPECS[name].dataset for name, labels in pinned.items() if not labels} == {"coco2014", "nuswide-official"}
    unpinned = {SPECS[name].dataset for name in SPECS.keys() - pinned.keys()}
    own = {"corel5k/labels.csv", "bibtex/labels.csv"}
    assert unpinned - {"scenes"} == {"nuswide-official", "pa100k", "open-images-v7"} | own


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["cocoseq", "nuswideseq"])
@pytest.mark.parametrize("kind", ["test", "natural"])
def test_prs_sessions_have_the_published_counts(name: str, kind: str, realdata: Path) -> None:
    facts = FACTS[SPECS[name].lists]
    spec = SPECS[name]
    if kind == "natural":
        spec = msgspec.structs.replace(spec, lists=f"{spec.lists}/natural", pins=PinsSpec())
    stream = build_stream(
        real("nuswideseq" if name == "nuswideseq" else spec.dataset, realdata),
        spec,
        lists=realtables.prs_lists(realdata),
    )
    assert [len(session.rows) for session in stream.sessions] == facts["train"]
    assert [len(session.test_rows) for session in stream.sessions] == np.cumsum(facts[kind]).tolist()
    trained = np.concatenate([session.rows for session in stream.sessions])
    assert len(np.unique(trained)) == sum(facts["train"])
    for session in stream.sessions:
        # no image carries a label of another task
        positive = (session.targets == 1).any(axis=0)
        assert positive[session.new].all()
        assert positive.sum() == session.new.stop - session.new.start


@pytest.mark.realdata
def test_half_of_the_cocoseq_test_images_come_from_train2014(realdata: Path) -> None:
    stream = real_stream("cocoseq", realdata)
    share = (stream.table.split[stream.test_rows] == "train").mean()
    assert 0.4 < share < 0.6


@pytest.mark.realdata
def test_agcn_sessions_have_the_published_counts(realdata: Path) -> None:
    facts = FACTS["agcn:split-coco"]
    stream = real_stream("agcn_split_coco", realdata)
    assert [len(session.rows) for session in stream.sessions] == facts["train"]
    # the last published list repeats one image
    assert [len(session.test_rows) for session in stream.sessions] == [*facts["test"][:-1], facts["test"][-1] - 1]
    assert all((session.targets[:, session.new] == 1).any(axis=1).all() for session in stream.sessions)
    counts = (stream.table.y[stream.table.split == "train"] == 1).sum(axis=0)
    frequent = np.argsort(-counts, kind="stable")[:40]
    assert {stream.table.labels[column] for column in frequent} == set(stream.labels)


@pytest.mark.realdata
def test_corel_has_seventy_four_words_with_fifty_train_images(realdata: Path) -> None:
    for name in ("corel5k_static", "corel5k_b34c10"):
        spec = SPECS[name]
        table = open_table(str(realdata / spec.dataset), root=None, options=spec.options, photos=False)
        stream = build_stream(table, spec)
        assert [session.new.stop - session.new.start for session in stream.sessions] == SIZES[name]


# ---------------------------------------------------------------------- any scenario

names = st.lists(st.sampled_from(["a", "b", "no", "1", "Größe", "x: y", "null"]), unique=True, max_size=4)
labels_specs = st.builds(
    LabelsSpec,
    order=st.one_of(st.sampled_from(["alphabetical", "official", "shuffle:3"]), names.filter(bool)),
    subset=names,
    base=st.integers(0, 90),
    increment=st.integers(0, 90),
    sessions=st.lists(names, max_size=3),
)
scenarios = st.builds(
    ScenarioSpec,
    name=st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,20}\Z"),
    version=st.integers(1, 99),
    title=st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30),
    dataset=st.sampled_from(["coco2014", "my/table.csv"]),
    options=st.dictionaries(st.sampled_from(["crowd", "val"]), st.sampled_from(["membership", "0", "no"])),
    labels=labels_specs,
    images=st.sampled_from(["any-new-label", "disjoint", "all"]),
    images_seed=st.integers(0, 99),
    visible=st.sampled_from(["new", "seen", "all"]),
    test=st.sampled_from(["images-with-seen", "all"]),
    validation=st.builds(ValidationSpec, fraction=st.floats(0, 0.99), seed=st.integers(0, 9)),
    seeds=st.lists(st.integers(0, 9), min_size=1, max_size=3),
)


@given(scenarios)
def test_any_scenario_survives_being_written_and_read(spec: ScenarioSpec) -> None:
    text = yaml_text(msgspec.to_builtins(spec))
    again = parse_scenario(text, source="again")
    assert again == spec
    assert again.digest() == spec.digest()
