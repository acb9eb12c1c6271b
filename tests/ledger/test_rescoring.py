"""Re-scoring: the numbers of a record follow from its score files, or the difference is named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
import record_factory as factory

from clbench.metrics.rules import decide
from clbench.records.record import Record, write_record
from clbench.records.verify.verify import verify_scores

Scored = tuple[Record, Path, npt.NDArray[np.int8], list[npt.NDArray[np.int64]]]


@pytest.fixture(params=[1, 2])
def scored(request: pytest.FixtureRequest, tmp_path: Path) -> Scored:
    """A record of each protocol: the older one is verified as it was."""
    return factory.make_scored(tmp_path, protocol=request.param)


def score_file(scored: Scored, session: int) -> Path:
    record, path, *_ = scored
    return path.with_suffix("") / record.scores[session].file


def test_a_record_made_from_its_scores_is_re_scored(scored: Scored) -> None:
    _, path, truth, tests = scored
    result = verify_scores(path, truth=truth, tests=tests)
    assert (result.level, result.findings) == ("re-scored", ())


def test_the_score_files_may_lie_elsewhere(scored: Scored, tmp_path: Path) -> None:
    _, path, truth, tests = scored
    path.with_suffix("").rename(tmp_path / "moved")
    assert verify_scores(path, truth=truth, tests=tests, scores=tmp_path / "moved").ok
    missing = verify_scores(path, truth=truth, tests=tests)
    assert missing.findings[0].field == "scores[0].file"


def test_one_changed_score_is_found_by_its_file(scored: Scored) -> None:
    _, path, truth, tests = scored
    file = score_file(scored, 1)
    scores = np.load(file)
    scores[0, 0] += np.float32(0.25)
    np.save(file, scores)
    assert [f.field for f in verify_scores(path, truth=truth, tests=tests).findings] == ["scores[1].sha256"]


def test_a_consistent_lie_about_average_precision_is_found(scored: Scored) -> None:
    record, path, truth, tests = scored
    growing = [[None if v is None else min(1.0, v * 1.0001) for v in row] for row in record.ap.growing]
    lie = factory.sections_of(record) | {"ap": msgspec.structs.replace(record.ap, growing=growing)}
    write_record(factory.sealed(lie), path)
    findings = verify_scores(path, truth=truth, tests=tests).findings
    assert findings[0].field == "ap.growing[0][0]"
    assert all(finding.field.startswith("ap.growing") for finding in findings)


def test_a_consistent_lie_about_counts_is_found(scored: Scored) -> None:
    record, path, truth, tests = scored
    counts = dict(record.counts)
    part = counts["0.8"]
    fp = [[None if v is None else max(0, v - 1) for v in row] for row in part.fp]
    counts["0.8"] = msgspec.structs.replace(part, fp=fp)
    write_record(factory.sealed(factory.sections_of(record) | {"counts": counts}), path)
    findings = verify_scores(path, truth=truth, tests=tests).findings
    assert findings and all(finding.field.startswith("counts[0.8].fp[") for finding in findings)


def test_a_damaged_record_is_not_re_scored(scored: Scored) -> None:
    _, path, truth, tests = scored
    path.write_bytes(path.read_bytes().replace(b'"seed": 0', b'"seed": 3'))
    assert verify_scores(path, truth=truth, tests=tests).findings[0].field == "content"


def test_another_stream_is_refused(scored: Scored) -> None:
    _, path, truth, tests = scored
    assert verify_scores(path, truth=truth[:, :4], tests=tests).findings[0].field == "scenario"
    assert verify_scores(path, truth=truth, tests=tests[:2]).findings[0].field == "scenario"


@pytest.mark.parametrize("content", [b"", b"not numpy", b"\x93NUMPY\x01\x00" + b"x" * 800])
def test_a_score_file_that_is_no_array_is_an_answer_and_no_crash(scored: Scored, content: bytes) -> None:
    record, path, truth, tests = scored
    file = score_file(scored, 0)
    file.write_bytes(content)
    entry = msgspec.structs.replace(record.scores[0], sha256=hashlib.sha256(content).hexdigest())
    lie = factory.sections_of(record) | {"scores": [entry, *record.scores[1:]]}
    write_record(factory.sealed(lie), path)
    assert verify_scores(path, truth=truth, tests=tests).findings[0].field == "scores[0].file"


def test_a_pickled_score_file_is_never_executed(scored: Scored, tmp_path: Path) -> None:
    record, path, truth, tests = scored

    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "executed",))

    file = score_file(scored, 0)
    np.save(file, np.array([Bomb()] * 30, dtype=object), allow_pickle=True)
    content = file.read_bytes()
    entry = msgspec.structs.replace(record.scores[0], sha256=hashlib.sha256(content).hexdigest())
    write_record(factory.sealed(factory.sections_of(record) | {"scores": [entry, *record.scores[1:]]}), path)
    assert not verify_scores(path, truth=truth, tests=tests).ok
    assert not (tmp_path / "executed").exists()


def test_a_decision_rule_is_read_from_its_name() -> None:
    scores, truth = np.array([[0.9, 0.6, 0.1, 0.7]], np.float32), np.array([[1, 0, 1, 0]], np.int8)
    assert decide("0.5", scores, truth, ranking="probabilities").tp.tolist() == [1, 0, 0, 0]
    assert decide("top3", scores, truth, ranking="logits").fp.tolist() == [0, 1, 0, 1]
    with pytest.raises(Exception, match="neither a threshold"):
        decide("lots", scores, truth, ranking="logits")
