"""What the battery notices of a process that somebody changes, and what it leaves to the libraries themselves."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from clbench.metrics import ap
from clbench.nn.memory import Memory
from clbench.testing.surroundings import functions, replaced, writes_noted


def test_a_replaced_function_is_named_and_put_back() -> None:
    before, original = functions(), ap.average_precisions
    ap.average_precisions = lambda *_: original(*_)
    assert replaced(before) == ["clbench.metrics.ap.average_precisions"]
    assert ap.average_precisions is original and replaced(before) == []


def test_a_replaced_method_is_named_and_put_back() -> None:
    before, original = functions(), Memory.exemplars
    Memory.exemplars = lambda self: original(self)  # type: ignore[method-assign]
    assert replaced(before) == ["clbench.nn.memory.Memory.exemplars"]
    assert Memory.exemplars is original


def test_a_function_of_torch_may_be_replaced_by_torch_alone() -> None:
    before, original = functions(), torch.relu
    torch.relu = torch.nn.functional.relu
    assert replaced(before) == []
    torch.relu = lambda x: x
    assert replaced(before) == ["torch.relu"]
    assert torch.relu is original


def test_writing_is_noted_and_reading_is_not(tmp_path: Path) -> None:
    noted: list[str] = []
    path = tmp_path / "a.txt"
    path.write_text("before")
    with writes_noted(noted):
        path.read_text()
        os.close(os.open(path, os.O_RDONLY))
        assert noted == []
        path.open("a").close()
        os.close(os.open(tmp_path / "b.txt", os.O_WRONLY | os.O_CREAT))
        (tmp_path / "c").mkdir()
        (tmp_path / "b.txt").rename(tmp_path / "d.txt")
        (tmp_path / "d.txt").unlink()
    assert [Path(name).name for name in noted] == ["a.txt", "b.txt", "c", "d.txt", "d.txt"]
    path.write_text("after")
    assert len(noted) == 5
