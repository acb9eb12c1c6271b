"""What a run has written is remembered where its strategy cannot reach it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clbench.train.make_record import file_sha256
from clbench.train.resume.progress import Done
from clbench.train.resume.witness import ChangedScoresError, check_witnessed, witness_process


def done(path: Path) -> Done:
    entry = {"session": 0, "file": path.name, "sha256": file_sha256(path)}
    return Done(growing=[], fixed=[], counts={}, cost={}, times={}, scores=entry, mean_loss=0.0)


def test_a_witness_remembers_what_it_was_told_first() -> None:
    with witness_process() as witness:
        witness.note("scores-0.npy", "first")
        witness.note("scores-1.npy", "other")
        witness.note("scores-0.npy", "second")
        assert witness.noted() == {"scores-0.npy": "first", "scores-1.npy": "other"}
        assert witness.noted() == witness.noted()


def test_scores_that_change_later_are_named_whatever_else_is_changed_with_them(tmp_path: Path) -> None:
    path = tmp_path / "scores-0.npy"
    path.write_bytes(b"as it was")
    first = done(path)
    with witness_process() as witness:
        witness.note(path.name, first.scores["sha256"])
        check_witnessed(witness, [first], folder=tmp_path)
        path.write_bytes(b"better")
        for session in (first, done(path)):
            with pytest.raises(
                ChangedScoresError, match=r"scores-0\.npy: the scores of a finished session were changed"
            ):
                check_witnessed(witness, [session], folder=tmp_path)
        path.unlink()
        with pytest.raises(ChangedScoresError, match="were removed after"):
            check_witnessed(witness, [first], folder=tmp_path)
