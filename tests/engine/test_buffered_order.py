"""Files of features read from end to end: the order of an epoch is a function of (seed, session, epoch)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_scenarios import finished, planned

from clbench.errors import UsageError
from clbench.train.batches import buffered_order


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=6), extra=st.integers(0, 9), buffer=st.integers(1, 200))
def test_every_position_comes_once_and_no_image_before_it_was_read(sizes: list[int], extra: int, buffer: int) -> None:
    shards = np.repeat(np.arange(len(sizes)), sizes)
    drawn = {"buffer": buffer, "seed": 1, "session": 2}
    found = buffered_order(len(shards) + extra, shards, epoch=3, **drawn)
    assert sorted(found.tolist()) == list(range(len(shards) + extra))
    assert found.tolist() == buffered_order(len(shards) + extra, shards, epoch=3, **drawn).tolist()
    fresh = found[found < len(shards)]
    assert fresh.tolist() == buffered_order(len(shards), shards, epoch=3, **drawn).tolist()  # exemplars move none
    read = buffered_order(len(shards), shards, epoch=3, **(drawn | {"buffer": 1}))  # nothing to choose from
    files = shards[read]
    assert len(np.flatnonzero(np.diff(files))) == len(sizes) - 1  # each from end to end
    assert all(np.diff(read)[np.diff(files) == 0] == 1)
    come = np.argsort(read)
    assert (come[fresh] < np.arange(len(fresh)) + buffer).all()


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 12), min_size=1, max_size=8), extra=st.integers(0, 9), lanes=st.integers(1, 4))
def test_lanes_take_turns_and_each_has_files_of_its_own(sizes: list[int], extra: int, lanes: int) -> None:
    files = np.repeat(np.arange(len(sizes)), sizes)
    places = np.arange(len(files))[::-1].copy()
    drawn = {"buffer": 6, "seed": 1, "session": 2, "epoch": 3, "places": places, "lanes": lanes}
    found = buffered_order(len(files) + extra, files, **drawn)
    assert sorted(found.tolist()) == list(range(len(files) + extra))
    ends = min(np.bincount(lane_of(files, lanes), minlength=lanes))  # until the first lane has ended
    if extra == 0:
        own = [set(files[found[number : ends * lanes : lanes]].tolist()) for number in range(lanes)]
        assert all(not one & other for place, one in enumerate(own) for other in own[place + 1 :])


def lane_of(files: npt.NDArray[np.int64], lanes: int) -> npt.NDArray[np.int64]:
    """Return the lane of each image: files are dealt to lanes in the order in which one lane would read them."""
    one = buffered_order(len(files), files, buffer=1, seed=1, session=2, epoch=3)
    turn = {file: place for place, file in enumerate(dict.fromkeys(files[one].tolist()))}
    return np.array([turn[file] % lanes for file in files.tolist()])


def test_epochs_and_sessions_differ() -> None:
    shards = np.repeat(np.arange(5), 10)
    orders = {
        tuple(buffered_order(50, shards, buffer=8, seed=0, session=session, epoch=epoch).tolist())
        for session in range(2)
        for epoch in range(2)
    }
    assert len(orders) == 4


@pytest.fixture
def home(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((90, 4)).astype(np.float32)
    y = (x @ rng.standard_normal((4, 4)) > 0.3).astype(np.int8)
    np.savez(
        tmp_path / "labels.npz", labels=np.array(list("abcd")), y=y, split=np.array(["train", "train", "test"] * 30)
    )
    np.save(tmp_path / "x.npy", x)
    for part in range(3):
        np.save(tmp_path / f"x-{part}.npy", x[30 * part : 30 * part + 30])
    return tmp_path


def spec(home: Path, **options: str) -> str:
    content = {
        "name": "own",
        "version": 1,
        "title": "Files.",
        "dataset": ".",
        "options": options,
        "labels": {"increment": 2},
        "train": {"epochs": 2, "batch_size": 8, "loss": "bce", "reduction": "mean", "lr": 0.01},
    }
    (home / "own.yaml").write_text(yaml.safe_dump(content))
    return str(home / "own.yaml")


def test_one_file_or_three_give_one_record_and_a_buffer_another(home: Path) -> None:
    records = {}
    for name, options in {
        "one": {"features": "x.npy"},
        "three": {"features": "x-*.npy"},
        "buffered": {"features": "x-*.npy", "buffer": "5"},
        "again": {"features": "x-*.npy", "buffer": "5"},
    }.items():
        records[name] = finished(planned(spec(home, **options), "er", "er.memory=10"), home / name)[1]
    assert records["one"].ap == records["three"].ap
    assert records["buffered"].ap == records["again"].ap != records["three"].ap
    assert records["buffered"].scenario.digest != records["three"].scenario.digest
    assert records["buffered"].scenario.stream == records["three"].scenario.stream


def test_a_buffer_for_pictures_is_refused(home: Path) -> None:
    for name in range(90):
        (home / f"{name:03d}.jpg").write_bytes(bytes([name]))
    arrays = dict(np.load(home / "labels.npz"))
    np.savez(home / "labels.npz", **arrays, paths=np.array([f"{name:03d}.jpg" for name in range(90)]))
    with pytest.raises(UsageError, match="option buffer: pictures are read in any order"):
        finished(planned(spec(home, buffer="5"), "naive", "train.backbone=clbench_small"), home / "r")


@pytest.mark.parametrize("options", [{"lanes": "2"}, {"lanes": "0", "buffer": "5"}, {"lanes": "2", "buffer": "0"}])
def test_lanes_that_would_say_nothing_are_refused(home: Path, options: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"option lanes: . with a buffer of . images; expected 1 or more"):
        finished(planned(spec(home, features="x.npy", **options), "naive"), home / "r")
