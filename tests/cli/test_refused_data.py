"""Data that cannot be used, and labels that cannot be measured, as whoever types a command is told of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shard_makers import sharded

from clbench.data.sparse.files import write_csr
from clbench.data.sparse.labels import Entries

Cli = Callable[..., Any]
IMAGES, LABELS = 40, 4
TEST = np.arange(IMAGES) % 4 == 3


def table(folder: Path, y: Any = None) -> Path:
    """Write features, lists of labels (`y` [IMAGES, LABELS], nothing known but what is listed) and a scenario."""
    y = np.random.default_rng(0).integers(0, 2, (IMAGES, LABELS)) if y is None else y
    images, columns = np.nonzero(y >= 0)
    starts = np.concatenate([[0], np.cumsum(np.bincount(images, minlength=IMAGES))])
    entries = Entries(starts, columns.astype(np.int32), y[images, columns].astype(np.int8), LABELS, -1)
    write_csr(folder / "t.csr", labels=[f"label {k}" for k in range(LABELS)], entries=entries, test=TEST)
    about = folder / "t.csr" / "about.json"  # as another program writes it, without checksums
    about.write_text(json.dumps({k: v for k, v in json.loads(about.read_text()).items() if k != "checks"}))
    np.save(folder / "x.npy", np.random.default_rng(1).standard_normal((IMAGES, 8)).astype(np.float32))
    (folder / "s.yaml").write_text(
        "name: s\nversion: 1\ntitle: T.\ndataset: t.csr\noptions: {features: x.npy}\nlabels: {increment: 2}\n"
        "train: {epochs: 1, lr: 1.0e-3, batch_size: 8}\nstrategies: [naive]\nseeds: [0]\n"
    )
    (folder / "sweep.yaml").write_text("scenarios: [s.yaml]\nstrategies: [naive, er]\nseeds: [0]\n")
    return folder


def changed(path: Path, **values: Any) -> None:
    array = np.load(path)
    array[values["at"]] = values["to"]
    np.save(path, array)


def outside(here: Path) -> None:
    changed(here / "t.csr" / "columns.npy", at=5, to=99)


def beyond(here: Path) -> None:
    changed(here / "t.csr" / "starts.npy", at=7, to=10**9)


def overflow(here: Path) -> None:
    np.save(here / "t.csr" / "ids.npy", np.arange(IMAGES, dtype=np.uint64) + np.uint64(2**63))


def not_finite(here: Path) -> None:
    changed(here / "x.npy", at=(13, 3), to=np.nan)


def too_few(here: Path) -> None:
    np.save(here / "x.npy", np.zeros((IMAGES - 5, 8), dtype=np.float32))


def whole_numbers(here: Path) -> None:
    np.save(here / "x.npy", np.zeros((IMAGES, 8), dtype=np.int32))


def cut(here: Path) -> None:
    (here / "x.npy").write_bytes((here / "x.npy").read_bytes()[:-40])


def assert_told_once(done: Any, said: str, here: Path) -> None:
    assert done.code == 3, done
    assert done.err.count(said) == 1 and done.err.count("Error:") == 1 and "runs failed" not in done.err, done.err
    assert not [*(here / "results").rglob("*")]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (outside, "columns.npy: image 1 lists label 99, and there are 4"),
        (beyond, "starts.npy: image 7 has entries 1,000,000,000 to 32 of 160"),
        (overflow, "ids.npy: image 39 has the id 9223372036854775847, which is no number of 8 digits"),
        (not_finite, "x.npy: row 13 holds a number that is not finite"),
        (too_few, "x.npy has 35 rows, the table has 40"),
        (whole_numbers, "x.npy: int32, expected floating point"),
        (cut, "x.npy is not a whole NumPy array"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_once_and_leaves_nothing(
    spoil: Callable[[Path], None], said: str, cli: Cli, here: Path
) -> None:
    spoil(table(here))
    assert_told_once(cli("run", "s.yaml", "--device", "cpu", "--jobs", "1"), said, here)
    assert_told_once(cli("sweep", "sweep.yaml", "--device", "cpu", "--jobs", "1"), said, here)


@pytest.mark.slow
@pytest.mark.parametrize("words", [["run", "s.yaml", "--strategy", "naive,er"], ["sweep", "sweep.yaml"]])
def test_workers_that_are_refused_the_same_table_tell_it_once_and_leave_nothing(
    words: list[str], cli: Cli, here: Path
) -> None:
    not_finite(table(here))
    said = "row 13 holds a number that is not finite"
    assert_told_once(cli(*words, "--device", "cpu", "--jobs", "2"), said, here)


def test_a_shard_that_is_cut_is_told_once_and_leaves_nothing(cli: Cli, here: Path) -> None:
    sharded(here)
    shard = here / "own-1.tar"
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    done = cli("run", "sharded.yaml", "--device", "cpu", "--jobs", "1")
    assert_told_once(done, "own-1.tar: cut, or not a tar archive", here)


def test_a_label_that_is_never_known_in_test_is_refused(cli: Cli, here: Path) -> None:
    y = np.random.default_rng(0).integers(0, 2, (IMAGES, LABELS))
    y[TEST, 2] = -1
    table(here, y)
    assert_told_once(cli("run", "s.yaml", "--device", "cpu"), "the label 'label 2' is never known in test", here)
    assert "the label 'label 2' is never known in test" in cli("show", "s.yaml").out


def test_labels_that_no_test_image_has_are_named_when_shown_when_run_and_in_tables(cli: Cli, here: Path) -> None:
    y = np.random.default_rng(0).integers(0, 2, (IMAGES, LABELS))
    y[TEST, 2] = 0
    y[np.flatnonzero(TEST)[0], 2] = -1
    table(here, y)
    line = "No AP, and no part in mAP, for 1 of 4 labels that no test image is known to have: label 2."
    assert line in " ".join(cli("show", "s.yaml").out.split())
    assert json.loads(cli("show", "s.yaml", "--json").out)[0]["without_ap"] == ["label 2"]
    done = cli("run", "s.yaml", "--strategy", "naive,er", "--device", "cpu", "--jobs", "1")
    assert done.code == 0 and done.err.count(f"s: {line}") == 1
    assert " ".join(done.out.split()).count(line) == 1
    assert line in " ".join(cli("report", "leaderboard", "s", "--format", "md").out.split())
