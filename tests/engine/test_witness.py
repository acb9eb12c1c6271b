"""What a run has written is remembered where its strategy cannot reach it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clbench.errors import RunError
from clbench.files.file_digest import file_sha256
from clbench.train.resume import witness as witness_module
from clbench.train.resume.witness import ChangedScoresError, check_witnessed, witness_process


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
    first = {path.name: file_sha256(path)}
    with witness_process() as witness:
        witness.note(path.name, first[path.name])
        check_witnessed(witness, first, folder=tmp_path)
        with pytest.raises(ChangedScoresError, match="were changed after"):
            check_witnessed(witness, {}, folder=tmp_path)  # the record no longer tells of it
        path.write_bytes(b"better")
        for told in (first, {path.name: file_sha256(path)}):
            with pytest.raises(ChangedScoresError, match=r"scores-0\.npy: .* were changed after"):
                check_witnessed(witness, told, folder=tmp_path)
        path.unlink()
        with pytest.raises(ChangedScoresError, match="were removed after"):
            check_witnessed(witness, first, folder=tmp_path)


def test_a_witness_that_has_gone_is_told_in_words() -> None:
    with witness_process() as witness:
        witness.note("scores-0.logits.npy", "0" * 64)
        witness._process.kill()  # type: ignore[attr-defined]
        witness._process.wait()  # type: ignore[attr-defined]
        with pytest.raises(RunError, match="has ended"):
            witness.noted()


def test_a_witness_that_ends_without_an_answer_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness_module, "_REMEMBERS", "import sys; sys.stdin.readline()")
    with witness_process() as witness, pytest.raises(RunError, match="has ended"):
        witness.noted()
