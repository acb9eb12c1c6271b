"""Verdicts that are kept: they save work and let nothing pass."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import record_factory as factory

from clbench.records.collection import collect
from clbench.records.record import to_text
from clbench.records.verify import known_whole as verdicts
from clbench.records.verify.known_whole import Verdicts
from clbench.records.verify.verify import verify, verify_all

RECORD = factory.make_record(factory.METHODS[4], factory.TINY)
TEXT = to_text(RECORD)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "verdicts"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "seed0.json"
    path.write_bytes(TEXT)
    return path


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The texts that were really verified."""
    texts: list[bytes] = []
    real = verdicts.verify_text
    monkeypatch.setattr(verdicts, "verify_text", lambda text, path: texts.append(text) or real(text, path=path))
    return texts


def known(kept: Path, file: Path) -> None:
    first = Verdicts(kept)
    first.check(file)
    first.save()


def test_a_text_that_was_found_whole_is_not_verified_again(kept: Path, file: Path, worked: list[bytes]) -> None:
    known(kept, file)
    again = Verdicts(kept).check(file)
    assert worked == [TEXT]
    assert again == verify(file)


def test_any_flipped_digit_is_found_whatever_was_kept(kept: Path, file: Path) -> None:
    known(kept, file)
    for place in [place for place, byte in enumerate(TEXT) if 48 <= byte <= 57][::40]:
        text = TEXT[:place] + bytes([48 + (TEXT[place] - 47) % 10]) + TEXT[place + 1 :]
        file.write_bytes(text)
        checker = Verdicts(kept)
        found = checker.check(file)
        checker.save()
        assert found == verify(file) and not found.ok
    file.write_bytes(TEXT)
    assert Verdicts(kept).check(file).ok


def test_what_is_wrong_is_never_kept(kept: Path, file: Path) -> None:
    file.write_bytes(TEXT.replace(b'"steps": 6', b'"steps": 7'))
    known(kept, file)
    assert not Verdicts(kept).check(file).ok
    assert not kept.exists()


def test_other_code_trusts_nothing_of_before(
    kept: Path, file: Path, worked: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    known(kept, file)
    monkeypatch.setattr(verdicts, "rules", lambda: "f" * 64)
    assert Verdicts(kept).check(file).ok
    assert len(worked) == 2


def test_the_rules_are_those_of_every_file_that_verification_uses(tmp_path: Path) -> None:
    import sys

    names = {name for name in sys.modules if name.startswith(("clbench.records.", "clbench.metrics."))}
    folders = {
        Path(verdicts.__file__).parent,
        Path(verdicts.__file__).parents[1],
        *map(Path, verdicts.metrics.__path__),
    }
    assert {Path(sys.modules[name].__file__ or "").parent for name in names} <= folders


@pytest.mark.parametrize("damage", [b"\x00\xff\n", b"0123\n", b"", b"\n" * 9])
def test_a_damaged_memory_costs_time_and_nothing_else(
    kept: Path, file: Path, worked: list[bytes], damage: bytes
) -> None:
    known(kept, file)
    (memory,) = kept.iterdir()
    memory.write_bytes(damage)
    known(kept, file)
    assert len(worked) == 2
    assert Verdicts(kept).check(file).ok
    assert len(worked) == 2, "and it is whole again"


def test_a_folder_that_cannot_be_made_costs_time_and_nothing_else(tmp_path: Path, file: Path) -> None:
    (tmp_path / "file").write_text("")
    known(tmp_path / "file" / "verdicts", file)


def test_two_processes_may_save_at_once(kept: Path, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "seed1.json"
    other.write_bytes(to_text(factory.make_record(factory.METHODS[4], factory.TINY, seed=1)))
    one, two = Verdicts(kept), Verdicts(kept)
    one.check(file)
    two.check(other)
    one.save()
    two.save()
    assert len(Verdicts(kept)._whole) == 2


def test_a_file_that_is_not_there_is_told_as_verification_tells_it(kept: Path, tmp_path: Path) -> None:
    missing = tmp_path / "seed7.json"
    assert Verdicts(kept).check(missing) == verify(missing)


def test_a_collection_tells_of_damage_after_it_was_trusted(
    tmp_path: Path, worked: list[bytes], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("clbench.files.roots.reference_results", lambda: None)
    path = factory.record_path(tmp_path, RECORD)
    path.parent.mkdir(parents=True)
    path.write_bytes(TEXT)
    assert collect(tmp_path).trust == collect(tmp_path).trust == {RECORD.content: "consistent"}
    assert len(worked) == 1
    path.write_bytes(TEXT.replace(b'"steps": 6', b'"steps": 7'))
    assert set(collect(tmp_path).trust.values()) == {"unverified"}
    assert "content is not the digest of the record" in caplog.text


def test_the_collector_of_garbage_is_as_it_was_after_verifying(tmp_path: Path) -> None:
    assert gc.isenabled()
    verify_all(tmp_path)
    assert gc.isenabled()
    gc.disable()
    try:
        verify_all(tmp_path)
        assert not gc.isenabled()
    finally:
        gc.enable()
