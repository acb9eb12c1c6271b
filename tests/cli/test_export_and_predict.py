"""From a run to an exported folder to labels of photos, as one types it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

Cli = Callable[..., Any]


def test_from_a_run_to_labels_of_photos(cli: Cli, here: Path):
    cli("run", "tiny", "--strategy", "naive", "--set", "train.epochs=1", "--keep-weights", "--device", "cpu", "--quiet")
    (record,) = here.glob("results/tiny.v1/naive/*/seed0.json")
    done = cli("export", record, "--out", "model", "--no-onnx")
    assert done.code == 0 and "one half: the scenario has no validation split" in done.out
    assert {path.name for path in (here / "model").iterdir()} == {"model.json", "model.safetensors", "README.md"}
    (here / "photos").mkdir()
    for name in ("a.jpg", "b.png"):
        Image.new("RGB", (50, 40), "orange").save(here / "photos" / name)
    rows = list(csv.DictReader(io.StringIO(cli("predict", "model", "photos", "--format", "csv").out)))
    assert [row["photo"] for row in rows] == ["photos/a.jpg", "photos/b.png"]
    told = json.loads(cli("predict", "model", "photos/b.png", "--format", "json").out)
    assert told[0]["labels"] == [label for label in rows[1]["labels"].split(";") if label]
    assert all(float(rows[1][label]) == told[0]["scores"][label] for label in told[0]["scores"])
    assert cli("predict", "model", "photos").out.splitlines()[1].startswith("photos/a.jpg")
    missing = cli("predict", "model", "photos/c.jpg")
    assert missing.code == 3 and "photos/c.jpg" in missing.err
    explained = cli("explain", record, "--label", "person", "--photo", "photos/a.jpg", "--json")
    assert json.loads(explained.out)["image"] == "a.jpg"
