"""Angles between features and classifiers, and the experiment that shows what they mean."""

from __future__ import annotations

import csv
import importlib.util
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small_training import NoiseSession, SmallBackbone

from clbench.nn.heads.angles import mean_positive_angle, positive_angles, shared_feature_angle
from clbench.nn.heads.by_name import Network, build_head

NAN = float("nan")
ROOT = Path(__file__).parents[2]


def test_only_known_positives_have_an_angle():
    features = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [1.0, 1.0], [3.0, 0.0]]])
    weight = torch.tensor([[2.0, 0.0], [1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    angles = positive_angles(features, weight, torch.tensor([[1.0, 1.0, 1.0, 1.0]]))
    torch.testing.assert_close(angles, torch.tensor([0.0, 90.0, 45.0, 180.0]), rtol=0, atol=0.05)
    assert len(positive_angles(features, weight, torch.tensor([[0.0, NAN, 1.0, NAN]]))) == 1


def test_a_shared_feature_meets_every_classifier():
    weight = torch.eye(3)
    angles = positive_angles(torch.ones(1, 1, 3), weight, torch.ones(1, 3))
    torch.testing.assert_close(angles, torch.full((3,), shared_feature_angle(3)), rtol=0, atol=1e-3)


def test_the_bound_is_the_arccosine():
    assert shared_feature_angle(2) == pytest.approx(45)
    assert shared_feature_angle(80) == pytest.approx(83.581, abs=5e-4)


@pytest.mark.parametrize("name", ["linear", "queries"])
def test_the_mean_over_batches_is_the_mean_over_positives(name):
    torch.manual_seed(0)
    head = build_head(name, width=12, options={"d": 16, "heads": 4} if name == "queries" else {})
    head.grow(3)
    network = Network(SmallBackbone(), head).eval()
    session = NoiseSession(0, seen=3, new=3, images=21)
    angles = [
        positive_angles(head.label_features(network.features(b.images)), head.classifier()[0], b.targets)
        for b in session.batches()
    ]
    found = mean_positive_angle(network, ((b.images, b.targets) for b in session.batches()))
    assert found == pytest.approx(torch.cat(angles).mean().item(), rel=1e-6)
    assert math.isnan(mean_positive_angle(network, []))


def toy() -> Any:
    spec = importlib.util.spec_from_file_location("toy_ofml_ofol", ROOT / "benchmarks" / "toy_ofml_ofol.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def toy_table() -> dict[tuple[str, int], tuple[float, float]]:
    """Return (head, seed) -> (mAP, angle) as the committed figure's table has them."""
    with (ROOT / "docs" / "figures" / "toy_ofml_ofol.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {(row["head"], int(row["seed"])): (float(row["map"]), float(row["angle"])) for row in rows}


def test_what_is_said_of_the_toy_experiment_follows_from_its_table():
    table, told = toy_table(), " ".join((ROOT / "docs" / "claim.md").read_text(encoding="utf-8").split())
    assert set(table) == {(head, seed) for head in toy().HEADS for seed in range(3)}
    said = []
    for family in ("OFML", "OFOL"):
        maps, angles = zip(*(values for (head, _), values in table.items() if head.startswith(family)), strict=True)
        said += [f"{100 * min(maps):.0f} to {100 * max(maps):.0f}", f"{min(angles):.0f} to {max(angles):.0f}"]
    expected = "shared features reach {} mAP at angles of {} degrees, own ones {} at {}.".format(*said)
    assert expected in told


@pytest.mark.slow
@pytest.mark.parametrize("head", ["OFML, average", "OFML, maximum", "OFOL, 1 stage", "OFOL, 2 stages"])
def test_the_table_of_the_toy_experiment_is_what_its_script_finds(head):
    torch.set_num_threads(1)
    found = toy().measure(head, seed=0)
    # another processor may round differently, three hundred steps long
    assert (found.map, found.angle) == (
        pytest.approx(toy_table()[head, 0][0], abs=0.02),
        pytest.approx(toy_table()[head, 0][1], abs=2),
    )


def test_own_features_beat_a_shared_one_in_the_toy_experiment_whatever_the_seed():
    table, bound = toy_table(), shared_feature_angle(toy().LABELS)
    for seed in range(3):
        for shared in ("OFML, average", "OFML, maximum"):
            for own in ("OFOL, 1 stage", "OFOL, 2 stages"):
                assert table[own, seed][0] > table[shared, seed][0] + 0.3
                assert table[own, seed][1] < bound - 5 < bound + 5 < table[shared, seed][1]


def test_the_toy_experiment_refuses_no_seeds(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["toy_ofml_ofol.py", "--seeds", "0", "--out", str(tmp_path)])
    with pytest.raises(SystemExit):
        toy().main()
    assert "--seeds is 0" in capsys.readouterr().err
