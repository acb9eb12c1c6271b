"""The stand-in for pretraining: what is drawn, what is taught, and the file in which it is kept."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from tiny_scenarios import planned, scenario

from clbench.data.scenes.icons import icons
from clbench.data.scenes.invented import ICONS, invented_icons, invented_pictures
from clbench.errors import DataError, UsageError
from clbench.nn.backbones.by_name import build_backbone
from clbench.pretrain import lessons, stand_in
from clbench.pretrain.lessons import Lessons, taught
from clbench.records.record import read_record
from clbench.records.rows import group_rows
from clbench.report.table.leaderboard import leaderboard
from clbench.train.events import Making
from clbench.train.run import RunOptions, run
from clbench.weights.resolve import resolve

FEW = Lessons(pictures=16, epochs=2, batch=8)
GOLDEN_PICTURES = "8334ce4ef837a98b"


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and lessons of four steps."""
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(stand_in, "LESSONS", FEW)
    return tmp_path / "cache" / "weights"


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(value, two[name]) for name, value in one.items())


# ---------------------------------------------------------------------- what is drawn


def test_the_invented_pictures_of_version_1_are_these_bytes_and_show_nothing_that_is_a_label():
    shown = invented_pictures(np.array([0, 5, 2999]))
    content = shown.pictures.tobytes() + shown.present.tobytes() + shown.patches.tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == GOLDEN_PICTURES
    np.testing.assert_array_equal(invented_pictures(np.array([5])).pictures[0], shown.pictures[1])
    drawn = {icon.strokes for icon in icons().values()}
    assert not set(invented_icons()) & set(icons()) and not {icon.strokes for icon in invented_icons().values()} & drawn


def test_what_patches_show_is_in_the_picture_and_every_icon_that_is_there_shows_somewhere():
    shown = invented_pictures(np.arange(40))
    for present, patches in zip(shown.present, shown.patches, strict=True):
        found = set(np.unique(patches)) - {ICONS}
        assert found and found <= set(np.flatnonzero(present)) and 1 <= present.sum() <= 4
    assert 0.1 < (shown.patches != ICONS).mean() < 0.5


# ---------------------------------------------------------------------- what is taught


def test_lessons_are_a_function_of_their_seed_and_leave_the_process_as_it_was():
    torch.set_num_threads(1)
    before = torch.get_rng_state()
    with torch.no_grad():
        first = taught(FEW)
        torch.rand(3)
        torch.set_num_threads(2)
        again = taught(FEW)
        assert torch.get_num_threads() == 2 and not torch.is_grad_enabled()
    torch.set_num_threads(1)
    torch.set_rng_state(before)
    assert same(first, again)
    other = taught(Lessons(pictures=16, epochs=2, batch=8, seed=1))
    assert not same(first, other)


def test_lessons_lower_the_loss_they_teach_with(monkeypatch: pytest.MonkeyPatch):
    losses: list[float] = []
    real = torch.nn.functional.cross_entropy

    def noted(*args: Any, **options: Any) -> torch.Tensor:
        loss: torch.Tensor = real(*args, **options)
        losses.append(loss.item())
        return loss

    monkeypatch.setattr(lessons.functional, "cross_entropy", noted)
    taught(Lessons(pictures=16, epochs=12, batch=8))
    assert sum(losses[-4:]) < 0.5 * sum(losses[:4])


# ---------------------------------------------------------------------- the file


def test_it_is_made_once_whoever_asks_and_known_by_its_digest(few: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[object] = []

    def counted(*args: Any, **options: Any) -> dict[str, torch.Tensor]:
        asked.append(args)
        return taught(*args, **options)

    monkeypatch.setattr(stand_in, "taught", counted)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(stand_in.stand_in_weights("clbench_vit"))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1 and found[0] == found[1]
    (file,) = few.glob("*.safetensors")
    assert found[0].path == file and found[0].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert resolve(f"sha256:{found[0].sha256}", backbone="clbench_vit").path == file
    assert not list(few.glob("*.part"))


def test_a_changed_bit_is_found_and_the_next_one_is_made_anew(few: Path):
    made = stand_in.stand_in_weights("clbench_vit")
    assert made.path is not None
    content = bytearray(made.path.read_bytes())
    content[-1] ^= 1
    made.path.write_bytes(content)
    with pytest.raises(DataError, match=r"it is not as it was written.*\n.*removed and is made again"):
        stand_in.stand_in_weights("clbench_vit")
    assert stand_in.stand_in_weights("clbench_vit") == made


def test_lessons_that_stop_half_way_leave_nothing_that_could_be_taken_for_weights(
    few: Path, monkeypatch: pytest.MonkeyPatch
):
    def stopped(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stand_in.stand_in_weights("clbench_vit", progress=stopped)
    assert [path.suffix for path in few.iterdir()] == [".lock"]
    assert stand_in.stand_in_weights("clbench_vit").sha256


# ---------------------------------------------------------------------- runs


def test_a_run_starts_from_it_and_its_record_and_table_say_so(few: Path, tmp_path: Path):
    told: list[Making] = []
    sets = ("train.backbone=clbench_vit", "train.weights=stand-in", "train.freeze=backbone")
    plan = planned(scenario(tmp_path, images=100, train={"epochs": 1}), "naive", *sets)
    record = read_record(
        run(
            plan,
            RunOptions(results=tmp_path, device="cpu"),
            watch=lambda event: told.append(event) if isinstance(event, Making) else None,
        )
    )
    (file,) = few.glob("*.safetensors")
    assert record.environment["pretraining"] == "stand-in" and record.train["weights"] == "stand-in"
    assert record.environment["weights_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert [(event.done, event.total) for event in told if "stand-in" in event.what][-1] == (FEW.steps, FEW.steps)
    (table,) = leaderboard([record]).tables
    assert table.rows[0].track == "stand-in pretraining"
    other = msgspec.structs.replace(record, environment=record.environment | {"weights_tensors": "0" * 64})
    assert len(group_rows([record, other])) == 2, "tensors of another machine are another row"


def test_the_backbone_has_its_tensors_and_positions_fit_other_sizes(few: Path):
    made = stand_in.stand_in_weights("clbench_vit")
    wanted = taught(FEW)
    found = build_backbone("clbench_vit", image_size=64, weights=made).body.model.state_dict()
    assert same(found, wanted)
    smaller = build_backbone("clbench_vit", image_size=32, weights=made).body.model.state_dict()
    assert smaller["pos_embed"].shape[1] == 17 and torch.equal(smaller["cls_token"], wanted["cls_token"])


@pytest.mark.parametrize("backbone", ["clbench_small", "resnet18"])
def test_other_backbones_are_told_which_one_has_it(backbone: str, few: Path, tmp_path: Path):
    plan = planned(scenario(tmp_path), "naive", f"train.backbone={backbone}", "train.weights=stand-in")
    with pytest.raises(UsageError, match=f"weights for 'clbench_vit' alone, not for '{backbone}'"):
        run(plan, RunOptions(results=tmp_path, device="cpu"))
    assert not few.exists()
