"""Score files: written in blocks while images are scored, as NumPy writes the whole matrix; whole or not there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import record_factory as factory
from tiny_scenarios import finished, planned, scenario

from clbench.cost.estimate import estimate
from clbench.errors import ResultsError
from clbench.metrics import of_parts
from clbench.records.record import Record, write_record
from clbench.records.verify import against_stream
from clbench.records.verify.verify import Verification, verify_scores
from clbench.report.figures.from_scores import session_scores, work_folder
from clbench.train.events import Event, Message, SessionFinished
from clbench.train.run import Run, RunOptions
from clbench.train.scoring import score_file
from clbench.train.stopping import Interrupted

MATRIX = np.random.default_rng(0).standard_normal((37, 5)).astype(np.float32)


def verified(run: Run, record: Record) -> Verification:
    stream = run.stream
    return verify_scores(
        run.record, truth=stream.read_truth(stream.test_rows), tests=against_stream.tested_places(record, stream)
    )


@pytest.mark.parametrize("at_once", [1, 12, 1 << 20])
@pytest.mark.parametrize("parts", [[37], [1, 0, 30, 6]])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_file_written_in_blocks_is_the_one_that_numpy_writes(
    at_once: int, parts: list[int], order: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_file, "AT_ONCE", at_once)
    matrix, first, whole = np.asarray(MATRIX, order=order), 0, io.BytesIO()
    np.save(whole, MATRIX)
    with score_file.written(tmp_path, session=2, kind="logits", images=37, labels=5) as file:
        for count in parts:
            file.add(matrix[first : first + count])
            first += count
        assert not (tmp_path / "scores-2.logits.npy").exists()
    (path,) = tmp_path.iterdir()
    assert (path.name, path.read_bytes()) == ("scores-2.logits.npy", whole.getvalue())
    assert file.sha256 == hashlib.sha256(whole.getvalue()).hexdigest()


def test_an_error_while_scoring_stays_what_it_is_and_leaves_no_file(tmp_path: Path) -> None:
    error = RuntimeError("out of memory")
    with (
        pytest.raises(RuntimeError) as raised,
        score_file.written(tmp_path, session=0, kind="logits", images=37, labels=5) as file,
    ):
        file.add(MATRIX[:20])
        raise error
    assert raised.value is error and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails_at", ["write", "flush"])
def test_a_disk_that_fills_on_the_way_is_told_and_leaves_no_file(
    fails_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BufferedWriter):
        def __getattribute__(self, name: str) -> Any:
            if name == fails_at:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().__getattribute__(name)

    original: Callable[..., Any] = score_file.in_place_of

    @contextlib.contextmanager
    def filling(path: Path) -> Iterator[Any]:
        with original(path, flush=False) as file:
            yield Full(file.raw)
            getattr(Full(file.raw), fails_at)()

    monkeypatch.setattr(score_file, "in_place_of", filling)
    with (
        pytest.raises(ResultsError, match=r"scores-0.logits.npy: the score matrix cannot be written \(No space left"),
        score_file.written(tmp_path, session=0, kind="logits", images=37, labels=5) as file,
    ):
        file.add(MATRIX)
    assert list(tmp_path.iterdir()) == []


def test_scores_that_are_too_many_to_be_held_are_kept_where_that_is_wanted_and_scored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(scenario(tmp_path), "er", "er.memory=10")
    first, exact = finished(plan, tmp_path / "exact")
    monkeypatch.setattr(of_parts, "HELD", 100)
    assert (estimate(plan).score_bytes, estimate(plan, keep_scores=True).score_bytes) == (0, 4 * 68 * (2 + 4 + 6))
    run, record = finished(planned(scenario(tmp_path), "er", "er.memory=10"), tmp_path / "streamed", keep_scores=True)
    assert record.scores == exact.scores and "streamed-ap" in record.marks
    for entry in record.scores:
        assert (run.work / entry.file).read_bytes() == (first.work / entry.file).read_bytes()
    for parts in (1 << 24, 40):
        monkeypatch.setattr("clbench.records.verify.rescore.PART", parts)
        assert verified(run, record).level == "re-scored"
    last = session_scores(record, [tmp_path / "streamed"], images=68)
    assert np.array_equal(last, np.load(first.work / exact.scores[-1].file))
    # what no bin would give is found, however small
    ap = msgspec.structs.replace(record.ap, growing=[[v and v * 1.0001 for v in row] for row in record.ap.growing])
    write_record(factory.sealed(factory.sections_of(record) | {"ap": ap}), run.record)
    assert "ap.growing[0][0]" in [finding.field for finding in verified(run, record).findings]


def test_a_record_that_lacks_its_last_scores_says_of_which_sessions_and_is_not_measured_by_earlier_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_parts, "HELD", 150)  # 68 images: two labels are held, four and six are not
    run, record = finished(planned(scenario(tmp_path), "naive", "train.epochs=1"), tmp_path / "results")
    assert [entry.session for entry in record.scores] == [0]
    assert work_folder(record, [tmp_path / "results"]) is None
    (finding,) = verified(run, record).findings
    assert str(finding) == "scores of sessions 1 to 2 were too many and not kept; --keep-scores keeps them"


def test_a_run_that_began_without_keeping_scores_keeps_none_later_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_parts, "HELD", 100)
    plan, told = planned(scenario(tmp_path), "naive", "train.epochs=1"), []

    def stop(event: Event) -> None:
        if isinstance(event, SessionFinished) and event.session == 1:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        Run(plan, RunOptions(results=tmp_path / "results", device="cpu"), watch=stop).carry_out()
    again = RunOptions(results=tmp_path / "results", device="cpu", keep_scores=True)
    run = Run(plan, again, watch=lambda event: told.append(event.text) if isinstance(event, Message) else None)
    run.carry_out()
    assert not list(run.work.glob("scores-*"))
    assert [text.rpartition("not kept ")[2] for text in told if "histograms" in text] == [
        "(earlier ones were not: --no-resume begins anew)"
    ] * 2


@pytest.mark.parametrize("held", [1 << 28, 100])
def test_scores_of_a_scenario_that_shows_all_labels_from_the_start_are_scored_again(
    held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_parts, "HELD", held)
    plan = planned(scenario(tmp_path, visible="all"), "naive", "train.epochs=1")
    run, record = finished(plan, tmp_path / "results", keep_scores=True)
    assert np.load(run.work / record.scores[0].file).shape == (68, 6)
    assert verified(run, record).level == "re-scored"
    first = session_scores(record, [tmp_path / "results"], images=68, session=0)
    assert first is not None and first.shape == (68, 2)
