"""Every shipped strategy is at home with every head and in every kind of stream, and can be stopped anywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from listening import StopAt
from tiny_scenarios import SHIPPED, SMALL, finished, online, planned, scenario

from clbench.errors import UsageError
from clbench.nn.heads.by_name import HEADS
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy
from clbench.records.record import Record, read_record
from clbench.train.run import RunOptions, run

STEPWISE = {"agem", "bic", "derpp", "er", "ocdm", "prs", "relabel", "si"}
"""What keeps something at every step of a one-pass stream."""
EMPTY = {
    "agem": ["memory=0"],
    "derpp": ["memory=0"],
    "er": ["memory=0"],
    "lwf": ["weight=0"],
    "relabel": ["memory=0", "threshold=1.1"],
    "ocdm": ["memory=0"],
    "podnet": ["memory=0", "spatial=0", "flat=0"],
    "prs": ["memory=0"],
}
"""What takes a method's own part away."""
OPTIONS = {
    "er": ["policy=herding", "exemplar_labels=legacy_krt"],
    "ewc": ["labels=visible"],
    "icarl": ["classifier=nearest-mean"],
    "ocdm": ["per_class=true"],
    "prs": ["rho=0.5"],
    "kbk": ["memory=12"],
    "krt": ["memory=12"],
    "csc": ["head=linear"],
    "agcn": ["beliefs=softmax"],
    "relabel": ["which=new-images"],
    "ridge": ["select=holdout", "completion=0.7"],
    "pseudo": ["memory=12"],
}
"""Choices that keep something else than the defaults do."""
SAME_STATE = {
    "er": ["policy=greedy", "policy=class-balanced", "unknown=negative"],
    "naive": ["unknown=ignore"],
    "kbk": ["hidden=negative"],
    "krt": ["rule=density", "head=queries"],
    "csc": ["entropy=0"],
    "relabel": ["below=negative"],
    "ridge": ["unknown=ignore", "weights=l3a"],
    "pseudo": ["rule=krt", "rule=density"],
}
"""Choices that run other code and keep the same."""


def with_head(head: str) -> tuple[str, ...]:
    narrow = {"queries": "{d: 16, heads: 2}", "q2l": "{d: 16, heads: 2}", "mldecoder": "{d: 16, heads: 2}"}
    options = (f"head_options={narrow[head]}",) if head in narrow else ()
    return (f"head={head}", *options)


def check_scores(record: Record, folder: Path) -> None:
    last = np.load(folder / record.scores[-1].file)
    assert record.scores[-1].kind == "logits"
    assert last.shape[1] == 6 and np.isfinite(last).all()
    # the scores tell pictures apart: a network that died gives every picture the same; one label may be sure of itself
    assert (last.std(axis=0) > 0).sum() >= 5


def check_refusal(refusal: UsageError, head: str) -> None:
    """A method that is made of label features may refuse a head without them, in words; nothing else is refused."""
    assert f"head '{head}'" in refusal.message and "needs one of" in refusal.message


# ---------------------------------------------------------------------- nothing but the method


@pytest.mark.parametrize("kind", [scenario, online])
@pytest.mark.parametrize("name", sorted(EMPTY))
def test_a_method_whose_part_is_empty_is_plain_training_to_the_bit(name: str, kind: object, tmp_path: Path) -> None:
    path = kind(tmp_path)  # type: ignore[operator]
    _, plain = finished(planned(path, "naive", "naive.unknown=ignore"), tmp_path)
    _, empty = finished(planned(path, name, *(f"{name}.{option}" for option in EMPTY[name])), tmp_path)
    assert [score.sha256 for score in empty.scores] == [score.sha256 for score in plain.scores]


# ---------------------------------------------------------------------- heads


@pytest.mark.parametrize("head", ["linear", pytest.param("queries", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", SHIPPED)
def test_every_strategy_trains_with_shared_and_with_own_features(name: str, head: str, tmp_path: Path) -> None:
    train = {"epochs": 1, "batch_size": 16}
    try:
        carried, record = finished(planned(scenario(tmp_path, train=train), name, *with_head(head)), tmp_path)
    except UsageError as refusal:
        check_refusal(refusal, head)
        return
    assert record.strategy.head == head
    check_scores(record, carried.work)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("head", sorted(set(HEADS) - {"linear", "queries"}))
@pytest.mark.parametrize("name", SHIPPED)
def test_every_strategy_trains_with_every_head(name: str, head: str, tmp_path: Path) -> None:
    try:
        carried, record = finished(planned(scenario(tmp_path), name, *with_head(head)), tmp_path)
    except UsageError as refusal:
        check_refusal(refusal, head)
        return
    check_scores(record, carried.work)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("reduction", ["sum", "total"])
@pytest.mark.parametrize("name", SHIPPED)
def test_every_strategy_trains_under_every_reduction_and_asl(name: str, reduction: str, tmp_path: Path) -> None:
    train = {"loss": "asl", "reduction": reduction, "ema": 0.9, "accumulate": 2, "clip_norm": 10.0}
    given = ("ridge.base=given",) if name == "ridge" else ()  # sums over features know no average of weights
    path = scenario(tmp_path, train=train)
    carried, record = finished(planned(path, name, *SMALL.get(name, ()), *given), tmp_path)
    check_scores(record, carried.work)


# ---------------------------------------------------------------------- streams


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", [scenario, online])
@pytest.mark.parametrize("visible", ["seen", "all"])
@pytest.mark.parametrize("name", SHIPPED)
def test_every_strategy_runs_whatever_is_visible(name: str, visible: str, kind: object, tmp_path: Path) -> None:
    path = kind(tmp_path, visible=visible)  # type: ignore[operator]
    carried, record = finished(planned(path, name, *SMALL.get(name, ())), tmp_path)
    check_scores(record, carried.work)


# ---------------------------------------------------------------------- resuming


def resumed_equals_whole(path: str, name: str, *sets: str, folder: Path) -> None:
    wanted = planned(path, name, *sets)
    whole = read_record(run(wanted, RunOptions(results=folder / "whole", device="cpu")))
    options = RunOptions(results=folder / "parts", device="cpu", save_steps=2)
    stops = 0
    for session, step in [(0, 3), (0, 7), (1, 1), (2, 1)]:
        try:
            run(wanted, options, watch=StopAt(session, step))
        except KeyboardInterrupt:
            stops += 1
    parts = read_record(run(wanted, options))
    assert stops >= 2
    # everything but the code's commit, which may change while a test runs
    for section in ("ap", "counts", "costs", "summary", "scores", "notes"):
        assert getattr(parts, section) == getattr(whole, section), section


# of the others `test_resume.py` stops every one in the middle of an epoch, which here is the whole session
@pytest.mark.parametrize(
    "name", [n if n in STEPWISE else pytest.param(n, marks=[pytest.mark.slow, pytest.mark.exhaustive]) for n in SHIPPED]
)
def test_a_one_pass_run_stopped_between_memory_updates_goes_on_to_the_same_record(name: str, tmp_path: Path) -> None:
    memory = (f"{name}.memory=9",) if "memory" in load_strategy(catalog.find_strategy(name)).fields_of() else ()
    stepwise = ("clip.fit=probe",) if name == "clip" else ()  # its default solves, and there is no step to stop at
    resumed_equals_whole(online(tmp_path), name, *memory, *stepwise, *SMALL.get(name, ()), folder=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "option"),
    [
        *((name, option) for name in OPTIONS for option in OPTIONS[name]),
        *(
            pytest.param(name, option, marks=pytest.mark.exhaustive)
            for name in SAME_STATE
            for option in SAME_STATE[name]
        ),
    ],
)
def test_options_that_run_other_code_resume_exactly_too(name: str, option: str, tmp_path: Path) -> None:
    more = ("pseudo.density=0.1",) if name == "pseudo" else ()
    path = scenario(tmp_path, train={"epochs": 1, "batch_size": 6})
    resumed_equals_whole(path, name, f"{name}.{option}", *more, folder=tmp_path)
