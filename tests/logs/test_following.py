"""Following runs: the progress file, the logs, and that neither can stop or change a run."""

from __future__ import annotations

import csv
import json
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import tiny_scenarios
from record_factory import METHODS, TINY, make_record

from clbench.errors import ResultsError, UsageError
from clbench.files.checked_lines import check_lines
from clbench.many.here import run_all
from clbench.records.record import read_record, to_plain, write_record
from clbench.train.events import (
    Event,
    Making,
    Message,
    RunFailed,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionStarted,
    StepEnded,
    StreamBuilt,
    Watch,
    relay,
    several,
    silent,
)
from clbench.train.run import RunOptions
from clbench.watch import progress_file as follow
from clbench.watch.logs.log import LOG_STEPS, LOGS, About, Result, Step, about, openers
from clbench.watch.progress_file import Following, followed

RUN = "er · seed 0"


@pytest.fixture
def told(tmp_path: Path) -> About:
    values = {
        "head": "linear",
        "memory": 24,
        "head_options": {"layers": 2},
        "train.lr": 0.001,
        "train.milestones": [1, 2],
    }
    return About(
        run=RUN,
        folder=tmp_path / "work",
        scenario="tiny.v1",
        strategy="er",
        seed=0,
        configuration="ab" * 32,
        values=values,
    )


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "seed0.json"
    write_record(make_record(METHODS[4], TINY), path)
    return path


def play(
    watch: Watch, record: Path | None, *, run: str = RUN, sessions: int = 3, steps: int = 50, start: int = 0
) -> None:
    """Tell `watch` of a made-up run of `sessions` sessions with `steps` steps each, from session `start` on."""
    watch(RunStarted(run=run, strategy="er", seed=0, sessions=sessions, stand_in=True))
    for session in range(start, sessions):
        watch(SessionStarted(run=run, session=session, labels=2 * session + 2, images=400, steps=steps // 2))
        for step in range(1, steps + 1):
            watch(StepEnded(
                run=run, session=session, epoch=(step - 1) // (steps // 2), step=step, steps=steps, images=8,
                read_loss=lambda session=session, step=step: 1 / (session + 1) + 0.01 * step,
            ))  # fmt: skip
        watch(
            SessionFinished(
                run=run,
                session=session,
                seconds=1.5,
                last_map=0.9 - 0.1 * session,
                fixed_map=0.8 - 0.1 * session,
                stored=24,
            )
        )
    if record is not None:
        watch(RunFinished(run=run, record=record, seconds=4.0))


def following(told: About, *kinds: str, say: Callable[[str], None] = print) -> Following:
    return Following({told.run: told}, openers(kinds), say=say)


def progress(told: About) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((told.folder / follow.PROGRESS).read_bytes())
    return found


# ------------------------------------------------------------------ progress


def test_the_progress_file_tells_how_far_a_run_is_and_goes_with_the_record(told: About, record: Path):
    watch = following(told)
    play(watch, None, sessions=2)
    found = progress(told)
    assert (found["state"], found["session"]) == ("running", 1)
    assert found["maps"] == [
        {"session": 0, "growing": 0.9, "fixed": 0.8},
        {"session": 1, "growing": 0.8, "fixed": pytest.approx(0.7)},
    ]
    watch(RunFinished(run=RUN, record=record, seconds=1.0))
    assert not (told.folder / follow.PROGRESS).exists()


def test_steps_are_written_now_and_then_and_the_loss_is_read_no_more_often(
    told: About, monkeypatch: pytest.MonkeyPatch
):
    clock = iter(range(1_000_000))
    monkeypatch.setattr(follow.time, "monotonic", lambda: 0.1 * next(clock))
    read: list[int] = []
    watch = following(told)
    watch(RunStarted(run=RUN, strategy="er", seed=0, sessions=1, stand_in=True))
    watch(SessionStarted(run=RUN, session=0, labels=2, images=100, steps=100))
    for step in range(1, 101):
        watch(
            StepEnded(
                run=RUN,
                session=0,
                epoch=0,
                step=step,
                steps=100,
                images=8,
                read_loss=lambda step=step: read.append(step) or 0.5,
            )
        )
    assert 5 <= len(read) <= 20
    assert progress(told)["step"] == read[-1] and progress(told)["loss"] == 0.5


def test_a_resumed_run_keeps_what_its_earlier_sessions_came_to(told: About):
    first = following(told)
    play(first, None, sessions=2)
    first.close()
    assert progress(told)["state"] == "stopped"
    second = following(told, "csv")
    play(second, None, sessions=3, start=1)  # session 1 is trained again from its saved state
    assert [item["session"] for item in progress(told)["maps"]] == [0, 1, 2]
    second.close()
    totals = [int(line["total_steps"]) for line in lines(told) if line["event"] == "session"]
    assert totals == [100, 150]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"past": 3, "maps": []}'])
def test_a_progress_file_that_is_none_is_written_anew(told: About, text: str):
    told.folder.mkdir()
    (told.folder / follow.PROGRESS).write_text(text)
    play(following(told), None, sessions=1)
    assert len(progress(told)["maps"]) == 1


def test_a_progress_file_with_one_bit_changed_is_told_and_not_believed(told: About):
    play(following(told), None, sessions=2)
    path, said = told.folder / follow.PROGRESS, list[str]()
    path.write_bytes(path.read_bytes().replace(b'"past":{"0":50', b'"past":{"0":51'))
    play(following(told, say=said.append), None, start=2)
    assert len(said) == 1 and "progress.json is not as it was written" in said[0]
    assert [item["session"] for item in progress(told)["maps"]] == [2]


@pytest.mark.timeout(60)
def test_a_pipe_in_place_of_a_progress_file_is_told_and_not_waited_for(told: About):
    told.folder.mkdir()
    os.mkfifo(told.folder / follow.PROGRESS)
    said = list[str]()
    play(following(told, say=said.append), None, sessions=1)
    assert len(said) == 1 and "cannot be read" in said[0]
    assert len(progress(told)["maps"]) == 1


def test_the_losses_of_a_long_run_are_thinned_and_still_span_it(told: About, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(follow, "WRITE_SECONDS", 0.0)
    monkeypatch.setattr(follow, "MOST_LOSSES", 8)
    watch = following(told)
    watch(RunStarted(run=RUN, strategy="er", seed=0, sessions=2, stand_in=True))
    watch(SessionStarted(run=RUN, session=0, labels=2, images=100, steps=30))
    for step in range(1, 31):
        watch(
            StepEnded(run=RUN, session=0, epoch=0, step=step, steps=30, images=8, read_loss=lambda step=step: 1 / step)
        )
    losses = progress(told)["losses"]
    assert len(losses) <= 8 and losses[-1] == [0, 30, pytest.approx(1 / 30)]
    assert losses[0][1] <= 8 and [entry[1] for entry in losses] == sorted(entry[1] for entry in losses)
    watch(SessionStarted(run=RUN, session=0, labels=2, images=100, steps=30))
    assert progress(told)["losses"] == [], "a session that begins again begins its curve again"


def test_a_failed_run_leaves_its_reason(told: About):
    watch = following(told)
    play(watch, None, sessions=1)
    watch(RunFailed(run=RUN, message="the loss is not finite"))
    assert (progress(told)["state"], progress(told)["message"]) == ("failed", "the loss is not finite")


def test_numbers_that_are_none_do_not_break_the_file(told: About):
    watch = following(told)
    watch(RunStarted(run=RUN, strategy="er", seed=0, sessions=1, stand_in=True))
    watch(SessionStarted(run=RUN, session=0, labels=2, images=9, steps=1))
    watch(SessionFinished(run=RUN, session=0, seconds=0.1, last_map=float("nan"), fixed_map=float("nan"), stored=0))
    assert progress(told)["maps"] == [{"session": 0, "growing": None, "fixed": None}]


def test_a_folder_that_cannot_be_written_stops_nothing(told: About, record: Path):
    told.folder.parent.mkdir(exist_ok=True)
    told.folder.write_text("a file where the folder should be")
    said: list[str] = []
    play(following(told, "csv", say=said.append), record)
    assert len(said) == 1 and "the run goes on" in said[0]


def test_runs_that_are_not_known_are_left_alone(told: About, record: Path):
    play(following(told), record, run="other · seed 9")
    assert not told.folder.exists()


# ------------------------------------------------------------------ logs


def lines(told: About) -> list[dict[str, str]]:
    with (told.folder / "log.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_csv_log_has_a_line_per_event(told: About, record: Path):
    play(following(told, "csv"), record)
    found = lines(told)
    assert [line["event"] for line in found] == ["start", *["step", "step", "step", "session"] * 3, "record"]
    assert [line["step"] for line in found if line["event"] == "step"] == ["20", "40", "50"] * 3
    assert [line["total_steps"] for line in found if line["event"] == "step"][-1] == "150"
    (last,) = [line for line in found if line["event"] == "session" and line["session"] == "3"]
    assert (float(last["map_growing"]), float(last["map_fixed"])) == pytest.approx((0.7, 0.6))
    assert float(found[1]["loss"]) == pytest.approx(1.2)
    assert found[1]["epoch"] == "1" and found[3]["epoch"] == "2"


def test_a_second_attempt_goes_on_in_the_same_csv(told: About, record: Path):
    for _ in range(2):
        play(following(told, "csv"), record, sessions=1)
    found = lines(told)
    assert [line["event"] for line in found].count("start") == 2
    assert all(line["event"] != "event" for line in found)


def test_every_line_of_the_csv_log_has_a_checksum_and_a_changed_one_is_found(told: About, record: Path):
    play(following(told, "csv"), record)
    log = told.folder / "log.csv"
    whole = log.read_bytes()
    check_lines(whole)
    check_lines(whole + b"2026-01-01,st")  # a killed process may leave the beginning of a line
    check_lines(b"time,event\n2026,start\n")  # written before lines had one
    missed = [
        place
        for place in range(len(whole) - 1)
        if not _is_found(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    ]
    assert missed == []


def _is_found(text: bytes) -> bool:
    try:
        check_lines(text)
    except ResultsError as error:
        return "line " in error.message
    return False


def test_a_line_that_a_killed_process_left_unfinished_goes_when_the_log_goes_on(told: About, record: Path):
    play(following(told, "csv"), record, sessions=1)
    log = told.folder / "log.csv"
    whole = log.read_bytes()
    log.write_bytes(whole[:-7])
    play(following(told, "csv"), record, sessions=1)
    check_lines(log.read_bytes())
    assert log.read_bytes().startswith(whole[: whole[:-1].rfind(b"\n") + 1])


def test_a_log_that_breaks_is_dropped_and_the_others_go_on(told: About, record: Path):
    class Breaks:
        def step(self, step: Step) -> None:
            raise OSError("disk full")

        def result(self, result: Result) -> None:
            raise AssertionError("was dropped")

        finished = result
        close = step

    said: list[str] = []
    watch = Following({RUN: told}, [lambda about: Breaks(), *openers(["csv"])], say=said.append)  # type: ignore[list-item]
    play(watch, record)
    assert said == [f"{RUN}: a log stops here (OSError: disk full); the run goes on."]
    assert [line["event"] for line in lines(told)].count("session") == 3


def test_a_log_that_cannot_be_opened_stops_nothing(told: About, record: Path):
    def refuses(about: About) -> Any:
        raise RuntimeError("no licence")

    said: list[str] = []
    play(Following({RUN: told}, [refuses], say=said.append), record)
    assert len(said) == 1 and "no licence" in said[0]


def test_an_unknown_log_and_one_that_is_not_installed_are_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UsageError, match="--log mlflow: no such log"):
        openers(["mlflow"])
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.delitem(sys.modules, "clbench.watch.logs.wandb", raising=False)
    with pytest.raises(UsageError, match=r"--log wandb: .*cannot be imported") as caught:
        openers(["wandb"])
    assert caught.value.hint == "Install it: pip install wandb"


def test_the_command_offers_the_logs_that_there_are():
    from clbench.cli.verbs.run import command

    (option,) = [parameter for parameter in command.params if parameter.name == "logs"]
    assert set(option.type.choices) == set(LOGS)  # type: ignore[attr-defined]


def test_nothing_is_imported_before_it_is_asked_for():
    code = (
        "import sys, clbench.watch.progress_file; print(sorted({'wandb', 'tensorboard', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_log_steps_are_those_that_worker_processes_send(told: About):
    sent: list[int] = []

    def put(event: Event) -> None:
        there = pickle.loads(pickle.dumps(event))
        assert isinstance(there, StepEnded) and there.loss == 0.25
        sent.append(there.step)

    teller = relay(put)
    for step in range(1, 51):
        teller(StepEnded(run=RUN, session=0, epoch=0, step=step, steps=50, images=1, read_loss=lambda: 0.25))
    assert set(sent) == {step for step in range(1, 51) if step % LOG_STEPS == 0 or step == 50}


@pytest.mark.filterwarnings("ignore")
def test_tensorboard_reads_back_what_was_logged(told: About, record: Path):
    play(following(told, "tensorboard"), record)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(told.folder / "tensorboard")).Reload()
    scalars = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    assert [step for step, _ in scalars["train/loss"]] == [20, 40, 50, 70, 90, 100, 120, 140, 150]
    assert scalars["train/loss"][0][1] == pytest.approx(1.2)
    assert scalars["mAP/growing"] == [(1, pytest.approx(0.9)), (2, pytest.approx(0.8)), (3, pytest.approx(0.7))]
    assert scalars["mAP/fixed"][2] == (3, pytest.approx(0.6))
    assert scalars["cost/stored_images"] == [(1, 24.0), (2, 24.0), (3, 24.0)]
    summary = read_record(record).summary
    for name, value in summary.items():
        assert scalars[f"summary/{name.replace('@', '_at_')}"] == [(3, pytest.approx(value))]
    text = events.Tensors("run/text_summary")[0].tensor_proto.string_val[0].decode()
    assert told.configuration in text and '"memory": 24' in text


WANDB = """
import sys, pathlib
sys.path.insert(0, sys.argv[3])
import test_following as tests
from clbench.watch.logs.log import About
told = About(run=tests.RUN, folder=pathlib.Path(sys.argv[1]), scenario="tiny.v1", strategy="er", seed=0,
             configuration="ab" * 32, values={"memory": 24, "train.lr": 0.001})
tests.play(tests.following(told, "wandb"), pathlib.Path(sys.argv[2]))
"""


def chunks(content: bytes) -> Iterator[bytes]:
    """Yield the messages of a W&B file: LevelDB's log format behind a header of seven bytes."""
    assert content.startswith(b":W&B")
    place, whole, block = 7, b"", 32768
    while place + 7 <= len(content):
        if block - place % block < 7:
            place += block - place % block
            continue
        length, kind = struct.unpack_from("<HB", content, place + 4)
        whole += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield whole
            whole = b""


def logged_by_wandb(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """Return (history, configuration, summary) of the one offline run below a folder."""
    from wandb.proto import wandb_internal_pb2

    (path,) = folder.rglob("run-*.wandb")
    history: list[dict[str, Any]] = []
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    for data in chunks(path.read_bytes()):
        message = wandb_internal_pb2.Record()
        message.ParseFromString(data)
        named = lambda items: {i.key or ".".join(i.nested_key): json.loads(i.value_json) for i in items}  # noqa: E731
        if message.HasField("history"):
            history.append(named(message.history.item))
        if message.HasField("run"):
            config |= named(message.run.config.update)
        if message.HasField("summary"):
            summary |= named(message.summary.update)
    return history, config, summary


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_wandb_reads_back_what_was_logged_without_any_network(told: About, record: Path, tmp_path: Path):
    pytest.importorskip("wandb")
    home = tmp_path / "home"
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    environment |= {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "XDG_CACHE_HOME": str(home),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    words = [sys.executable, "-c", WANDB, str(told.folder), str(record), str(Path(__file__).parent)]
    # a network namespace of its own has no way out, not even to this machine
    lonely = ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*lonely, "true"], capture_output=True, check=False).returncode:
        lonely = []
    done = subprocess.run([*lonely, *words], env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert "a log stops here" not in done.stdout + done.stderr
    history, config, summary = logged_by_wandb(told.folder)
    losses = [(line["total_steps"], line["train/loss"]) for line in history if "train/loss" in line]
    assert [step for step, _ in losses] == [20, 40, 50, 70, 90, 100, 120, 140, 150]
    assert losses[0][1] == pytest.approx(1.2)
    maps = [(line["session"], line["mAP/growing"], line["mAP/fixed"]) for line in history if "mAP/growing" in line]
    assert maps[-1] == (3, pytest.approx(0.7), pytest.approx(0.6))
    assert (config["memory"], config["train.lr"], config["scenario"]) == (24, 0.001, "tiny.v1")
    assert summary["average_map"] == pytest.approx(read_record(record).summary["average_map"])


# ------------------------------------------------------------------ with real runs


def test_a_loss_is_read_once_for_all_watches():
    def reads(event: Event) -> None:
        assert isinstance(event, StepEnded) and event.loss == 0.5

    read: list[float] = []
    watch = several(reads, reads, silent)
    watch(StepEnded(run="x", session=0, epoch=0, step=1, steps=1, images=1, read_loss=lambda: read.append(0) or 0.5))
    assert len(read) == 1


def test_several_tells_every_watch_everything(record: Path):
    first: list[Event] = []
    second: list[Event] = []
    watch = several(first.append, second.append)
    play(watch, record, sessions=1, steps=2)
    watch(RunFailed(run=RUN, message="x"))
    watch(Making("z", 1, 2))
    watch(Message("y"))
    assert first == second
    assert {*map(type, first), StreamBuilt} == set(get_args(Event))


def test_what_to_follow_is_where_the_run_writes(tmp_path: Path):
    wanted = tiny_scenarios.planned(tiny_scenarios.scenario(tmp_path), "er")
    options = RunOptions(results=tmp_path / "results", device="cpu")
    (found,) = about([wanted], options).values()
    _, made = tiny_scenarios.finished(wanted, tmp_path / "results")
    assert found.folder.with_suffix(".json").exists()
    assert found.configuration == made.configuration
    assert found.values["memory"] == made.strategy.fields["memory"]
    assert found.values["train.batch_size"] == made.train["batch_size"]


def numbers(path: Path) -> dict[str, Any]:
    """All of a record but its times, and but the code's commit, which may change while tests run."""
    return {k: v for k, v in to_plain(read_record(path)).items() if k not in ("times", "content", "code")}


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_logs_change_no_number(tmp_path: Path, jobs: int):
    path = tiny_scenarios.scenario(tmp_path)
    plans = [tiny_scenarios.planned(path, "er", seed=seed) for seed in (1, 2)]
    plain = run_all(plans, RunOptions(results=tmp_path / "plain", device="cpu"), jobs=1)
    options = RunOptions(results=tmp_path / "logged", device="cpu")
    said: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, Message):
            said.append(event.text)

    with followed(plans, options, watch=hear, kinds=["csv", "tensorboard"]) as watch:
        logged = run_all(plans, options, jobs=jobs, watch=watch)
    assert said == []
    for a, b in zip(plain, logged, strict=True):
        assert a.record is not None and b.record is not None, (a.error, b.error)
        assert numbers(a.record) == numbers(b.record)
        work = b.record.with_suffix("")
        assert (work / "log.csv").exists() and list((work / "tensorboard").iterdir())
        assert not (work / follow.PROGRESS).exists()
        with (work / "log.csv").open(encoding="utf-8", newline="") as stream:
            events = list(csv.DictReader(stream))
        maps = [float(line["map_growing"]) for line in events if line["event"] == "session"]
        assert sum(maps) / len(maps) == pytest.approx(read_record(b.record).summary["average_map"])
        assert int(events[-2]["total_steps"]) == sum(cost.steps for cost in read_record(b.record).costs)
