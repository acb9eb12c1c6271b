"""Augmentation is a function of picture and seed."""

from __future__ import annotations

import pytest
import torch

from clbench.data.pictures.augment import AUGMENTS, crop_box


@pytest.mark.parametrize("name", [name for name, augment in AUGMENTS.items() if augment])
def test_the_same_seed_gives_the_same_picture_whatever_the_global_generators_hold(name: str) -> None:
    augment = AUGMENTS[name]
    assert augment is not None
    picture = torch.randint(0, 256, (3, 24, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(7)
    first = augment(picture, 12345)
    torch.manual_seed(8)
    before = torch.get_rng_state()
    second = augment(picture, 12345)
    assert torch.equal(first, second) and torch.equal(torch.get_rng_state(), before)
    assert first.shape == picture.shape and first.dtype == torch.uint8
    assert any(not torch.equal(augment(picture, seed), first) for seed in range(8))


def test_flip_mirrors_half_of_the_pictures() -> None:
    flip = AUGMENTS["flip"]
    assert flip is not None
    picture = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 4).expand(3, 3, 4)
    kept = sum(torch.equal(flip(picture, seed), picture) for seed in range(1000))
    assert kept == 500
    assert torch.equal(flip(picture, 1), picture.flip(2))


@pytest.mark.parametrize("size", [24, 224])
def test_crops_are_those_of_torchvision(size: int) -> None:
    from torchvision.transforms.v2 import RandomResizedCrop

    transform = RandomResizedCrop(size, scale=(0.2, 1.0), antialias=True)
    picture = torch.zeros(3, size, size, dtype=torch.uint8)
    for seed in range(300):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            box = transform.make_params([picture])
        assert crop_box(size, seed) == (box["top"], box["left"], box["height"], box["width"])
