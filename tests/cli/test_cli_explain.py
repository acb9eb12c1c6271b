"""`clbench explain` from a run to a picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_scenarios import scenario

Cli = Callable[..., Any]


@pytest.fixture
def ran(cli: Cli, tmp_path: Path) -> tuple[str, Path]:
    path = scenario(tmp_path, train={"epochs": 1})
    cli("run", path, "--strategy", "naive", "--results", str(tmp_path / "results"), "--device", "cpu",
        "--keep-weights", "--quiet", "--jobs", "1")  # fmt: skip
    (record,) = (tmp_path / "results").rglob("seed0.json")
    return path, record


def test_a_run_that_kept_its_weights_is_drawn_or_printed(cli: Cli, ran: tuple[str, Path], tmp_path: Path) -> None:
    path, record = ran
    done = cli("explain", str(record), "--label", "person", "--scenario", path, "--out", str(tmp_path / "look.png"))
    assert done.code == 0, done.err
    assert [line.split(":")[0] for line in done.out.splitlines()[:3]] == [f"after session {i}" for i in (1, 2, 3)]
    with Image.open(tmp_path / "look.png") as picture:
        assert picture.width > 600 and len(set(picture.convert("L").tobytes())) > 50
    printed = cli("explain", str(record), "--label", "cup", "--scenario", path, "--json")
    assert [look["session"] for look in json.loads(printed.out)["looks"]] == [1, 2]
    beside = cli("explain", str(record), "--label", "dining table", "--scenario", path)
    assert Path(beside.out.splitlines()[-1]).parent == record.with_suffix("")
    assert cli("explain", str(record), "--label", "person", "--out", "look.gif").code == 2
    assert cli("explain", str(record), "--label", "persn", "--scenario", path).code == 2
    nowhere = cli("explain", str(record), "--label", "cup", "--scenario", path, "--out", f"{record}/look.png")
    assert nowhere.code == 4 and "look.png: the figure cannot be written" in nowhere.err
