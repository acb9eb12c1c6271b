"""Crops of whole pictures are torchvision's, and where pictures come from changes none of their pixels."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms.v2 import functional

from clbench.data.pictures.augment import AUGMENTS, FROM_WHOLE, augmented, box_inside, rrc
from clbench.data.pictures.decode import decode
from clbench.data.pictures.sources import CachedImages, FolderImages, SceneImages, cached
from clbench.data.scenes.scenes import Scenes
from clbench.data.table import LabelTable, from_arrays
from clbench.errors import DataError, RunError
from clbench.seeds import derive
from clbench.spec.scenario import TrainSpec
from clbench.stream.trial import TrainImages

SIZES = [(640, 480), (48, 40), (333, 500), (64, 64), (1000, 90), (60, 900), (3, 7), (1, 1), (2, 1), (1, 40)]
"""(width, height); for the long ones no box may fit."""


def picture(size: tuple[int, int], seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def pictured(folder: Path) -> tuple[FolderImages, LabelTable]:
    """Write a table of differently shaped photos, JPEG and PNG, the last one for testing."""
    names = []
    for number, size in enumerate(SIZES):
        names.append(f"{number}.{'png' if number % 3 == 2 else 'jpg'}")
        picture(size, number).save(folder / names[-1])
    table = from_arrays(
        "mine",
        labels=["thing"],
        y=np.ones((len(names), 1), dtype=bool),
        split=["train"] * (len(names) - 1) + ["test"],
        paths=names,
    )
    return FolderImages(table, root=folder, size=24), table


def by_torchvision(whole: torch.Tensor, size: int, seed: int) -> torch.Tensor:
    """What the field's transforms make of a decoded picture, with the draws of `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        top, left, height, width = RandomResizedCrop.get_params(whole, [0.2, 1.0], [3 / 4, 4 / 3])
    out = functional.resized_crop(whole, top, left, height, width, [size, size], antialias=True)
    return functional.horizontal_flip(out) if derive(seed, "flip") & 1 else out


@pytest.mark.parametrize("size", SIZES)
def test_boxes_are_those_of_torchvision_for_pictures_of_every_shape(size: tuple[int, int]) -> None:
    width, height = size
    blank = torch.zeros(3, height, width, dtype=torch.uint8)
    for seed in range(200):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            wanted = RandomResizedCrop.get_params(blank, [0.2, 1.0], [3 / 4, 4 / 3])
        assert box_inside(height, width, seed) == wanted


def test_where_no_box_fits_it_is_the_largest_in_the_middle() -> None:
    assert box_inside(90, 1000, 1) == (0, 440, 90, 120)
    assert box_inside(900, 60, 1) == (410, 0, 80, 60)


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(0, 2**63 - 1))
def test_a_box_lies_inside_the_picture(height: int, width: int, seed: int) -> None:
    top, left, h, w = box_inside(height, width, seed)
    assert h > 0 and w > 0
    assert 0 <= top <= height - h and 0 <= left <= width - w


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_those_of_torchvision(size: tuple[int, int], suffix: str, tmp_path: Path) -> None:
    picture(size).save(tmp_path / f"it.{suffix}")
    with Image.open(tmp_path / f"it.{suffix}") as image:
        whole = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    read = decode(tmp_path / f"it.{suffix}")
    flips = set()
    for seed in range(12):
        flips.add(derive(seed, "flip") & 1)
        assert torch.equal(rrc(read, 32, seed), by_torchvision(whole, 32, seed))
    assert flips == {0, 1}


def test_the_picture_is_left_as_it_was() -> None:
    whole = torch.randint(0, 256, (3, 40, 60), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    before = whole.clone()
    for seed in range(8):
        rrc(whole, 16, seed).fill_(0)
    assert torch.equal(whole, before)


def test_the_global_generators_are_neither_asked_nor_moved() -> None:
    whole = torch.randint(0, 256, (3, 40, 60), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(7)
    first = rrc(whole, 16, 5)
    torch.manual_seed(8)
    before = torch.get_rng_state()
    assert torch.equal(rrc(whole, 16, 5), first) and torch.equal(torch.get_rng_state(), before)


def test_of_a_square_picture_of_the_networks_size_it_is_what_crop_gives() -> None:
    scenes = Scenes(train=100, test=100)
    source = SceneImages(scenes.render, size=scenes.size, native=scenes.size)
    rows, draws = np.arange(6), range(6)
    squashed = augmented(source, rows, augment="crop", draws=draws)
    assert torch.equal(augmented(source, rows, augment="rrc", draws=draws), squashed)


def test_a_generated_picture_is_cut_before_it_is_resized() -> None:
    scenes = Scenes(train=100, test=100)
    source = SceneImages(scenes.render, size=24, native=scenes.size)
    (shown,) = augmented(source, np.array([3]), augment="rrc", draws=[11])
    (whole,) = source.whole(np.array([3]))
    assert whole.shape == (3, 64, 64) and torch.equal(shown, by_torchvision(whole, 24, 11))


def test_pictures_come_at_their_own_size_in_the_order_asked_for(tmp_path: Path) -> None:
    source, _ = pictured(tmp_path)
    rows = np.array([4, 0, 0, 2])
    found = [tuple(whole.shape[1:]) for whole in source.whole(rows)]
    assert found == [SIZES[row][::-1] for row in rows]
    shown = augmented(source, rows, augment="rrc", draws=[1, 2, 3, 4])
    assert shown.shape == (4, 3, 24, 24) and shown.dtype == torch.uint8
    for image, row, draw in zip(shown, rows.tolist(), [1, 2, 3, 4], strict=True):
        assert torch.equal(image, by_torchvision(decode(tmp_path / source.table.paths[row]), 24, draw))
    assert augmented(source, rows[:0], augment="rrc", draws=[]).shape == (0, 3, 24, 24)


@pytest.mark.parametrize("handful", [1, 5_000, 1 << 40])
def test_how_many_pictures_are_held_at_once_changes_none(
    handful: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, table = pictured(tmp_path)
    rows = np.arange(len(table))
    before = augmented(source, rows, augment="rrc", draws=range(len(rows)))
    monkeypatch.setattr("clbench.data.pictures.augment.HANDFUL", handful)
    assert torch.equal(augmented(source, rows, augment="rrc", draws=range(len(rows))), before)


def test_the_cache_and_a_pickled_source_give_the_same_pictures(tmp_path: Path) -> None:
    source, table = pictured(tmp_path)
    cache = cached(source, key=lambda: "whole", count=len(table), wanted=True)
    assert isinstance(cache, CachedImages)
    rows, draws = np.array([1, 5, 3]), [7, 8, 9]
    wanted = augmented(source, rows, augment="rrc", draws=draws)
    for other in (cache, pickle.loads(pickle.dumps(source)), pickle.loads(pickle.dumps(cache))):
        assert torch.equal(augmented(other, rows, augment="rrc", draws=draws), wanted)
    cache.path.unlink()
    again = pickle.loads(pickle.dumps(cache))
    assert torch.equal(augmented(again, rows, augment="rrc", draws=draws), wanted), "whole pictures are in no cache"


def test_a_trial_gives_whole_train_pictures_and_refuses_test_pictures(tmp_path: Path) -> None:
    source, table = pictured(tmp_path)
    guarded = TrainImages(source, table)
    rows = np.array([0, 1])
    wanted = augmented(source, rows, augment="rrc", draws=[1, 2])
    assert torch.equal(augmented(guarded, rows, augment="rrc", draws=[1, 2]), wanted)
    with pytest.raises(RunError, match=f"test image in row {len(table) - 1}"):
        augmented(guarded, np.array([0, len(table) - 1]), augment="rrc", draws=[1, 2])


def test_a_source_without_whole_pictures_says_so(tmp_path: Path) -> None:
    bare = CachedImages(tmp_path / "a.u8", count=1, size=8)
    for source in (bare, TrainImages(bare, pictured(tmp_path)[1])):
        with pytest.raises(RunError, match="squashed only") as caught:
            augmented(source, np.array([0]), augment="rrc", draws=[1])
        assert "train.augment=crop" in caught.value.hint


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    source, _ = pictured(tmp_path)
    (tmp_path / "1.jpg").unlink()
    with pytest.raises(DataError, match=r"1\.jpg: no such picture"):
        augmented(source, np.array([0, 1]), augment="rrc", draws=[1, 2])


def test_every_augmentation_that_a_recipe_may_name_is_there() -> None:
    named = TrainSpec.__annotations__["augment"].__args__
    assert sorted(named) == sorted([*AUGMENTS, *FROM_WHOLE])
