"""A run killed at any instant, while it writes too, ends with the record it would have had."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_tools import drive, make_data
from tiny_scenarios import backbone_of

from clbench.plan import catalog
from clbench.records.record import read_record, to_plain
from clbench.records.verify.verify import verify

SHIPPED = [entry.name for entry in catalog.strategies() if entry.origin == "shipped"]
MAY_DIFFER = ("times", "content", "code")
CALLS = ("torch.save", "scores", "fsync", "before replace", "after replace", "unlink")


def sections(path: Path) -> dict[str, object]:
    return {name: part for name, part in to_plain(read_record(path)).items() if name not in MAY_DIFFER}


def assert_same_records(whole: Path, killed: Path) -> None:
    paths = sorted(whole.rglob("seed*.json"))
    assert paths
    for path in paths:
        other = killed / path.relative_to(whole)
        assert sections(other) == sections(path)
        assert verify(other).ok
        for scores in path.with_suffix("").glob("scores-*.npy"):
            assert (other.with_suffix("") / scores.name).read_bytes() == scores.read_bytes()
        left = {item.name for item in other.parent.rglob("*")}
        assert not [name for name in left if name.endswith((".part", ".tmp")) or name == "state.pt"], left


# in every CI run: a memory and loader workers, importance weights
OFTEN = {("er", 2), ("ewc", 0)}
EVERY = [(name, workers) for name in SHIPPED for workers in (0, 2)]


@pytest.mark.parametrize(
    ("name", "workers"),
    [
        pytest.param(*case, marks=pytest.mark.slow if case in OFTEN else [pytest.mark.slow, pytest.mark.exhaustive])
        for case in EVERY
    ],
)
def test_a_process_killed_at_random_instants(name: str, workers: int, tmp_path: Path) -> None:
    found = drive(
        {
            "folder": str(tmp_path),
            "plan": {"scenario": "tiny", "strategies": [name], "seeds": [5], "sets": backbone_of(name)},
            "options": {"workers": workers, "save_minutes": 0.0},
            "times": 10,
            "seed": len(name) + workers,
        },
        cwd=tmp_path,
    )
    assert found["killed"] >= 3, found
    for folder in found["finished"]:
        assert_same_records(tmp_path / "whole", tmp_path / folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("call", CALLS)
def test_a_process_killed_at_every_kind_of_write(call: str, tmp_path: Path) -> None:
    scenario = make_data(tmp_path / "data")
    found = drive(
        {
            "folder": str(tmp_path),
            "plan": {"scenario": str(scenario), "strategies": ["er"], "seeds": [1]},
            "options": {"save_minutes": 0.0},
            "kills": [{"call": call, "number": number} for number in (1, 2, 3, 5, 8, 1, 2)],
        },
        cwd=tmp_path,
    )
    assert found["killed"] >= 3, found
    for folder in found["finished"]:
        assert_same_records(tmp_path / "whole", tmp_path / folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_process_killed_while_it_streams_scores_into_their_file(tmp_path: Path) -> None:
    scenario = make_data(tmp_path / "data")
    found = drive(
        {
            "folder": str(tmp_path),
            "plan": {"scenario": str(scenario), "strategies": ["er"], "seeds": [1]},
            "options": {"save_minutes": 0.0, "keep_scores": True},
            "always": {"keep_scores": True},
            "held": 10,
            "kills": [{"call": "scores", "number": 1}, {"call": "scores", "number": 2}],
        },
        cwd=tmp_path,
    )
    assert found["killed"] == 2, found
    (record,) = (tmp_path / "whole").rglob("seed1.json")
    assert "streamed-ap" in read_record(record).marks and len(read_record(record).scores) == 2
    for folder in found["finished"]:
        assert_same_records(tmp_path / "whole", tmp_path / folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_process_killed_while_the_record_itself_is_written(tmp_path: Path) -> None:
    scenario = make_data(tmp_path / "data")
    moments = [("before replace", "config.yaml"), ("before replace", "seed1.json"), ("after replace", "seed1.json")]
    found = drive(
        {
            "folder": str(tmp_path),
            "plan": {"scenario": str(scenario), "strategies": ["lwf"], "seeds": [1]},
            "options": {"save_minutes": 0.0},
            "kills": [{"call": call, "number": 1, "file": file} for call, file in moments],
        },
        cwd=tmp_path,
    )
    assert found["killed"] == 3, found
    for folder in found["finished"]:
        assert_same_records(tmp_path / "whole", tmp_path / folder)
