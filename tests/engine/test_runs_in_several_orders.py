"""Runs of one scenario in several class orders: their records, their verification, and going on where one stopped."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import yaml
from listening import StopAt
from tiny_scenarios import scenario

from clbench.errors import UsageError
from clbench.many.sweep_file import expand, expand_all, load_sweep
from clbench.plan.plan import Plan
from clbench.plan.plans import plan
from clbench.records.orders import order_of, own_digest, shown_order
from clbench.records.record import Record, read_record, seal, write_record
from clbench.records.store import record_path, scan
from clbench.records.unfinished import statuses
from clbench.records.verify.against_stream import verifications
from clbench.records.verify.verify import verify
from clbench.testing.repeat import first_other_section
from clbench.train.rerun import plan_of, reproduce
from clbench.train.run import RunOptions, run
from clbench.tune.search_file import load_search, make_planner

SETS = ["train.epochs=1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("orders")
    (made / "scenarios").mkdir()
    scenario(made / "scenarios")
    return made


@pytest.fixture
def _here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


@pytest.fixture(scope="module")
def plans(folder: Path) -> list[Plan]:
    path = str(folder / "scenarios" / "miniature.yaml")
    return plan(path, strategies=["naive"], seeds=[3], sets=SETS, orders=["own", "shuffle:1"])


@pytest.fixture(scope="module")
def records(folder: Path, plans: list[Plan]) -> list[Record]:
    options = RunOptions(results=folder / "results", device="cpu", cache=False)
    return [read_record(run(item, options)) for item in plans]


def test_a_record_says_its_order_and_of_which_scenario(records: list[Record]) -> None:
    own, other = records
    assert own.scenario.order is msgspec.UNSET and (order_of(own), shown_order(own)) == ("", "own")
    assert order_of(other) == shown_order(other) == "shuffle:1"
    assert own_digest(other) == own_digest(own) == own.scenario.digest != other.scenario.digest
    assert own.configuration == other.configuration and own.scenario.stream != other.scenario.stream
    assert [session.labels for session in other.scenario.sessions] == [
        ["cup", "chair"],
        ["person", "dining table"],
        ["bottle", "car"],
    ]


def test_records_of_two_orders_lie_apart_and_are_found(folder: Path, records: list[Record]) -> None:
    stored, damaged = scan(folder / "results")
    assert damaged == [] and len(stored) == 2
    names = [item.path.parts[-4] for item in stored]
    assert names == ["miniature.v1", "miniature.v1.shuffle-1"]
    assert [run.scenario for run in statuses(folder / "results")] == names
    text = (record_path(folder / "results", records[1]).parent / "config.yaml").read_text()
    assert yaml.safe_load(text)["order"] == "shuffle:1"


@pytest.mark.usefixtures("_here", "records")
def test_each_order_is_scored_again_on_its_own_stream(folder: Path) -> None:
    found = list(verifications([], results=folder / "results", reference=False, scores=True))
    assert [(item.level, item.findings) for item in found] == [("re-scored", ())] * 2


@pytest.mark.usefixtures("_here")
def test_a_run_in_another_order_is_made_again_from_its_record(
    folder: Path, plans: list[Plan], records: list[Record], tmp_path: Path
) -> None:
    assert plan_of(records[1]).order == "shuffle:1" and plan_of(records[0]).own is None
    assert reproduce(plans[1].place(folder / "results").record, tmp_path) == []


def test_a_record_that_names_another_order_than_its_labels_have_is_found(records: list[Record], tmp_path: Path) -> None:
    about = records[1].scenario
    assert about.order is not msgspec.UNSET
    for order, told in (
        (msgspec.structs.replace(about.order, name="shuffle:2"), "the labels are in another order"),
        (msgspec.structs.replace(about.order, name="mine"), "'mine' is not a class order"),
        (msgspec.structs.replace(about.order, scenario=about.digest), "is the digest of the scenario in another order"),
    ):
        forged = msgspec.structs.replace(records[1], scenario=msgspec.structs.replace(about, order=order))
        write_record(seal(forged), tmp_path / "seed3.json")
        assert told in str(verify(tmp_path / "seed3.json").findings[0])


def test_a_run_in_another_order_goes_on_where_it_stopped(folder: Path, tmp_path: Path) -> None:
    path = str(folder / "scenarios" / "miniature.yaml")
    (wanted,) = plan(path, strategies=["er"], seeds=[1], sets=SETS, orders=["shuffle:2"])
    whole = run(wanted, RunOptions(results=tmp_path / "whole", device="cpu", cache=False))
    options = RunOptions(results=tmp_path / "parts", device="cpu", cache=False, save_steps=2)
    with pytest.raises(KeyboardInterrupt):
        run(wanted, options, watch=StopAt(1, 1))
    (stopped,) = statuses(tmp_path / "parts")
    assert (stopped.state, stopped.scenario) == ("stopped", "miniature.v1.shuffle-2")
    assert first_other_section(run(wanted, options), whole) == ""


# ---------------------------------------------------------------------- sweeps


def swept(folder: Path, **content: object) -> Path:
    scenario(folder)
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({"scenarios": ["miniature.yaml"], "strategies": ["naive"], **content}))
    return path


def test_a_sweep_has_every_order_and_says_which(tmp_path: Path) -> None:
    path = swept(tmp_path, seeds=[0, 1], orders=2)
    assert [item.title for item in expand(load_sweep(path), path=path)] == [
        "miniature · naive · seed 0",
        "miniature · naive · seed 1",
        "miniature · naive · shuffle:1 · seed 0",
        "miniature · naive · shuffle:1 · seed 1",
    ]
    asked = expand_all([path], orders=["shuffle:5"])
    assert [item.order for item in asked] == ["shuffle:5"] * 2
    with pytest.raises(UsageError, match=r"sweep\.yaml: .*'backwards' is not an order"):
        expand_all([path], orders=["backwards"])


def test_a_search_keeps_to_the_scenarios_own_order(tmp_path: Path) -> None:
    scenario(tmp_path, orders=3)
    path = tmp_path / "search.yaml"
    told = {"scenario": "miniature.yaml", "strategies": ["naive"], "space": {"train.lr": [0.1, 0.2]}, "trials": 2}
    path.write_text(yaml.safe_dump(told | {"validation": 0.2}))
    plans = make_planner(load_search(path), path=path).plans("naive", {}, seeds=[0, 1])
    assert [(item.order, item.seed) for item in plans] == [("", 0), ("", 1)]
