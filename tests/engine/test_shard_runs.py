"""Runs on photos in tars: the records of loose photos, an order that is a function, and runs that go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fault_tools import drive
from listening import StopAt
from shard_makers import sharded
from tiny_scenarios import finished, planned

from clbench.data.pictures.sources import CachedImages, end_to_end
from clbench.records.record import read_record
from clbench.stream.trial import TrainImages
from clbench.testing.repeat import first_other_section
from clbench.train.batches import SessionView
from clbench.train.prepare import make_source, plan_stream
from clbench.train.run import Run, RunOptions

SMALL = {"train": 24, "test": 8, "epochs": 1}


def test_tars_give_the_record_of_loose_photos_and_a_buffer_another(tmp_path: Path) -> None:
    path = sharded(tmp_path / "own", **SMALL)
    _, loose = finished(planned(str(path.with_name("own.yaml")), "er", "er.memory=8"), tmp_path / "a")
    _, inside = finished(planned(str(path), "er", "er.memory=8"), tmp_path / "b")
    assert (loose.ap, loose.counts, loose.costs[0].stored_bytes) == (
        inside.ap,
        inside.counts,
        inside.costs[0].stored_bytes,
    )
    assert loose.scenario.data == inside.scenario.data and loose.scenario.stream == inside.scenario.stream
    path.write_text(path.read_text().replace('own-*.tar"', 'own-*.tar", buffer: "4"'))
    records = [
        finished(planned(str(path), "er", "er.memory=8"), tmp_path / f"c{i}", cache=bool(i))[1] for i in range(2)
    ]
    assert records[0].ap == records[1].ap != inside.ap  # kept decoded or not, the order is that of the shards
    assert records[0].scenario.stream == inside.scenario.stream


def test_each_shard_is_read_from_end_to_end(tmp_path: Path) -> None:
    path = sharded(tmp_path / "own", per_shard=5, options=', buffer: "1"', **SMALL)
    plan = planned(str(path), "naive")
    stream = plan_stream(plan)
    source = make_source(plan, stream.table, cache=True)
    assert isinstance(source, CachedImages)
    reader = end_to_end(TrainImages(source, stream.table))
    assert reader is not None and reader.buffer == 1
    session = stream.sessions[0]
    view = SessionView(session, source=source, ids=stream.table.ids, augment="none", seed=0)
    shown = [reader.places(session.rows)[view.order(epoch)] for epoch in range(2)]
    files = [reader.files(session.rows)[view.order(epoch)] for epoch in range(2)]
    for places, lying in zip(shown, files, strict=True):
        assert len(np.flatnonzero(np.diff(lying))) == len(set(lying.tolist())) - 1
        assert (np.diff(places)[np.diff(lying) == 0] > 0).all()
    assert files[0].tolist() != files[1].tolist()


def test_a_run_on_shards_that_was_stopped_goes_on_to_the_same_record(tmp_path: Path) -> None:
    wanted = planned(str(sharded(tmp_path / "own", options=', buffer: "6"', **SMALL)), "er", "er.memory=8")
    run, _ = finished(wanted, tmp_path / "whole")
    for session, step in [(0, 2), (1, 1)]:
        with pytest.raises(KeyboardInterrupt):
            options = RunOptions(results=tmp_path / "parts", device="cpu", save_steps=1)
            Run(wanted, options, watch=StopAt(session, step)).carry_out()
    again, _ = finished(wanted, tmp_path / "parts")
    assert first_other_section(again.record, run.record) == ""


@pytest.mark.slow
def test_a_run_on_shards_that_is_killed_goes_on_to_the_same_record(tmp_path: Path) -> None:
    path = sharded(tmp_path / "own", options=', buffer: "6"', **SMALL)
    found = drive(
        {
            "folder": str(tmp_path),
            "plan": {"scenario": str(path), "strategies": ["er"], "seeds": [1], "sets": ["er.memory=8"]},
            "options": {"workers": 1, "save_minutes": 0.0},
            "kills": [{"call": "torch.save", "number": 3, "file": ""}],
        },
        cwd=tmp_path,
    )
    assert found["killed"] >= 1, found
    whole, killed = (sorted((tmp_path / part).rglob("seed1.json")) for part in ("whole", "killed-0"))
    assert whole and [read_record(a).ap == read_record(b).ap for a, b in zip(whole, killed, strict=True)] == [True]
