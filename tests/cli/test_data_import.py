"""`clbench data import` as it is typed, and what its table means to training and scoring."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from data_makers import put
from import_tools import photos

from clbench.data.datasets.registry import open_table
from clbench.metrics.ap import average_precision
from clbench.nn.losses import as_targets, bce

Cli = Callable[..., Any]


def coco(folder: Path, names: list[str]) -> Path:
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    marks = [{"image_id": number, "category_id": 1 + number % 2} for number in range(len(names))]
    photos(folder, *names)
    return put(folder / "export.json", json.dumps({"images": images, "annotations": marks, "categories": categories}))


def test_an_import_says_what_it_read_and_what_to_do_next(cli: Cli, here: Path) -> None:
    coco(here / "export", ["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    photos(here / "export", "forgotten.jpg")
    done = cli("data", "import", "export", "--to", "mine", "--split", "0.5")
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "mine/labels.csv: 2 train and 2 test photos, form coco",
        "  labels: cat, dog",
        "  known: 8 of 8 entries",
        "  split by iterative stratification: 0.5 for test, seed 0",
        "  1 photos in the folder are not named by the export: forgotten.jpg",
        "  report: mine/import-report.md",
        "Next: clbench data check mine/labels.csv",
    ]
    checked = cli("data", "check", "mine/labels.csv")
    assert checked.code == 0 and "cat 1+1, dog 1+1" in checked.out
    twice = cli("data", "import", "export", "--to", "mine", "--split", "0.5")
    assert twice.code == 2 and "labels.csv is there already" in twice.err


def test_what_cannot_be_read_ends_in_one_message(cli: Cli, here: Path) -> None:
    coco(here / "export", ["a.jpg", "b.jpg"])
    for words, code, message in (
        (["export", "--to", "x"], 3, "a.jpg is in no split; all of 2 photos have none"),
        (["nowhere", "--to", "x"], 3, "there is no such file or folder"),
        (["export", "--to", "x", "--split", "2"], 2, "--split 2: expected the share of test photos"),
        (["export", "--to", "x", "--option", "crowd"], 2, "expected NAME=VALUE"),
        (["export", "--to", "x", "--option", "crowd=dorp"], 2, "Did you mean 'drop'"),
        (["export", "--to", "x", "--group", "patient"], 2, "Add --split 0.2"),
        (["export", "--to", "x", "--form", "cvat"], 3, "nothing in it is of the form cvat"),
    ):
        done = cli("data", "import", *words)
        assert done.code == code and message in done.err, done.err
        assert "Traceback" not in done.err
        assert not (here / "x").exists()


def test_a_blank_of_chexpert_trains_nothing_and_is_scored_nowhere(cli: Cli, here: Path) -> None:
    names = [f"{split}/{number}.jpg" for split in ("train", "valid") for number in range(3)]
    photos(here / "chexpert", *names)
    for split, cells in (("train", ["1.0,", "0.0,1.0", ",-1.0"]), ("valid", ["1.0,0.0", ",1.0", "0.0,1.0"])):
        rows = [f"{split}/{number}.jpg,Male,{cell}" for number, cell in enumerate(cells)]
        put(here / "chexpert" / f"{split}.csv", "\n".join(["Path,Sex,Edema,Fracture", *rows, ""]))
    assert "1 photos of which no label is known are left out" in cli("data", "import", "chexpert", "--to", "t").out
    table = open_table("t/labels.csv", root=None, options={})
    train, test = (table.y[table.rows(split)] for split in ("train", "test"))
    assert train.tolist() == [[1, -1], [0, 1]]
    assert test.tolist() == [[1, 0], [-1, 1], [0, 1]]
    logits = torch.zeros(2, 2, requires_grad=True)
    bce(logits, as_targets(torch.from_numpy(train)), reduction="total").backward()
    assert logits.grad is not None
    assert logits.grad.tolist() == [[-0.5, 0.0], [0.5, -0.5]]  # sigmoid(0) minus the truth, where there is one
    scores = np.array([0.2, 0.9, 0.1])
    assert average_precision(scores, test[:, 0]) == 1.0  # the best score is that of the unknown photo
    known = cli("data", "check", "t/labels.csv").out
    assert "3 of 4 train entries are known, 1 are not" in known
    assert "5 of 6 test entries are known, 1 are not" in known
