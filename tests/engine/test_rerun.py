"""A record's run, carried out again from what the record says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest
import torch
from tiny_scenarios import scenario

from clbench.cli.group import invoke
from clbench.errors import CheckError, UsageError
from clbench.metrics import of_session
from clbench.plan.plans import plan
from clbench.records.configuration import configuration_text, other_section
from clbench.records.record import Record, read_record, seal, write_record
from clbench.records.verify import against_stream
from clbench.records.verify.verify import verify
from clbench.train.rerun import plan_of, reproduce
from clbench.train.run import RunOptions, run


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record whose every value differs from the defaults somewhere."""
    torch.set_num_threads(1)
    sets = ["er.memory=10", "train.lr=0.004", "train.epochs=1", "head=maxpool"]
    (wanted,) = plan("tiny", strategies=["er"], seeds=[7], sets=sets)
    return run(wanted, RunOptions(results=tmp_path_factory.mktemp("first"), device="cpu", cache=False))


def altered(path: Path, folder: Path, **changes: object) -> Path:
    """The record with some sections replaced, sealed as if a run had written it."""
    plain = msgspec.structs.replace(read_record(path), **changes)
    write_record(seal(plain), folder / path.name)
    return folder / path.name


def test_the_plan_is_the_one_the_run_had(record: Path) -> None:
    told: Record = read_record(record)
    again = plan_of(told)
    assert (again.seed, again.entry.name, again.train.lr, again.train.epochs) == (7, "er", 0.004, 1)
    assert again.fields["memory"] == 10 and again.fields["head"] == "maxpool" and again.changed_train


def test_an_honest_record_is_reproduced(record: Path, tmp_path: Path) -> None:
    assert reproduce(record, tmp_path / "again") == []


def test_a_record_of_protocol_1_is_verified_and_made_again_as_it_was(tmp_path: Path) -> None:
    (wanted,) = plan("tiny", strategies=["naive"], seeds=[7], sets=["train.epochs=1"])
    options = RunOptions(results=tmp_path, device="cpu", cache=False)
    older = run(dataclasses.replace(wanted, protocol=1), options)
    told = read_record(older)
    assert told.protocol == 1 and [score.file for score in told.scores][:1] == ["scores-0.npy"]
    assert verify(older).ok and reproduce(older, tmp_path / "again") == []
    now = run(wanted, options)
    assert now.parent != older.parent, "a finished run of protocol 1 is none of protocol 2"
    assert [score.kind for score in read_record(now).scores] == ["logits"] * 3
    renamed = [msgspec.structs.replace(score, kind="probabilities") for score in read_record(now).scores]
    assert "scores[0].file is not named after its kind" in str(
        verify(altered(now, tmp_path, scores=renamed)).findings[0]
    )
    older_kind = altered(older, tmp_path, scores=[msgspec.structs.replace(s, kind="logits") for s in told.scores])
    assert "scores[0].kind does not fit protocol 1" in str(verify(older_kind).findings[0])


def test_a_forged_number_is_named_with_both_values(record: Path, tmp_path: Path) -> None:
    told = read_record(record)
    growing = [list(row) for row in told.ap.growing]
    growing[2][1] = 0.987654
    forged = altered(record, tmp_path, ap=msgspec.structs.replace(told.ap, growing=growing))
    found = reproduce(forged, tmp_path / "again")
    lines = [str(finding) for finding in found if finding.field == "ap.growing[2][1]"]
    assert lines and "is 0.987654; run again it is" in lines[0]


def test_a_mark_that_was_taken_away_or_a_value_that_was_hidden_is_named(record: Path, tmp_path: Path) -> None:
    told = read_record(record)
    assert "changed-train" in told.marks and "memory" in told.strategy.changed
    changed = {name: value for name, value in told.strategy.changed.items() if name != "memory"}
    clean = altered(
        record,
        tmp_path,
        marks=[mark for mark in told.marks if mark != "changed-train"],
        strategy=msgspec.structs.replace(told.strategy, changed=changed),
    )
    assert verify(clean).ok, "inside the record nothing contradicts it"
    found = [str(finding) for finding in reproduce(clean, tmp_path / "again")]
    assert any(line.startswith("marks lacks 'changed-train'") for line in found), found
    assert any(line.startswith("strategy.changed.memory is new") for line in found), found


def test_another_scenario_of_the_same_name_is_refused(record: Path, tmp_path: Path) -> None:
    told = read_record(record)
    other = altered(record, tmp_path, scenario=msgspec.structs.replace(told.scenario, digest="0" * 64))
    with pytest.raises(UsageError, match="is not the scenario of the record"):
        reproduce(other, tmp_path / "again")


def test_the_verb_says_reproduced_or_is_exit_code_6(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["verify", str(record), "--rerun"]) == 0
    assert "1 of 1 records are reproduced" in capsys.readouterr().out
    told = read_record(record)
    costs = [msgspec.structs.replace(cost, steps=cost.steps + 1) for cost in told.costs]
    forged = altered(record, tmp_path, costs=costs)
    with pytest.raises(CheckError, match="not what a run gives") as caught:
        invoke(["verify", str(forged), "--rerun"])
    out = capsys.readouterr().out
    assert caught.value.exit_code == 6 and out.startswith("unverified") and "costs[0].steps is" in out


INFLATES = '''
"""For a test."""

from clbench import Session, Strategy


class Inflates(Strategy):
    """Replaces the function that computes average precision."""

    def end_session(self, session: Session) -> None:
        from clbench.metrics import of_session

        real = of_session.average_precisions
        if real.__name__ != "better":

            def better(scores, truth):
                return (real(scores, truth) + 1.0) / 2.0

            of_session.average_precisions = better
'''


def test_a_strategy_that_changes_the_metrics_does_not_judge_its_own_rerun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(of_session, "average_precisions", of_session.average_precisions)  # put back at the end
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "inflates.py").write_text(INFLATES)
    monkeypatch.setenv("CLBENCH_PATH", str(tmp_path))
    (wanted,) = plan("tiny", strategies=["inflates"], seeds=[0])
    record = run(wanted, RunOptions(results=tmp_path / "results", device="cpu"))
    assert verify(record).ok and "local-strategy" in read_record(record).marks
    with pytest.raises(CheckError):
        invoke(["verify", str(record), "--rerun"])
    out = capsys.readouterr().out
    assert "the run gives numbers that its own scores do not: ap.growing[0][0] is " in out


def test_what_ran_travels_beside_the_record_and_runs_again_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLBENCH_BESIDE", "")
    (tmp_path / "own").mkdir()
    mine = tmp_path / "own" / "travelling.py"
    mine.write_text(
        '"""For a test."""\n\nfrom clbench import Strategy\n\n\nclass Travelling(Strategy):\n    """Goes."""\n'
    )
    own = scenario(tmp_path / "own", train={"epochs": 1})
    (wanted,) = plan(own, strategies=[str(mine)], seeds=[0])
    there = run(wanted, RunOptions(results=tmp_path / "results", device="cpu", cache=False))
    beside = there.with_suffix("")
    assert (beside / "travelling.py").read_bytes() == mine.read_bytes()
    assert (beside / "miniature.yaml").read_bytes() == Path(own).read_bytes()
    (tmp_path / "own").rename(tmp_path / "gone")
    with pytest.raises(UsageError, match="There is no scenario 'miniature'"):
        reproduce(there, tmp_path / "again")
    given = {"strategy": beside / "travelling.py", "scenario": beside / "miniature.yaml"}
    with pytest.raises(UsageError, match="the record's strategy is travelling"):
        reproduce(there, tmp_path / "again", **given | {"strategy": beside / "miniature.yaml"})
    assert reproduce(there, tmp_path / "again", **given) == []
    # without its scenario a record is scored again by the copy, without that it cannot be, and others are
    assert invoke(["verify", str(there), "--scores"]) == 0
    assert "re-scored   " in (told := capsys.readouterr().out)
    assert "no scenario miniature is here; by its copy beside the scores" in told
    with (beside / "miniature.yaml").open("a") as file:
        file.write("\nvalidation: {fraction: 0.2, seed: 0}\n")
    against_stream._stream.cache_clear()  # as in another process
    with pytest.raises(UsageError, match="is not the scenario of the record"):
        invoke(["verify", str(there), "--scores"])
    given["scenario"] = (beside / "miniature.yaml").rename(tmp_path / "miniature.yaml")
    given["scenario"].write_bytes((tmp_path / "gone/miniature.yaml").read_bytes())
    other = run(
        plan("tiny", strategies=["naive"], sets=["train.epochs=1"])[0],
        RunOptions(results=tmp_path / "results", device="cpu"),
    )
    with pytest.raises(UsageError, match=r"1 of 2 records could not be scored again\. There is no scenario"):
        invoke(["verify", str(there), str(other), "--scores"])
    told = capsys.readouterr().out
    assert f"re-scored   {other}" in told and "not scored: There is no scenario" in told
    assert "1 of 2 records are re-scored" in told
    assert invoke(["verify", str(there), "--scores", "--scenario", str(given["scenario"])]) == 0


def test_a_configuration_that_is_not_the_records_is_found(record: Path, tmp_path: Path) -> None:
    copy = altered(record, tmp_path)
    config = record.with_name("config.yaml").read_bytes()
    for change, said in (
        (b"", ""),
        (b"x: 1\n", "another `x`"),
        (b"\xff", "another `"),
        (config.replace(b"lr: 0.004", b"lr: 0.005"), "another `train`"),
        (config.replace(b"memory: 10", b"memory: 11"), "another `strategy`"),
    ):
        (tmp_path / "config.yaml").write_bytes(change if change.startswith(b"scen") else config + change)
        told = [str(finding) for finding in verify(copy).findings]
        assert bool(told) is bool(said) and said in "".join(told)


def test_a_text_that_looks_like_a_number_is_no_other_value(record: Path, tmp_path: Path) -> None:
    told = read_record(record)
    parts = {"scenario": "tiny", "dataset": "scenes", "strategy": "er", "train": {"weights": "1e3"}}
    shared = ["a"]
    text = configuration_text(fields={"one": shared, "two": shared}, **parts).encode()
    assert b"weights: '1e3'" in text and b"&" not in text
    strategy = msgspec.structs.replace(told.strategy, name="er", fields={"one": ["a"], "two": ["a"]})
    scenario = msgspec.structs.replace(told.scenario, name="tiny", dataset="scenes")
    same = msgspec.structs.replace(told, strategy=strategy, scenario=scenario, train={"weights": "1e3"})
    # as earlier releases wrote it, too
    for written in (text, text.replace(b"'1e3'", b"1e3")):
        assert other_section(same, written) == "" and other_section(same, written.replace(b"1e3", b"1e4")) == "train"
