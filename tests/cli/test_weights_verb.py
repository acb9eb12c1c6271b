"""`clbench weights`, and where else the command line tells of weights."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from huggingface_hub.errors import LocalEntryNotFoundError

Cli = Callable[..., Any]
NET = "test_resnet.r160_in1k"


@pytest.fixture(autouse=True)
def empty_caches(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLBENCH_CACHE", str(here / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(here / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(here / "hub"))


@pytest.fixture
def file(here: Path) -> Path:
    torch.save(timm.create_model(NET).state_dict(), here / "w.pth")
    return here / "w.pth"


def test_weights_are_listed_with_where_they_are_or_the_command_that_gets_them(cli: Cli, file: Path):
    cli("weights", "check", str(file), "--backbone", NET)
    lines = cli("weights", "list").out.splitlines()
    (tresnet,) = [line for line in lines if "tresnet_m.miil_in21k" in line]
    assert tresnet.startswith("hub") and tresnet.endswith("clbench weights get tresnet_m.miil_in21k")
    (mine,) = [line for line in lines if line.endswith(str(file))]
    assert mine.startswith(f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}")


def test_check_names_the_file_and_says_what_it_is_not_known_to_be(cli: Cli, file: Path):
    done = cli("weights", "check", str(file), "--backbone", NET)
    assert done.code == 0
    assert f"name      sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}" in done.out
    assert "track     other (set train.track" in done.out
    wrong = cli("weights", "check", str(file), "--backbone", "resnet18")
    assert wrong.code == 3 and "does not fit backbone 'resnet18'" in wrong.err


def test_get_takes_a_scenario_or_a_model_and_says_what_the_hub_gave(cli: Cli, file: Path, monkeypatch):
    asked = []

    def download(repository: str, name: str, *, revision: str | None) -> str:
        asked.append((repository, name))
        return str(file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert hashlib.sha256(file.read_bytes()).hexdigest() in cli("weights", "get", NET).out
    assert cli("weights", "get", "coco_b40c10").code == 0
    assert [repository for repository, _ in asked] == [f"timm/{NET}", "timm/tresnet_m.miil_in21k"]
    assert cli("weights", "get", "tiny").code == 2
    assert cli("weights", "get", "clbench_small").code == 2


def test_without_a_network_one_sentence_says_who_did_not_answer(cli: Cli, monkeypatch):
    heard = []

    def download(repository: str, name: str, *, revision: str | None) -> str:
        heard.append(logging.getLogger("huggingface_hub.utils._http").isEnabledFor(logging.WARNING))
        raise LocalEntryNotFoundError("words of the client") from OSError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    done = cli("weights", "get", NET)
    assert done.code == 3 and heard == [False]
    assert f"weights of '{NET}' could not be fetched" in done.err
    assert "no file from https://huggingface.co: Name or service not known" in " ".join(done.err.split())
    assert logging.getLogger("huggingface_hub.utils._http").isEnabledFor(logging.WARNING)


def test_a_dry_run_says_that_weights_are_not_here_and_offline_refuses(cli: Cli, monkeypatch):
    sets = ("--set", f"train.backbone={NET}", "--set", "train.weights=hub")
    done = cli("run", "tiny", "--strategy", "naive", *sets, "--dry-run")
    assert done.code == 0 and f"clbench weights get {NET}" in done.err
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = cli("run", "tiny", "--strategy", "naive", *sets, "--dry-run")
    assert done.code == 3 and "HF_HUB_OFFLINE" in done.err


def test_the_doctor_tells_which_weights_are_not_here(cli: Cli):
    assert "hub of tresnet_m.miil_in21k is not here: clbench weights get tresnet_m.miil_in21k" in cli("doctor").out
