"""`clbench run` around the training: what it asks of the engine, and what it prints of the outcome."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from record_factory import B40, METHODS, TINY, Method, make_record, sealed, sections_of

from clbench.errors import RunError
from clbench.many.one import RunOutcome
from clbench.plan.catalog import find_scenario
from clbench.plan.plan import Plan
from clbench.records.record import Record, write_record
from clbench.records.rows import Row
from clbench.records.store import record_path
from clbench.report.formats.write import TABLES, write_report
from clbench.train.events import RunFailed, RunFinished, RunStarted, SessionFinished, Watch
from clbench.train.run import RunOptions

Cli = Callable[..., Any]


def made(method: Method, *, seed: int, stand_in: bool) -> Record:
    sections = sections_of(make_record(method, B40 if stand_in else TINY, seed=seed))
    sections["scenario"] = msgspec.structs.replace(sections["scenario"], stand_in=stand_in)
    sections["marks"] = sorted({*sections["marks"]} - {"stand-in"} | ({"stand-in"} if stand_in else set()))
    return sealed(sections)


class Engine:
    """Stands where training stands: remembers what it was asked and hands out a record, or an error, per plan."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.options = RunOptions()
        self.jobs: int | None = None
        self.failing: set[str] = set()
        self.spoiling: set[str] = set()

    def run_all(
        self, plans: list[Plan], options: RunOptions, *, jobs: int | None = None, watch: Watch | None = None
    ) -> list[RunOutcome]:
        self.plans, self.options, self.jobs = plans, options, jobs
        assert watch is not None
        return [self._one(plan, watch) for plan in plans]

    def _one(self, plan: Plan, watch: Watch) -> RunOutcome:
        run = f"{plan.entry.name} · seed {plan.seed}"
        watch(RunStarted(run, plan.entry.name, plan.seed, sessions=3, stand_in=plan.stand_in))
        if plan.entry.name in self.failing:
            watch(RunFailed(run, "the loss is not finite"))
            return RunOutcome(plan, error=RunError("the loss is not finite", hint="Lower train.lr."))
        method = next(m for m in METHODS if m.name == plan.entry.name)
        record = made(method, seed=plan.seed, stand_in=plan.stand_in)
        path = record_path(self.options.results, record)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_record(record, path)
        if plan.entry.name in self.spoiling:
            path.write_bytes(path.read_bytes().replace(b'"clbench": "0.1.0"', b'"clbench": "0.1.1"'))
        watch(SessionFinished(run, session=2, seconds=1.0, last_map=0.5, fixed_map=0.4, stored=24))
        watch(RunFinished(run, path, seconds=2.0))
        return RunOutcome(plan, record=path)


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> Engine:
    found = Engine()
    monkeypatch.setattr("clbench.many.here.run_all", found.run_all)
    return found


@pytest.fixture
def engine(drawing: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Without figures, which take seconds."""

    def quick(records: list[Row], *, formats: tuple[str, ...], **how: Any) -> list[Path]:
        return write_report(records, formats=[name for name in formats if name in TABLES], **how)

    monkeypatch.setattr("clbench.report.formats.write.write_report", quick)
    return drawing


def test_a_run_prints_its_table_and_where_everything_lies(cli: Cli, drawing: Engine, here: Path):
    done = cli("run", "tiny", "--strategy", "naive,er", "--seed", "0,1")
    assert done.code == 0
    assert "tiny v1" in done.out
    lines = [line.split() for line in done.out.splitlines()]
    assert {line[1] for line in lines if line[:1] in (["1"], ["2"])} == {"er", "naive"}
    where = done.out.splitlines()[-3:]
    assert where[:2] == ["Records: results/tiny.v1", "Tables and curves: results/tiny.v1/report"]
    assert where[2].startswith("Next: clbench ")
    written = {path.relative_to(here / "results/tiny.v1/report") for path in here.rglob("report/**/*.*")}
    assert {Path(f"leaderboard.{kind}") for kind in TABLES} <= written
    # the other figures take longer to draw than a small run
    assert {path.name for path in written if path.parent.name == "tiny.v1"} == {"map.png", "map.csv"}
    assert "mAP after each session" in done.out and all(len(line) <= 100 for line in where)


def test_progress_goes_to_stderr_and_quiet_leaves_the_result_alone(cli: Cli, engine: Engine):
    loud = cli("run", "tiny", "--strategy", "er")
    assert "er · seed 0: session 3: mAP 50.00 (all test images 40.00), 1.0 s, 24 stored" in loud.err
    assert "er · seed 0: finished in 2.0 s" in loud.err
    quiet = cli("run", "tiny", "--strategy", "er", "--quiet")
    assert (quiet.err, quiet.out) == ("", loud.out)


def test_what_was_asked_reaches_the_engine(cli: Cli, engine: Engine, here: Path):
    words = (
        "--strategy naive --strategy er --seed 3 --seed 4,5 --set train.epochs=1 --results out --device cpu --jobs 2"
    )
    done = cli("run", "tiny", *words.split(), "--workers", "1", "--threads", "2", "--no-resume")
    assert done.code == 0
    assert [(p.entry.name, p.seed) for p in engine.plans] == [(n, s) for s in (3, 4, 5) for n in ("naive", "er")]
    assert {p.train.epochs for p in engine.plans} == {1}
    assert engine.jobs == 2
    assert engine.options == RunOptions(results=Path("out"), device="cpu", workers=1, threads=2, resume=False)


def test_a_path_and_a_name_mean_the_same_scenario(cli: Cli, engine: Engine):
    cli("run", "tiny", "--strategy", "er")
    by_name = engine.plans
    cli("run", str(by_name[0].scenario_path), "--strategy", "er")
    assert engine.plans == by_name


def test_a_failed_run_is_told_and_stops_no_other(cli: Cli, engine: Engine):
    engine.failing = {"naive"}
    done = cli("run", "tiny", "--strategy", "naive,er", "--quiet")
    assert done.code == 5
    assert "naive · seed 0: the loss is not finite\n  Lower train.lr." in done.err
    assert "1 of 2 runs failed" in done.err
    assert "Records: results/tiny.v1/er" in done.out


def test_a_record_that_is_unverified_is_shown_and_the_exit_code_is_that_of_reports(cli: Cli, engine: Engine):
    engine.spoiling = {"naive"}
    done = cli("run", "tiny", "--strategy", "naive,er", "--quiet")
    assert done.code == 6 and "is unverified, so its row has no rank." in done.err and "clbench verify" in done.err
    assert next(line for line in done.out.splitlines() if " naive " in line).startswith("–")
    assert cli("run", "tiny", "--strategy", "er", "--quiet").code == 0  # what was asked for is whole


def test_what_stops_several_runs_alike_is_told_once(cli: Cli, engine: Engine):
    engine.failing = {"naive"}
    done = cli("run", "tiny", "--strategy", "naive", "--seed", "0,1", "--quiet")
    assert "naive · seed 0, naive · seed 1: the loss is not finite" in done.err
    assert done.err.count("Lower train.lr.") == 1


def test_when_everything_fails_there_is_no_table(cli: Cli, engine: Engine):
    engine.failing = {"naive"}
    done = cli("run", "tiny", "--strategy", "naive")
    assert (done.code, done.out) == (5, "")


def test_the_stand_in_is_announced_in_a_frame_even_when_quiet(cli: Cli, engine: Engine, here: Path):
    done = cli("run", "coco_b40c10", "--strategy", "er", "--seed", "0", "--quiet")
    assert "┏" in done.err
    assert "STAND-IN: coco2014 is not on this machine" in done.err
    assert "clbench data get coco2014" in done.err
    assert engine.plans[0].stand_in


def test_no_stand_in_is_announced_where_there_is_none(cli: Cli, engine: Engine):
    assert "STAND-IN" not in cli("run", "tiny", "--strategy", "er").err


def test_a_results_folder_that_cannot_be_written_is_found_before_training(cli: Cli, engine: Engine, here: Path):
    (here / "results").write_text("a file, not a folder")
    done = cli("run", "tiny", "--strategy", "er")
    assert done.code == 4
    assert "results cannot be written there" in done.err
    assert engine.plans == []


def test_a_wrong_name_leaves_no_trace(cli: Cli, engine: Engine, here: Path):
    assert cli("run", "tiny", "--strategy", "err").code == 2
    assert list(here.iterdir()) == []


def test_a_missing_data_set_without_stand_in_is_a_data_error(cli: Cli, engine: Engine, here: Path):
    (here / "scenarios").mkdir()
    text = "name: mine\nversion: 1\ntitle: T.\ndataset: coco2017\nlabels: {increment: 10}\n"
    (here / "scenarios" / "mine.yaml").write_text(text)
    done = cli("run", "mine")
    assert done.code == 3
    assert "clbench data get coco2017" in done.err


def test_a_dry_run_counts_and_trains_nothing(cli: Cli, engine: Engine, here: Path):
    done = cli("run", "tiny", "--strategy", "naive", "--seed", "0,1", "--dry-run")
    assert done.code == 0
    assert engine.plans == []
    head, row = done.out.splitlines()[1:3]
    assert head.split()[:2] == ["strategy", "sessions"]
    assert row.split()[:2] == ["naive", "3"]
    assert not (here / "results").exists()


# ---------------------------------------------------------------------- the reference


def ships(folder: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clbench ship these records and no others."""
    for record in records:
        write_record(record, record_path(folder, record))
    monkeypatch.setattr("clbench.files.roots.reference_results", lambda: folder)


def test_a_run_takes_no_shipped_record_for_its_own_and_says_how_each_row_stands_to_it(
    cli: Cli, engine: Engine, here: Path, monkeypatch: pytest.MonkeyPatch
):
    naive = made(METHODS[1], seed=0, stand_in=False)
    other = [[None if v is None else v for v in row] for row in made(METHODS[4], seed=0, stand_in=False).ap.fixed]
    old, label = other[1][2], naive.labels[2]
    assert old is not None
    other[1][2] = old - 0.25 if old > 0.5 else old + 0.25
    sections = sections_of(made(METHODS[4], seed=0, stand_in=False))
    sections["ap"] = msgspec.structs.replace(sections["ap"], fixed=other)
    sections["environment"] = sections["environment"] | {"torch": "9.9.9"}
    ships(here / "shipped", [naive, sealed(sections)], monkeypatch)
    done = cli("run", "tiny", "--strategy", "naive,er,lwf", "--quiet")
    assert (done.code, len(engine.plans)) == (0, 3)
    rows = [line.split() for line in done.out.splitlines() if line.split()[1:2] in (["naive"], ["er"], ["lwf"])]
    assert {row[1]: row[-1] for row in rows} == {"naive": "equal", "er": "differs", "lwf": "none"}
    assert f"differs by up to 25 points, first in session 2 at '{label}', seed 0" in done.out
    assert "environment.torch: 2.6.0 | 9.9.9" in done.out


def test_reference_rows_stand_below_ones_own_on_request_and_alone_where_there_are_none(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
):
    ships(here / "shipped", [made(METHODS[1], seed=0, stand_in=False)], monkeypatch)
    alone = cli("report", "leaderboard", "tiny")
    assert "tiny v1, reference rows" in alone.out and "naive" in alone.out
    assert cli("report", "leaderboard", "tiny", "--no-reference").code == 4
    own = made(METHODS[4], seed=0, stand_in=False)
    write_record(own, record_path(here / "results", own))
    assert "reference rows" not in cli("report", "leaderboard", "tiny").out
    both = cli("report", "leaderboard", "tiny", "--reference").out
    assert both.index("  er") < both.index("reference rows") < both.index("  naive")
    sheet = cli("report", "leaderboard", "tiny", "--reference", "--format", "csv").out.splitlines()
    assert [line.partition(",")[0] for line in sheet] == ["kind", "run", "reference"]


def test_verify_looks_at_ones_own_records_and_at_shipped_ones_where_there_are_none(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
):
    ships(here / "shipped", [made(METHODS[1], seed=0, stand_in=False)], monkeypatch)
    (here / "results").mkdir()
    assert "1 of 1 records" in cli("verify").out
    own = made(METHODS[4], seed=0, stand_in=False)
    write_record(own, record_path(here / "results", own))
    assert "naive" not in cli("verify").out
    assert "2 of 2 records" in cli("verify", "--reference").out


def test_no_run_writes_into_the_folder_of_shipped_records(
    cli: Cli, engine: Engine, here: Path, monkeypatch: pytest.MonkeyPatch
):
    ships(here / "shipped", [made(METHODS[1], seed=0, stand_in=False)], monkeypatch)
    before = sorted(here.rglob("*"))
    done = cli("run", "tiny", "--strategy", "naive", "--results", "shipped")
    assert (done.code, engine.plans) == (4, [])
    assert "holds the records that clbench ships" in done.err and "--submit" in done.err
    assert sorted(here.rglob("*")) == before


def test_a_folder_with_nothing_of_the_data_set_is_refused_before_anything_is_imported(cli: Cli, here: Path):
    (here / "wrong").mkdir()
    done = cli("run", "coco_b40c10", "--data", "wrong")
    assert (done.code, "instances_train2014.json is missing" in done.err) == (3, True)
    assert not (here / "results").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [("[person, chair]", "[persn, chair]"), ('train: "200"', 'train: "5"'), ("options: {", "options: {a: b, ")],
)
def test_a_mistake_in_the_scenario_has_the_exit_code_of_a_dry_run(cli: Cli, here: Path, old: str, new: str):
    text = find_scenario("tiny").path.read_text()
    assert old in text
    (here / "wrong.yaml").write_text(text.replace(old, new).replace("name: tiny", "name: wrong"))
    dry = cli("run", "wrong.yaml", "--strategy", "naive,er", "--dry-run")
    done = cli("run", "wrong.yaml", "--strategy", "naive,er", "--jobs", "1")
    assert (dry.code, done.code) == (2, 2)
    assert dry.err.removeprefix("Error: ").splitlines()[0] in done.err
    assert not list(here.rglob("*.json"))
