"""Pretrained weights are known by their SHA-256: in plans, configurations, records and rows."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import pytest
import timm
import torch
from record_factory import METHODS, TINY, make_record, sealed, sections_of

from clbench.errors import DataError, UsageError
from clbench.nn.backbones.by_name import build_backbone, pretraining_track
from clbench.plan.plans import plan
from clbench.records.rows import group_rows
from clbench.weights import hub, known_files
from clbench.weights.resolve import Weights, resolve

NET = "test_resnet.r160_in1k"


@pytest.fixture(autouse=True)
def nothing_is_here_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


def weights_file(path: Path, *, seed: int = 0, name: str = NET) -> Path:
    torch.manual_seed(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(timm.create_model(name).state_dict(), path)
    return path


def published(tmp_path: Path, *, seed: int = 0) -> Path:
    """A file where the cache of the hub keeps what it fetched."""
    folder = tmp_path / "hub" / "models--timm--test_resnet.r160_in1k"
    path = weights_file(folder / "snapshots" / "abc" / "pytorch_model.bin", seed=seed)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text("abc")
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_one_file_under_three_spellings_is_one_configuration(tmp_path, monkeypatch):
    path = weights_file(tmp_path / "w.pth")
    (tmp_path / "copy.pth").write_bytes(path.read_bytes())
    (tmp_path / "link.pth").symlink_to(path)
    monkeypatch.chdir(tmp_path)
    spelt = [str(path), "w.pth", "copy.pth", "link.pth", f"sha256:{digest(path)}"]
    found = [
        plan("tiny", strategies=["naive"], sets=[f"train.backbone={NET}", f"train.weights={text}"])[0] for text in spelt
    ]
    assert {one.train.weights for one in found} == {f"sha256:{digest(path)}"}
    assert len({one.configuration for one in found}) == 1
    other = weights_file(tmp_path / "other" / "w.pth", seed=1)
    (another,) = plan("tiny", strategies=["naive"], sets=[f"train.backbone={NET}", f"train.weights={other}"])
    assert another.configuration != found[0].configuration


def test_a_file_with_the_published_digest_counts_as_the_hub(tmp_path):
    there = published(tmp_path)
    (tmp_path / "mine.bin").write_bytes(there.read_bytes())
    assert resolve("hub", backbone=NET) == Weights("hub", there, digest(there))
    assert resolve(str(tmp_path / "mine.bin"), backbone=NET).name == "hub"
    assert resolve(str(weights_file(tmp_path / "b.pth", seed=1)), backbone=NET).name.startswith("sha256:")
    one = build_backbone(NET, image_size=32, weights="hub").state_dict()
    same = build_backbone(NET, image_size=32, weights=str(tmp_path / "mine.bin")).state_dict()
    stored = torch.load(there, weights_only=True)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert torch.equal(one["body.model.layer1.0.conv1.weight"], stored["layer1.0.conv1.weight"])


def test_a_file_counts_as_the_hub_where_its_address_names_its_digest(tmp_path, monkeypatch):
    path = weights_file(tmp_path / "w.pth")
    config = dataclasses.replace(timm.get_pretrained_cfg(NET), url=f"https://example.org/net-{digest(path)[:8]}.pth")
    monkeypatch.setattr(timm, "get_pretrained_cfg", lambda *_, **__: config)
    assert resolve(str(path), backbone=NET).name == "hub"
    assert resolve(str(weights_file(tmp_path / "x.pth", seed=1)), backbone=NET).name != "hub"


def test_random_numbers_called_in21k_are_not_recorded_as_that(tmp_path):
    found = resolve(str(weights_file(tmp_path / "resnet_in21k.pth")), backbone=NET)
    assert pretraining_track(NET, weights=found.name) == "other"


@pytest.mark.parametrize("weights", ["hub", "sha256:" + "a" * 64, "nowhere.pth"])
def test_weights_that_are_not_here_are_missed_before_the_data(weights, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("clbench.data.datasets.registry.open_table", lambda *_, **__: pytest.fail("data was read"))
    with pytest.raises(DataError, match=r"train\.weights"):
        plan("tiny", strategies=["naive"], sets=[f"train.backbone={NET}", f"train.weights={weights}"])
    (shown,) = plan(
        "tiny", strategies=["naive"], sets=[f"train.backbone={NET}", f"train.weights={weights}"], read_only=True
    )
    assert shown.train.weights == weights


def test_a_digest_is_64_hexadecimal_digits():
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        resolve("sha256:abc", backbone=NET)


def test_a_file_in_the_weights_folder_is_found_by_its_digest(tmp_path):
    path = weights_file(known_files.weights_folder() / "moved.pth")
    assert resolve(f"sha256:{digest(path)}", backbone=NET).path == path.resolve()


def test_a_file_that_changes_has_another_digest_and_stops_a_run_that_was_planned(tmp_path):
    path = weights_file(tmp_path / "w.pth")
    planned = resolve(str(path), backbone=NET)
    weights_file(path, seed=1)
    os.utime(path, ns=(1, 1))  # a clock that does not tick between two writes tells nothing apart
    assert known_files.sha256_of(path) == digest(path) != planned.sha256
    with pytest.raises(DataError, match="changed since"):
        build_backbone(NET, image_size=32, weights=planned)


def test_a_lost_index_is_made_anew(tmp_path):
    path = weights_file(tmp_path / "w.pth")
    known_files.sha256_of(path)
    (index,) = known_files.weights_folder().glob("*.json")
    index.write_text("{")
    assert known_files.sha256_of(path) == digest(path)


def test_a_changed_digit_in_the_index_is_no_other_digest(tmp_path):
    path = weights_file(tmp_path / "w.pth")
    known_files.sha256_of(path)
    (index,) = known_files.weights_folder().glob("*.json")
    other = ("0" if digest(path)[0] != "0" else "1") + digest(path)[1:]
    index.write_text(index.read_text().replace(digest(path), other))
    assert other in index.read_text() and known_files.sha256_of(path) == digest(path)


def test_no_row_joins_runs_whose_published_weights_differ():
    def record(seed: int, tensors: str):
        made = make_record(METHODS[4], TINY, seed=seed)
        sections = sections_of(made)
        environment = made.environment | ({"weights_tensors": tensors} if tensors else {})
        return sealed(sections | {"train": made.train | {"weights": "hub"}, "environment": environment})

    assert len(group_rows([record(0, "a" * 64), record(1, "a" * 64)])) == 1
    assert len(group_rows([record(0, "a" * 64), record(1, "b" * 64)])) == 2
    assert len(group_rows([record(0, "a" * 64), record(1, "")])) == 2


def test_nothing_is_fetched_where_a_name_has_no_repository(monkeypatch):
    monkeypatch.setattr(hub, "_published_as", lambda name: ("", None, ()))
    with pytest.raises(DataError, match="no repository"):
        hub.fetched(NET)
