"""One scenario over several class orders: which labels arrive when, and which pins say so."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import msgspec
import pytest
import yaml
from stream_cases import scenario, table
from tiny_scenarios import scenario as written_out

from clbench.errors import DataError, UsageError
from clbench.files import roots
from clbench.plan import catalog
from clbench.plan.plan import Plan
from clbench.plan.plans import plan
from clbench.spec.orders import chosen_orders, in_order, is_order, load_in_order, sorted_labels
from clbench.spec.scenario import LabelsSpec, PinsSpec, load_scenario, parse_scenario, pins_beside
from clbench.stream.build import build_stream, check_pins
from clbench.stream.pins.write import main, pin
from clbench.stream.stream import Stream
from clbench.train.prepare import plan_stream

TRAIN = {"t1": "a", "t2": "a c", "t3": "b c e", "t4": "d", "t5": "d f", "t6": "e", "t7": "a b c d e f"}
TEST = {"u1": "a", "u2": "c", "u3": "e f", "u4": "b d"}
TABLE = table("d c b a f e", TRAIN, TEST)
SHIPPED = Path(str(roots.shipped_root())) / "scenarios"
FILE = SHIPPED / "coco_b40c10.yaml"
WITHOUT_PINS = SHIPPED / "tiny.yaml"


def toy(order: str) -> Stream:
    return build_stream(TABLE, in_order(scenario(), order, path=WITHOUT_PINS))


def shown(stream: Stream) -> list[tuple[str, list[str], list[str]]]:
    """New labels, train images and test images of each session."""
    ids = stream.table.ids
    return [(" ".join(s.labels[s.new]), ids[s.rows].tolist(), ids[s.test_rows].tolist()) for s in stream.sessions]


def test_the_labels_and_images_of_a_small_stream_under_two_orders() -> None:
    assert shown(toy("")) == [
        ("a b", ["t1", "t2", "t3", "t7"], ["u1", "u4"]),
        ("c d", ["t2", "t3", "t4", "t5", "t7"], ["u1", "u2", "u4"]),
        ("e f", ["t3", "t5", "t6", "t7"], ["u1", "u2", "u3", "u4"]),
    ]
    # sorted by the sha256 of seed and name: a b e f c d
    other = toy("shuffle:1")
    assert shown(other) == [
        ("a b", ["t1", "t2", "t3", "t7"], ["u1", "u4"]),
        ("e f", ["t3", "t5", "t6", "t7"], ["u1", "u3", "u4"]),
        ("c d", ["t2", "t3", "t4", "t5", "t7"], ["u1", "u2", "u3", "u4"]),
    ]
    u = -1
    assert other.sessions[1].labels == ("a", "b", "e", "f")
    assert other.sessions[1].targets.tolist() == [[u, u, 1, 0], [u, u, 0, 1], [u, u, 1, 0], [u, u, 1, 1]]


def test_five_orders_are_the_scenarios_own_and_four_shuffled_ones() -> None:
    spec = scenario()
    assert chosen_orders(5, spec, source="--orders") == ["", "shuffle:1", "shuffle:2", "shuffle:3", "shuffle:4"]
    assert chosen_orders([], spec, source="--orders") == chosen_orders(1, spec, source="--orders") == [""]
    assert chosen_orders(["shuffle:7", "alphabetical", "shuffle:7"], spec, source="--orders") == ["shuffle:7", ""]
    own = msgspec.structs.replace(spec, labels=LabelsSpec(order="shuffle:1", increment=2))
    assert chosen_orders(3, own, source="--orders") == ["", "shuffle:2", "shuffle:3"]
    assert chosen_orders(["alphabetical", "shuffle:1"], own, source="--orders") == ["alphabetical", ""]
    assert chosen_orders(["own"], own, source="--orders") == [""]


@pytest.mark.parametrize("name", ["shufle:1", "shuffle", "shuffle:01", "shuffle:-1", "Alphabetical"])
def test_what_is_no_order_is_refused_by_name(name: str) -> None:
    assert not is_order(name)
    with pytest.raises(UsageError, match=f"^--orders: '{name}' is not an order"):
        chosen_orders([name], scenario(), source="--orders")


def test_more_orders_than_anybody_runs_are_refused_before_they_are_counted_out() -> None:
    with pytest.raises(UsageError, match=r"^--orders: 9{20} orders are asked for"):
        chosen_orders(99999999999999999999, scenario(), source="--orders")


def test_sessions_that_are_written_out_keep_their_sizes() -> None:
    labels = LabelsSpec(sessions=[["f", "a", "c"], ["b"], ["e", "d"]])
    spec = scenario(labels=labels)
    path = WITHOUT_PINS
    assert in_order(spec, "alphabetical", path=path).labels.sessions == [["a", "b", "c"], ["d"], ["e", "f"]]
    assert in_order(spec, "shuffle:1", path=path).labels.sessions == [["a", "b", "e"], ["f"], ["c", "d"]]
    with pytest.raises(UsageError, match="'frequency' is an order of the data set"):
        in_order(spec, "frequency", path=path)


@pytest.mark.parametrize("name", ["cocoseq", "coco_static", "corel5k_static"])
def test_a_scenario_without_another_order_says_so(name: str) -> None:
    spec = load_scenario(SHIPPED / f"{name}.yaml")
    assert chosen_orders(1, spec, source="--orders") == [""]
    with pytest.raises(
        UsageError, match=r"orders: (its sessions are published lists|all labels arrive in one session)"
    ):
        chosen_orders(2, spec, source="--orders")


def test_the_own_order_is_the_scenario_as_it_always_was() -> None:
    assert load_in_order(FILE, "") == load_scenario(FILE)
    assert load_scenario(FILE).digest()[:12] == "295a010bed5d"
    plans = plan("coco_b40c10", strategies=["naive"], orders=2)
    assert [item.scenario.digest()[:12] for item in plans] == ["295a010bed5d", "f4ef1b8a1661"]
    assert len({item.configuration for item in plans}) == 1
    folders = [item.place(Path("results")).folder.parts[1] for item in plans]
    assert folders == ["coco_b40c10.v1.scenes", "coco_b40c10.v1.scenes.shuffle-1"]


def test_orders_of_a_scenario_file_are_run_one_after_the_other(tmp_path: Path) -> None:
    path = written_out(tmp_path, seeds=[0, 1], orders=["alphabetical", "shuffle:1"])
    plans = plan(path, strategies=["naive"])
    assert [(item.order, item.seed) for item in plans] == [
        ("alphabetical", 0),
        ("alphabetical", 1),
        ("shuffle:1", 0),
        ("shuffle:1", 1),
    ]
    assert [item.title for item in plans][2:] == ["naive · shuffle:1 · seed 0", "naive · shuffle:1 · seed 1"]
    assert plan(path, strategies=["naive"], orders=1)[0].order == "", "the command line outweighs the file"
    with pytest.raises(UsageError, match="'shuffled' is not an order"):
        plan(written_out(tmp_path, orders=["shuffled"]))


# ---------------------------------------------------------------------- pins


def test_pins_of_each_order_stand_beside_the_scenario(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text("name: toy\nversion: 1\ntitle: A toy\ndataset: toy\nlabels: {increment: 2}\n")
    pin(path, table=TABLE, labels=True, orders=3)
    assert list(pins_beside(path).orders) == ["shuffle:1", "shuffle:2"]
    for order in ("", "shuffle:1", "shuffle:2"):
        spec = load_in_order(path, order)
        assert spec.pins.images
        check_pins(build_stream(TABLE, spec), spec)
    other = load_in_order(path, "shuffle:2")
    with pytest.raises(DataError, match="not the pinned stream"):
        check_pins(build_stream(TABLE, load_in_order(path, "shuffle:1")), other)
    assert load_in_order(path, "shuffle:9").pins == PinsSpec()
    pin(path, table=TABLE, labels=True)
    assert list(pins_beside(path).orders) == ["shuffle:1", "shuffle:2"], "what was pinned before stays"
    path.write_text(path.read_text().replace("increment: 2", "increment: 3"))
    pin(path, table=TABLE, labels=True)
    assert list(pins_beside(path).orders) == [], "pins of another protocol are of no use"
    assert main([str(SHIPPED / "nowhere.yaml"), "--orders", "2"]) == 2 and "cannot be read" in capsys.readouterr().err


def local(folder: Path, name: str = "mine", **changes: object) -> Path:
    """A copy of a shipped scenario under another name, with its pins beside it."""
    shutil.copy(FILE.with_name("coco_b40c10.pins.json"), folder)
    plain = yaml.safe_load(FILE.read_text()) | {"name": name} | changes
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(plain, sort_keys=False))
    return path


def first(path: Path, **asked: object) -> Plan:
    return plan(str(path), strategies=["naive"], **asked)[0]


def test_an_order_without_pins_is_held_to_those_of_the_own_one(tmp_path: Path) -> None:
    good = first(local(tmp_path), orders=["shuffle:77"])
    assert good.scenario.pins == PinsSpec() and plan_stream(good).labels != plan_stream(first(local(tmp_path))).labels
    assert good.own is not None and good.own.stand_in is not None
    wrong = msgspec.structs.replace(good.own.stand_in, pins=PinsSpec(images="0" * 64))
    own = msgspec.structs.replace(good.own, stand_in=wrong)
    with pytest.raises(DataError, match="not the pinned stream"):
        plan_stream(dataclasses.replace(good, own=own))


# ---------------------------------------------------------------------- a copy of a shipped scenario


def test_a_copy_with_another_recipe_keeps_the_pins(tmp_path: Path) -> None:
    path = local(tmp_path, seeds=[4], train={"epochs": 1, "backbone": "clbench_small"})
    item = first(path)
    assert item.seed == 4 and item.scenario.stand_in is not None and item.scenario.stand_in.pins.images
    assert len(plan_stream(item).sessions) == 5


def test_a_copy_with_another_protocol_is_told_what_to_do_and_each_way_works(tmp_path: Path) -> None:
    path = local(tmp_path, labels={"order": "alphabetical", "increment": 20})
    with pytest.raises(UsageError) as caught:
        first(path)
    assert "coco_b40c10.pins.json: was written for other labels, images or data" in caught.value.message
    assert "take the line `pins:` out, or write its own pins" in caught.value.hint and "--unpinned" in caught.value.hint

    marked = first(path, unpinned=True)
    assert marked.stand_in and marked.unpinned and len(plan_stream(marked).sessions) == 4
    assert ".unpinned-" in marked.place(Path("results")).folder.parts[1]

    text = path.read_text()
    path.write_text(text.replace("pins: coco_b40c10.pins.json\n", ""))
    own = first(path)
    assert not own.unpinned and len(plan_stream(own).sessions) == 4
    assert own.place(Path("results")).folder.parts[1] == "mine.v1.scenes"

    path.write_text(text)
    assert main([str(path), "--stand-in", "--labels"]) == 0
    assert len(plan_stream(first(path)).sessions) == 4
    path.write_text(path.read_text().replace("increment: 20", "increment: 40"))
    with pytest.raises(UsageError, match=r"mine\.pins\.json: was written for other") as caught:
        first(path)
    assert "remove mine.pins.json" in caught.value.hint


def test_the_shipped_pins_are_of_the_protocols_that_their_files_describe() -> None:
    for entry in catalog.scenarios():
        spec = load_scenario(entry.path)
        pins = pins_beside(entry.path)
        assert pins.protocol == (spec.protocol_digest() if pins.images else ""), entry.name
        dealt = pins.images and spec.images != "listed" and spec.labels.increment
        assert list(pins.orders) == ([f"shuffle:{seed}" for seed in (1, 2, 3, 4)] if dealt else []), entry.name
    newer = msgspec.structs.replace(load_scenario(FILE), version=2)
    assert (
        newer.protocol_digest() == load_scenario(FILE).protocol_digest()
        and newer.digest() != load_scenario(FILE).digest()
    )


def test_the_stand_in_makes_the_stream_that_is_pinned_for_each_order() -> None:
    for item in plan("coco_b40c10", strategies=["naive"], orders=5):
        assert item.scenario.stand_in is not None and item.scenario.stand_in.pins.labels
        labels = plan_stream(item).labels
        assert labels == sorted_labels(labels, item.order or "alphabetical")


def test_orders_are_a_number_or_names_in_a_file() -> None:
    text = "name: toy\nversion: 1\ntitle: A toy\ndataset: toy\nlabels: {increment: 2}\n"
    assert parse_scenario(f"{text}orders: 5\n", source="toy").orders == 5
    assert (
        parse_scenario(f"{text}orders: [shuffle:1]\n", source="toy").digest()
        == parse_scenario(text, source="toy").digest()
    )
    with pytest.raises(UsageError, match="orders"):
        parse_scenario(f"{text}orders: 0\n", source="toy")
