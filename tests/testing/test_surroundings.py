"""What the battery notices of a process that somebody changes, and what it leaves to the libraries themselves."""

from __future__ import annotations

import atexit
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.util import spawnv_passfds  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook

from clbench.metrics import ap
from clbench.nn.heads import by_name
from clbench.nn.losses import bce
from clbench.nn.memory import Memory
from clbench.testing.surroundings import Noted, functions, listening, open_files, processes, replaced, settings
from clbench.train import session_result


@pytest.mark.parametrize(
    ("owner", "name", "other"),
    [
        (ap, "average_precisions", lambda *_: None),
        (Memory, "exemplars", lambda self: None),
        (Memory, "limit", property(lambda self: 0)),
        (session_result, "SAMPLE", 1),
        (torch, "relu", lambda x: x),
        (torch.Tensor, "isnan", lambda x: x),
        (hashlib, "sha256", lambda x: x),
        (msgspec.json, "encode", lambda x: b""),
        (np.lib.format, "write_array", lambda *_: None),
    ],
)
def test_what_is_replaced_is_named(owner: Any, name: str, other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = functions()
    assert replaced(before) == []
    monkeypatch.setattr(owner, name, other)
    (found,) = replaced(before)
    assert found.endswith(f"{owner.__name__}.{name}")


def test_what_consists_of_something_else_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    before = functions()
    monkeypatch.setattr(ap.average_precisions, "__code__", (lambda scores, truth: scores).__code__)
    monkeypatch.setattr(bce, "__kwdefaults__", {"reduction": "sum"})
    monkeypatch.setitem(by_name.HEADS, "other", by_name.HEADS["linear"])
    assert not any("HEADS" in name for name in replaced(before)), "tables may fill"
    monkeypatch.setitem(by_name.HEADS, "linear", by_name.HEADS["maxpool"])
    assert {
        "clbench.metrics.ap.average_precisions",
        "clbench.nn.losses.bce",
        "clbench.nn.heads.by_name.HEADS",
    } <= set(replaced(before))


def test_a_function_of_torch_may_be_replaced_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    before = functions()
    monkeypatch.setattr(torch, "relu", torch.nn.functional.relu)
    assert replaced(before) == []


def test_writing_is_noted_and_reading_is_not(tmp_path: Path) -> None:
    noted = Noted()
    path = tmp_path / "a.txt"
    path.write_text("before")
    with listening(noted):
        path.read_text()
        os.close(os.open(path, os.O_RDONLY))
        assert noted == Noted()
        path.open("a").close()
        os.close(os.open(tmp_path / "b.txt", os.O_WRONLY | os.O_CREAT))
        (tmp_path / "c").mkdir()
        (tmp_path / "b.txt").rename(tmp_path / "d.txt")
        (tmp_path / "d.txt").unlink()
    assert [Path(name).name for name in noted.written] == ["a.txt", "b.txt", "c", "d.txt", "d.txt"]
    path.write_text("after")
    assert len(noted.written) == 5 and noted.started == []


def test_a_process_changes_what_is_told_of_processes_whoever_starts_it() -> None:
    before = processes()
    assert processes() == before
    os.waitpid(spawnv_passfds(b"/bin/sh", [b"sh", b"-c", b":"], []), 0)
    assert processes() != before


def test_what_is_left_open_is_named() -> None:
    before = open_files()
    with os.fdopen(os.memfd_create("album"), "wb"):
        assert [name for name in open_files() - before if "album" in name]
    assert open_files() == before


@pytest.mark.parametrize(
    ("what", "change"),
    [
        (
            "the number of threads",
            lambda: threading.Thread(target=threading.Event().wait, args=(5,), daemon=True).start(),
        ),
        ("what is done when Python ends", lambda: atexit.register(os.getpid)),
        ("torch's hooks for every module", lambda: register_module_forward_hook(lambda *_: None)),
        ("torch's rounding of the smallest numbers", lambda: torch.set_flush_denormal(True)),
    ],
)
def test_a_setting_that_was_changed_is_named(what: str, change: Callable[[], object]) -> None:
    before = settings()
    undo = change()
    assert [name for name, value in settings().items() if before[name] != value] == [what]
    torch.set_flush_denormal(False)
    atexit.unregister(os.getpid)
    if hasattr(undo, "remove"):
        undo.remove()


def test_processes_that_are_started_are_noted() -> None:
    noted = Noted()
    with listening(noted):
        subprocess.run([sys.executable, "-S", "-c", ""], check=True)
    assert noted.started[0] == "subprocess.Popen"
