"""Without its data set a scenario is counted from its pins: as with it, but for what memories replay."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest
from tiny_scenarios import planned, scenario

from clbench.cost.estimate import estimate
from clbench.cost.from_pins import PICTURES, REPLAYED, SHARED
from clbench.errors import DataError, UsageError
from clbench.plan.plan import Plan
from clbench.plan.plans import plan
from clbench.spec.scenario import PinsSpec
from clbench.train.prepare import plan_stream


def absent(present: Plan) -> Plan:
    """The plan as if its data lay elsewhere, with the pins of its stream."""
    pins = PinsSpec(sessions=list(plan_stream(present).digest().per_session))
    return dataclasses.replace(
        present, dataset="elsewhere", scenario=msgspec.structs.replace(present.scenario, pins=pins)
    )


def disjoint(folder: Path) -> str:
    path = Path(scenario(folder))
    path.write_text(path.read_text() + "images: disjoint\nimages_seed: 0\n")
    return str(path)


@pytest.mark.parametrize("strategy", ["naive", "joint", "cumulative", "ridge"])
def test_sessions_without_common_images_are_counted_as_with_the_data(tmp_path: Path, strategy: str):
    present = planned(disjoint(tmp_path), strategy)
    told, counted = estimate(present), estimate(absent(present))
    assert counted.sessions == told.sessions and counted.score_bytes == told.score_bytes
    assert told.unknown == () and counted.unknown == (PICTURES,)


def test_what_a_memory_replays_and_what_sessions_share_is_named(tmp_path: Path):
    path = scenario(tmp_path)
    assert REPLAYED in estimate(absent(planned(path, "er", "er.memory=12"))).unknown
    joint, whole = estimate(absent(planned(path, "joint"))), estimate(planned(path, "joint"))
    assert SHARED in joint.unknown and joint.image_steps > whole.image_steps


def test_the_shipped_disjoint_scenario_has_all_images_of_voc_in_its_pins(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLBENCH_DATA", "")
    monkeypatch.setattr("clbench.data.datasets.registry.default_root", lambda dataset: None)
    (wanted,) = plan("voc07_disjoint_b10c5", strategies=["naive"], seeds=[0], absent="counted")
    found = estimate(wanted)
    # VOC 2007 has 5,011 trainval and 4,952 test images; 20 epochs; 10, 15 and 20 labels are scored
    assert found.image_steps == 20 * 5011 and found.scored == 3 * 4952
    assert found.score_bytes == 4 * 4952 * (10 + 15 + 20)
    with pytest.raises(DataError, match="clbench data get voc2007"):
        plan("voc07_disjoint_b10c5", strategies=["naive"], seeds=[0])


def test_a_pin_that_counts_nothing_is_named(tmp_path: Path):
    wanted = absent(planned(scenario(tmp_path), "naive"))
    damaged = msgspec.structs.replace(wanted.scenario, pins=PinsSpec(sessions=["many/5 x"]))
    with pytest.raises(UsageError, match=r"pins.sessions\[0\]: 'many/5 x' is not a session's pin"):
        estimate(dataclasses.replace(wanted, scenario=damaged))
