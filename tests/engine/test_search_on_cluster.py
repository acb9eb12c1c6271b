"""A search on a cluster makes the trials of one machine, wherever they are carried out and however often it stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tiny_scenarios import planned, scenario

from clbench.data.pictures.sources import SceneImages
from clbench.errors import CutOffError, RunError
from clbench.many.here import run_all
from clbench.many.ray import driver as cluster
from clbench.many.ray import node
from clbench.many.ray.driver import Cluster
from clbench.many.ray.mailbox import Mailbox
from clbench.many.ray.node import carry_out, receive
from clbench.records.record import read_record
from clbench.train.events import silent
from clbench.train.run import RunOptions, run
from clbench.tune.search_file import load_search
from clbench.tune.study import Study, studies


def search_file(folder: Path, **content: Any) -> Path:
    scenario(folder, train={"epochs": 1}, seeds=[4])
    path = folder / "search.yaml"
    given = {
        "scenario": "miniature.yaml",
        "strategies": ["naive"],
        "space": {"train.lr": {"low": "1e-4", "high": "1e-1", "log": True}, "head": ["linear", "maxpool"]},
        "trials": 2,
        "batch": 2,
        "validation": 0.3,
        "sessions": 1,
    }
    path.write_text(yaml.safe_dump(given | content))
    return path


def asked(path: Path, results: Path) -> Study:
    (found,) = studies(load_search(path), path=path, results=results)
    return found


def test_a_trial_comes_back_from_a_node_that_does_not_see_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node.tempfile, "gettempdir", lambda: str(tmp_path / "node"))
    study = asked(search_file(tmp_path), tmp_path / "driver")
    (plan,) = study.plans(study.due()[0])
    options = RunOptions(results=tmp_path / "driver", device="cpu", cache=False)
    read, met = SceneImages.read, set()

    def watched(self: SceneImages, rows: Any) -> Any:
        met.update(np.asarray(rows).tolist())
        return read(self, rows)

    monkeypatch.setattr(SceneImages, "read", watched)
    answer = carry_out(plan, options, str(tmp_path / "driver" / ".seen"), Mailbox())
    assert answer.error is None
    assert met and set(study.stream.table.split[sorted(met)].tolist()) == {"train"}, "no test picture is read there"
    assert not list((tmp_path / "node").rglob("trial*.json")) and not list((tmp_path / "node").rglob("*.npy"))
    record = receive(answer.files, plan, options)
    assert ".search" in record.parts and record.name == "trial0.json"
    alone = run(plan, RunOptions(results=tmp_path / "alone", device="cpu", cache=False))
    assert read_record(record).content == read_record(alone).content


def test_what_is_finished_is_sent_to_no_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = RunOptions(results=tmp_path / "results", device="cpu", cache=False)
    wanted = planned(scenario(tmp_path), "naive", "train.epochs=1")
    (first,) = run_all([wanted], options, jobs=1)
    monkeypatch.setattr(cluster, "import_ray", lambda: pytest.fail("the cluster was asked"))
    with Cluster(options) as entered:
        (again,) = entered.carry_out([wanted], silent)
    assert again.error is None and again.record == first.record


def test_a_trial_that_the_cluster_lost_stays_to_be_done(tmp_path: Path) -> None:
    from clbench.tune.carry_out import carry_out as search

    study = asked(search_file(tmp_path), tmp_path / "results")
    lost = CutOffError("the cluster lost it too often")
    with pytest.raises(RunError, match="The search stopped"):
        search([study], carry=lambda plans: [node.RunOutcome(plan, error=lost) for plan in plans], say=lambda _: None)
    assert [trial.state for trial in study.trials] == ["open"] * 2


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(1800)
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_a_search_on_a_cluster_that_is_killed_and_stopped_ends_as_one_on_this_machine(tmp_path: Path) -> None:
    path = search_file(tmp_path, trials=6, sessions=0, set={"train.epochs": 4})
    words = [sys.executable, "-m", "clbench", "search", str(path), "--device", "cpu", "--no-cache", "--results"]
    apart = ["--address", "local", "--cpus-per-run", "1"]

    def start(results: str, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*words, results, *more], cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def stopped(number: signal.Signals, *, trials: int) -> tuple[int, str]:
        process, deadline = start("cluster", *apart), time.monotonic() + 400
        while len(list((tmp_path / "cluster").rglob("trial*.json"))) < trials and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=400)
        return process.returncode, said

    assert stopped(signal.SIGKILL, trials=1)[0] == -signal.SIGKILL
    (journal,) = (tmp_path / "cluster").rglob("search-*.json")
    assert json.loads(journal.read_bytes())["trials"][0]["state"] == "open", "it was killed within the first batch"
    code, said = stopped(signal.SIGTERM, trials=3)
    assert code == 130 and "has saved its state" in said, said
    done = {file: file.stat().st_mtime_ns for file in (tmp_path / "cluster").rglob("trial*.json")}
    assert 3 <= len(done) < 6
    for process in (start("cluster", *apart), start("alone", "--jobs", "1")):
        told, said = process.communicate(timeout=800)
        assert process.returncode == 0 and "1 of 1 runs have their record" in told, said
    assert {file: file.stat().st_mtime_ns for file in done} == done, "finished trials are not repeated"
    places = tmp_path / "alone", tmp_path / "cluster"
    names = [sorted(file.relative_to(place) for file in records(place)) for place in places]
    assert names[0] == names[1] and len(names[0]) == 6 + 1
    for name in names[0]:
        ours, theirs = (read_record(place / name) for place in places)
        assert (ours.ap, ours.summary, ours.train) == (theirs.ap, theirs.summary, theirs.train)
    journals = [next(place.rglob("search-*.json")).read_bytes() for place in places]
    assert journals[0] == journals[1]


def records(folder: Path) -> list[Path]:
    return [*folder.rglob("trial?.json"), *folder.rglob("seed?.json")]
