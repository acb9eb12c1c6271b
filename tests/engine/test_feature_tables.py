"""Runs on a table of features: the numbers that pictures give, and none of the code that reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from import_tools import imported
from tiny_scenarios import finished, planned, scenario

from clbench.errors import UsageError
from clbench.plan.plans import plan
from clbench.records.schema import Record
from clbench.seeds import seed_torch
from clbench.train.prepare import make_source, plan_backbone, plan_stream

RECIPE = {"freeze": "backbone", "augment": "none"}


def of_features(folder: Path, *, pictures: str) -> str:
    """Write the features that the frozen backbone makes of a scenario's pictures, and the scenario on them."""
    plan = planned(pictures, "naive")
    table = plan_stream(plan).table
    seed_torch(plan.seed, "weights")
    backbone = plan_backbone(plan).eval()
    with torch.no_grad():
        maps = backbone(make_source(plan, table, cache=False).read(np.arange(len(table))))
    folder.mkdir()
    np.save(folder / "x.npy", maps.contiguous().numpy())
    np.savez(folder / "labels.npz", labels=np.array(table.labels), y=table.y, split=table.split, ids=table.ids)
    content = yaml.safe_load(Path(pictures).read_text())
    del content["train"]["backbone"], content["train"]["image_size"]
    content |= {"dataset": str(folder), "options": {"features": "x.npy"}}
    (folder / "miniature.yaml").write_text(yaml.safe_dump(content))
    return str(folder / "miniature.yaml")


def same(a: Record, b: Record) -> bool:
    return (a.ap, a.counts, a.summary, a.learned, a.labels) == (b.ap, b.counts, b.summary, b.learned, b.labels)


def test_features_give_the_record_that_their_pictures_give(tmp_path: Path) -> None:
    pictures = scenario(tmp_path, train=RECIPE)
    stored = of_features(tmp_path / "own", pictures=pictures)
    for strategy, sets in {"er": ["er.memory=20"], "ridge": ["ridge.hidden=32"]}.items():
        _, shown = finished(planned(pictures, strategy, *sets), tmp_path / "a", features="maps")
        _, read = finished(planned(stored, strategy, *sets), tmp_path / "b")
        assert same(shown, read)
        assert read.train["backbone"] == "none" and read.environment["pretraining"] == "other"
        assert "jpeg_decoder" not in read.environment
    assert read.scenario.stream.images == shown.scenario.stream.images


def test_a_memory_of_features_takes_their_bytes(tmp_path: Path) -> None:
    stored = of_features(tmp_path / "own", pictures=scenario(tmp_path, train=RECIPE))
    _, record = finished(planned(stored, "er", "er.memory=20"), tmp_path / "r")
    cost = record.costs[0]
    assert cost.stored_images == 20 and cost.stored_bytes == 20 * (128 * 4 * 4 * 4 + 2)  # maps, and a byte for a label


def test_what_an_import_wrote_runs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{i % 2},{2 + i % 3} 1:{rng.random():.3f} 2:{rng.random():.3f}\n" for i in range(60)]
    (tmp_path / "data.svm").write_text("".join(rows))
    imported(tmp_path / "data.svm", split=0.3)
    content = {
        "name": "own",
        "version": 1,
        "title": "Imported features.",
        "dataset": str(tmp_path / "out"),
        "options": {"features": "features.npy"},
        "labels": {"base": 2, "increment": 3},
        "train": {"epochs": 1},
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(content))
    _, record = finished(planned(str(tmp_path / "own.yaml"), "naive"), tmp_path / "r")
    assert record.labels == ["0", "1", "2", "3", "4"] and len(record.costs) == 2


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ("train.backbone=resnet18", "train.backbone is 'resnet18', and the data set has features"),
        ("train.augment=flip", "train.augment is 'flip', and the data set has features"),
        ("train.weights=hub", "train.weights is 'hub', and the data set has features"),
    ],
)
def test_a_recipe_for_pictures_is_refused(tmp_path: Path, sets: str, message: str) -> None:
    stored = of_features(tmp_path / "own", pictures=scenario(tmp_path, train=RECIPE))
    with pytest.raises(UsageError, match=message):
        planned(stored, "naive", sets)


def test_pictures_need_a_backbone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"train.backbone is 'none', and the data set has pictures"):
        planned(scenario(tmp_path), "naive", "train.backbone=none")


def test_heads_that_read_stages_and_a_second_store_of_features_are_refused(tmp_path: Path) -> None:
    stored = of_features(tmp_path / "own", pictures=scenario(tmp_path, train=RECIPE))
    with pytest.raises(UsageError, match="the data set has features"):
        finished(planned(stored, "mmdsr"), tmp_path / "r")
    with pytest.raises(UsageError, match="inside the blocks of a transformer, and the data set has features") as caught:
        finished(plan(stored, strategies=["l2p"], seeds=[0])[0], tmp_path / "r")
    assert "ridge" in caught.value.hint
    with pytest.raises(UsageError, match="--features maps: the data set has features already"):
        finished(planned(stored, "naive"), tmp_path / "r", features="maps")


@pytest.mark.slow
def test_no_image_code_is_imported(tmp_path: Path) -> None:
    stored = of_features(tmp_path / "own", pictures=scenario(tmp_path, train=RECIPE))
    code = (
        "import sys; from pathlib import Path; from clbench.plan.plans import plan; from clbench.train.run import *\n"
        f"(one,) = plan({stored!r}, strategies=['er'], seeds=[0])\n"
        f"run(one, RunOptions(results=Path({str(tmp_path / 'r')!r}), device='cpu'))\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=200)
    loaded = set(done.stdout.split())
    # Avalanche itself imports Pillow's and torchvision's first modules
    assert "clbench.train.loop" in loaded
    pictures = {"jpeg", "pixels", "photo_probe"}
    assert not {name for name in loaded if name.startswith("clbench.data.") and name.split(".")[-1] in pictures}
    assert not {"timm", "torchcodec", "cv2", "PIL.JpegImagePlugin", "torchvision.transforms.v2"} & loaded
