"""Pictures that something holds are found in whatever they are written down as."""

from __future__ import annotations

import gc
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from clbench.testing.holdings import pictures_held
from clbench.testing.world import SIZE

Pictures = npt.NDArray[np.uint8]


@pytest.fixture
def frozen() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


class Holder:
    """Whatever keeps things."""


def beside_labels(picture: Pictures) -> npt.NDArray[np.float32]:
    flat = np.tile(picture.reshape(1, -1), (3, 1)).astype(np.float32)
    return np.concatenate([flat, np.ones((3, 4), dtype=np.float32)], axis=1)


@pytest.mark.parametrize(
    "written",
    [
        lambda picture: picture.tobytes(),
        lambda picture: picture.tobytes().decode("latin-1"),
        lambda picture: picture.flatten().tolist(),
        lambda picture: tuple((picture.flatten() / 255).tolist()),
        lambda picture: array("f", picture.flatten().tolist()),
        lambda picture: torch.from_numpy(picture.astype(np.float32).flatten()),
        beside_labels,
    ],
    ids=["bytes", "text", "list", "tuple", "array", "tensor", "beside labels"],
)
def test_a_picture_is_found_as(written: Callable[[Pictures], Any], frozen: None) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (4, 3, SIZE, SIZE), dtype=np.uint8)
    holder = Holder()
    holder.kept = {"a": written(pictures[2].copy())}  # type: ignore[attr-defined]
    assert pictures_held(pictures)


def test_other_numbers_of_that_length_are_no_picture(frozen: None) -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (4, 3, SIZE, SIZE), dtype=np.uint8)
    size = 3 * SIZE * SIZE
    kept = [rng.bytes(size), rng.random(size).tolist(), "x" * size, rng.random((2, size + 5)), [None] * size]
    assert pictures_held(pictures) == ""
    assert len(kept) == 5
