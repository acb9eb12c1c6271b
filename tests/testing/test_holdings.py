"""Pictures that something holds are found in whatever they are written down as."""

from __future__ import annotations

import gc
import io
import pickle
import sys
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from clbench.testing import holdings
from clbench.testing.holdings import Search, pictures_held
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
        lambda picture: picture.tolist(),
        lambda picture: Image.fromarray(picture.transpose(1, 2, 0)),
        lambda picture: io.BytesIO(picture.tobytes()),
        pickle.dumps,
        lambda picture: [channel.copy() for channel in picture],
        lambda picture: picture[::-1].flatten(),
        lambda picture: np.pad(picture, ((0, 0), (1, 1), (1, 1))),
        lambda picture: picture.copy()[:, :1, :1],
        lambda picture: np.array([(1, picture)], dtype=[("id", "i4"), ("pixels", "u1", picture.shape)]),
        lambda picture: picture.astype(object),
        lambda picture: picture.flatten().view(np.int64).copy(),
        lambda picture: torch.from_numpy(picture.copy()).to_sparse(),
        lambda picture: torch.from_numpy(picture.copy()).untyped_storage(),
        lambda picture: {picture.tobytes(): 1},
    ],
    ids=[
        *("bytes", "text", "list", "tuple", "array", "tensor", "beside labels", "nested lists", "a picture of Pillow"),
        *("a file in memory", "pickled", "channels apart", "colours turned", "with a margin", "a view of a corner"),
        *("a structured array", "objects", "as larger numbers", "sparse", "a storage", "a key"),
    ],
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
    kept += [np.arange(size), np.zeros(size), ([0] * 8 + [1] * 8) * 9, np.array(["a", None] * 99), np.full(99, np.nan)]
    assert pictures_held(pictures) == ""
    assert len(kept) == 10


def test_what_was_no_picture_is_looked_at_again_once_its_numbers_are_others(frozen: None) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (4, 3, SIZE, SIZE), dtype=np.uint8)
    search, holder = Search(pictures), Holder()
    holder.kept = kept = np.zeros(pictures[2].size, dtype=np.uint8)  # type: ignore[attr-defined]
    assert search.held() == "" and search.held() == ""
    kept[:] = pictures[2].reshape(-1)
    assert search.held()
    kept[:] = 0
    assert search.held() == ""


def test_of_what_modules_held_before_only_texts_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings, "_BEFORE", holdings._BEFORE)
    picture = np.random.default_rng(5).integers(0, 256, (1, 3, SIZE, SIZE), dtype=np.uint8)
    here = sys.modules[__name__]
    monkeypatch.setattr(here, "TEXT", picture.tobytes(), raising=False)
    monkeypatch.setattr(here, "NUMBERS", np.zeros(picture.size, dtype=np.uint8), raising=False)
    holdings.freeze()
    try:
        assert pictures_held(picture) == ""
        vars(here)["NUMBERS"][:] = picture.reshape(-1)
        assert pictures_held(picture) == f"{__name__}.NUMBERS"
        vars(here)["NUMBERS"][:] = 0
        vars(here)["TEXT"] = bytes(bytearray(picture.tobytes()))
        assert pictures_held(picture) == f"{__name__}.TEXT"
    finally:
        gc.unfreeze()
