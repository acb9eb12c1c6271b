from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clbench.data.table import LabelTable, from_arrays
from clbench.data.table_cache import cached
from clbench.files.user_folders import cache_folder

KEY = {"reader": "test", "version": "1"}


class Builder:
    """Counts how often a table is really made."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.calls = 0

    def __call__(self) -> LabelTable:
        self.calls += 1
        name = self.source.read_text()
        return from_arrays(
            name,
            labels=("a", "ü"),
            y=[[1, 0], [0, -1]],
            split=["train", "test"],
            ids=["x y", "é"],
            paths=["p/1.jpg", "q.jpg"],
        )


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("first")
    long_ago(path)
    return path


def long_ago(path: Path) -> None:
    os.utime(path, (time.time() - 1000, time.time() - 1000))


def files() -> list[Path]:
    return sorted((cache_folder() / "tables").iterdir())


def test_the_second_call_returns_the_same_table_without_building_it(source: Path) -> None:
    build = Builder(source)
    one = cached(KEY, sources=[source], build=build)
    two = cached(KEY, sources=[source], build=build)
    assert build.calls == 1
    assert one.digest() == two.digest()
    assert one.paths.tolist() == two.paths.tolist()
    assert two.labels == ("a", "ü")


def test_another_key_is_another_table(source: Path) -> None:
    build = Builder(source)
    cached(KEY, sources=[source], build=build)
    cached({**KEY, "version": "2"}, sources=[source], build=build)
    assert build.calls == 2


def test_changed_sources_are_read_again(source: Path) -> None:
    build = Builder(source)
    cached(KEY, sources=[source], build=build)
    source.write_text("other")
    assert cached(KEY, sources=[source], build=build).name == "other"


def test_a_source_rewritten_with_its_old_length_and_time_is_noticed(source: Path) -> None:
    build = Builder(source)
    stat = source.stat()
    cached(KEY, sources=[source], build=build)
    source.write_text("FIRST")
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert source.stat().st_size == stat.st_size
    assert cached(KEY, sources=[source], build=build).name == "FIRST"


def test_a_source_that_was_only_touched_is_not_read_into_a_table_again(source: Path) -> None:
    build = Builder(source)
    cached(KEY, sources=[source], build=build)
    os.utime(source)
    cached(KEY, sources=[source], build=build)
    assert build.calls == 1


def test_a_file_put_into_a_source_folder_is_noticed(source: Path, tmp_path: Path) -> None:
    build = Builder(source)
    folder = tmp_path / "photos"
    folder.mkdir()
    cached(KEY, sources=[source, folder], build=build)
    (folder / "new.jpg").touch()
    cached(KEY, sources=[source, folder], build=build)
    assert build.calls == 2


def test_a_source_that_vanished_leaves_the_word_to_the_builder(source: Path) -> None:
    build = Builder(source)
    cached(KEY, sources=[source], build=build)
    source.unlink()
    with pytest.raises(FileNotFoundError):
        cached(KEY, sources=[source], build=build)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_a_damaged_cache_file_never_reaches_anyone(source: Path, data: st.DataObject) -> None:
    wanted = cached(KEY, sources=[source], build=Builder(source))
    (path,) = files()
    good = bytearray(path.read_bytes())
    kind = data.draw(st.sampled_from(["flip", "cut", "junk", "empty"]))
    if kind == "flip":
        good[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        good = good[: data.draw(st.integers(0, len(good) - 1))]
    else:
        good = bytearray(b"" if kind == "empty" else data.draw(st.binary(min_size=1, max_size=50)))
    path.write_bytes(good)
    found = cached(KEY, sources=[source], build=Builder(source))
    assert found.digest() == wanted.digest()
    assert found.paths.tolist() == wanted.paths.tolist()
    path.unlink(missing_ok=True)


def test_nothing_in_a_cache_file_is_executed(source: Path) -> None:
    cached(KEY, sources=[source], build=Builder(source))
    (path,) = files()
    with path.open("wb") as file:
        np.savez(file, head=np.array([{"key": "evil"}], dtype=object))
    build = Builder(source)
    cached(KEY, sources=[source], build=build)
    assert build.calls == 1


def test_a_cache_folder_that_cannot_be_made_only_costs_time(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    monkeypatch.setenv("CLBENCH_CACHE", str(blocked))
    build = Builder(source)
    assert cached(KEY, sources=[source], build=build).name == "first"
    assert cached(KEY, sources=[source], build=build).name == "first"
    assert build.calls == 2


def test_no_half_written_file_is_left_behind(source: Path) -> None:
    cached(KEY, sources=[source], build=Builder(source))
    assert [path.suffix for path in files()] == [".npz"]


def test_processes_that_make_the_same_table_at_once_all_get_it(source: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from clbench.data.table_cache import cached\n"
        "from clbench.data.table import from_arrays\n"
        "def build(): return from_arrays('big', labels=[f'l{i}' for i in range(40)],"
        " y=[[(i + j) % 3 - 1 for j in range(40)] for i in range(2000)], split=['train'] * 1000 + ['test'] * 1000)\n"
        "print({cached({'reader': 'race'}, sources=[Path(sys.argv[1])], build=build).digest() for _ in range(5)})"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code, str(source)], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = {run.communicate(timeout=60)[0] for run in runs}
    assert all(run.returncode == 0 for run in runs)
    assert len(said) == 1
