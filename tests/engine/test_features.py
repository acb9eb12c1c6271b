"""Training on stored features leaves the record that training on pictures leaves."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from tiny_scenarios import planned, scenario

from clbench.cost.estimate import estimate
from clbench.errors import DataError, RunError, UsageError
from clbench.files.checked_rows import writing_rows
from clbench.plan.plan import Plan
from clbench.records.record import read_record, to_plain
from clbench.train.run import RunOptions, run
from clbench.train.stored_features import StoredFeatures

FROZEN = {"freeze": "backbone", "augment": "none"}


def frozen(folder: Path, strategy: str, *sets: str, **train: object) -> Plan:
    return planned(scenario(folder, train=FROZEN | train), strategy, *sets)


def content(wanted: Plan, results: Path, **options: object) -> dict[str, object]:
    """Return every section but the code, which somebody may be changing."""
    record = read_record(run(wanted, RunOptions(results=results, device="cpu", **options)))  # type: ignore[arg-type]
    other = ("code", "marks", "times", "content")
    return {name: value for name, value in to_plain(record).items() if name not in other}


@pytest.mark.parametrize("backbone", ["clbench_small", "test_convnext", "test_vit"])
@pytest.mark.parametrize(("strategy", "head"), [("er", "linear"), ("lwf", "queries")])
def test_the_record_is_the_same(backbone: str, strategy: str, head: str, tmp_path: Path) -> None:
    sets = [f"head={head}", *(['head_options={"d":32,"heads":4}'] if head == "queries" else [])]
    size = {"image_size": 160} if backbone == "test_vit" else {}
    wanted = frozen(tmp_path, strategy, *sets, backbone=backbone, epochs=1, batch_size=7, **size)
    from_pictures = content(wanted, tmp_path / "pictures")
    assert content(wanted, tmp_path / "maps", features="maps") == from_pictures
    if head == "linear":
        assert content(wanted, tmp_path / "pooled", features="pooled") == from_pictures


@pytest.mark.parametrize("backbone", ["clbench_small", "test_convnext"])
@pytest.mark.parametrize("strategy", ["podnet", "mmdsr", "naive"])
def test_the_record_is_the_same_for_who_looks_at_the_stages(backbone: str, strategy: str, tmp_path: Path) -> None:
    wanted = frozen(tmp_path, strategy, backbone=backbone, epochs=1, batch_size=7)
    from_pictures = content(wanted, tmp_path / "pictures")
    assert content(wanted, tmp_path / "stages", features="stages") == from_pictures


def test_features_are_computed_once_per_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    wanted = frozen(tmp_path, "naive", "train.epochs=1")
    folder = tmp_path / "cache" / "features"
    content(wanted, tmp_path / "a", features="maps")
    (first,) = folder.glob("*.f32")
    written = first.stat().st_mtime_ns
    content(dataclasses.replace(wanted, fields={"unknown": "ignore"}), tmp_path / "b", features="maps")
    assert [path.stat().st_mtime_ns for path in folder.glob("*.f32")] == [written]
    content(dataclasses.replace(wanted, seed=2), tmp_path / "c", features="maps")
    assert len(list(folder.glob("*.f32"))) == 2, "another seed has other random weights"
    assert not list(folder.glob("*.part"))


@pytest.mark.parametrize(
    ("train", "kind", "sets", "said"),
    [
        ({"freeze": "none"}, "maps", [], "the backbone changes"),
        ({"freeze": "after-base"}, "maps", [], "the backbone changes"),
        ({"augment": "flip"}, "maps", [], "no picture is the same twice"),
        ({"amp": "bf16"}, "maps", [], "different features"),
        ({}, "pooled", ["head=queries", 'head_options={"d":32,"heads":4}'], "does not pool"),
    ],
)
def test_what_would_change_the_record_is_refused(
    train: dict[str, object], kind: str, sets: list[str], said: str, tmp_path: Path
) -> None:
    wanted = frozen(tmp_path, "naive", *sets, **train)
    with pytest.raises(UsageError, match=said):
        run(wanted, RunOptions(results=tmp_path, device="cpu", features=kind))  # type: ignore[arg-type]


def test_a_strategy_that_looks_inside_the_backbone_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="stages of the backbone"):
        run(frozen(tmp_path, "podnet"), RunOptions(results=tmp_path, device="cpu", features="maps"))


def test_calibrating_several_runs_tells_which_of_them_is_refused(tmp_path: Path) -> None:
    wanted = frozen(tmp_path, "podnet")
    with pytest.raises(UsageError, match=f"^{re.escape(wanted.title)}: the strategy looks at the stages"):
        estimate(wanted, calibrate=True, device="cpu", features="maps")


def test_damaged_features_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    wanted = frozen(tmp_path, "naive", "train.epochs=1")
    content(wanted, tmp_path / "a", features="maps")
    (path,) = (tmp_path / "cache" / "features").glob("*.f32")
    path.write_bytes(b"\x40" * path.stat().st_size)
    with pytest.raises(DataError, match="row 0 is not as it was written"):
        content(wanted, tmp_path / "b", features="maps")
    assert content(wanted, tmp_path / "b", features="maps") == content(wanted, tmp_path / "a", features="maps")


def test_features_of_another_picture_are_never_taken(tmp_path: Path) -> None:
    stored = StoredFeatures(tmp_path / "a.f32", rows=np.array([2, 5]), shape=(1,), size=8)
    with writing_rows(stored.path) as writer:
        writer.add(np.array([[0.5], [0.25]], dtype=np.float32))
    assert stored.read(np.array([5, 2])).tolist() == [[0.25], [0.5]]
    for other in (3, 9):
        with pytest.raises(RunError, match="no features are kept"):
            stored.read(np.array([2, other]))


def test_features_that_find_no_room_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 10

    wanted = frozen(tmp_path, "naive", "train.epochs=1")
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    with monkeypatch.context() as full:
        full.setattr("clbench.train.stored_features.shutil.disk_usage", lambda _: Usage)
        with pytest.raises(DataError, match="the features need"):
            run(wanted, RunOptions(results=tmp_path, device="cpu", features="maps", cache=False))
    folder = tmp_path / "cache" / "features"
    assert not list(folder.iterdir())  # no lock either
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="the features cannot be written"):
        run(wanted, RunOptions(results=tmp_path, device="cpu", features="maps", cache=False))


def test_what_a_killed_process_left_of_features_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    wanted = frozen(tmp_path, "naive", "train.epochs=1")
    content(wanted, tmp_path / "a", features="maps")
    (path,) = (tmp_path / "cache" / "features").glob("*.f32")
    path.unlink()
    path.with_suffix(".4242.part").write_bytes(b"half")
    content(wanted, tmp_path / "b", features="maps")
    assert path.exists() and not list(path.parent.glob("*.part"))
