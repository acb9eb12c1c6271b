"""Kept weights are those that were scored, maps say where a label looked, and what cannot be explained is said."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_scenarios import finished, planned, scenario

from clbench.errors import DataError, ResultsError, UsageError
from clbench.explain.attention import ATTENTION, RESPONSE, where
from clbench.explain.explain import explain
from clbench.method.strategy import Strategy
from clbench.nn.heads.by_name import build_head
from clbench.nn.heads.mmdsr import MMDSRHead
from clbench.train.make_record import notes_of
from clbench.train.resume.progress import Done

DLFL = ("head_options.d=16", "head_options.heads=4", "train.ema=0.8")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("explained")
    path = scenario(folder)
    run, record = finished(planned(path, "dlfl", *DLFL), folder / "results", keep_weights=True)
    return path, run, record


def test_what_was_kept_is_what_was_scored(ran: Any) -> None:
    path, run, record = ran
    ids = run.stream.table.ids
    for label in ("person", "bottle"):
        column = record.labels.index(label)
        row = int(run.stream.test_rows[17])
        found = explain(run.record, label=label, image=str(ids[row]), scenario=path)
        assert [look.session for look in found.looks] == list(range(record.learned[column], 3))
        for look in found.looks:
            scores = np.load(run.work / f"scores-{look.session}.logits.npy")
            assert look.score == pytest.approx(1 / (1 + np.exp(-scores[17, column])), abs=1e-5)
        assert found.truth == run.stream.truth(np.array([row]))[0, column]
        assert (found.picture == run.source.read(np.array([row]))[0].permute(1, 2, 0).numpy()).all()


def test_a_photo_is_explained_without_the_data_set(ran: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, run, _ = ran
    row = int(run.stream.test_rows[17])
    picture = run.source.read(np.array([row]))[0].permute(1, 2, 0).numpy()
    Image.fromarray(picture).save(tmp_path / "street.png")
    told = explain(run.record, label="person", image=str(run.stream.table.ids[row]), scenario=path)
    monkeypatch.setattr("clbench.explain.explain.plan_of", lambda *_, **__: pytest.fail("the data was opened"))
    found = explain(run.record, label="person", photo=tmp_path / "street.png", scenario=path)
    assert found.image == "street.png" and found.truth == -1
    assert [look.score for look in found.looks] == [look.score for look in told.looks]
    assert all((a.map == b.map).all() for a, b in zip(found.looks, told.looks, strict=True))
    with pytest.raises(DataError, match=r"none\.jpg"):
        explain(run.record, label="person", photo=tmp_path / "none.jpg", scenario=path)


def test_maps_are_shares_of_the_positions(ran: Any) -> None:
    path, run, _ = ran
    found = explain(run.record, label="car", scenario=path)
    assert found.kind == ATTENTION and found.learned == 1 and found.truth == 1
    assert found.run == "dlfl with head queries, seed 1"
    for look in found.looks:
        assert look.map.shape == (4, 4) and look.map.min() >= 0
        assert look.map.sum() == pytest.approx(1, abs=1e-5)
    plain = json.loads(json.dumps(found.to_plain()))
    assert plain["label"] == "car" and len(plain["looks"]) == 2 and len(plain["looks"][0]["map"]) == 4


def test_names_that_are_not_there_are_named(ran: Any) -> None:
    path, run, _ = ran
    with pytest.raises(UsageError, match=r"--label persn: .*Did you mean 'person'"):
        explain(run.record, label="persn", scenario=path)
    with pytest.raises(UsageError, match="--image nix: no such image"):
        explain(run.record, label="person", image="nix", scenario=path)


def test_weights_that_were_not_kept_or_are_damaged_are_designed_errors(ran: Any, tmp_path: Path) -> None:
    path, run, _ = ran
    record = shutil.copy(run.record, tmp_path / run.record.name)
    with pytest.raises(ResultsError, match="after session 1 were not kept"):
        explain(record, label="person", scenario=path)
    (tmp_path / run.work.name).mkdir()
    (tmp_path / run.work.name / "weights-0.pt").write_bytes(b"no weights")
    with pytest.raises(ResultsError, match="not readable weights"):
        explain(record, label="person", scenario=path)


def test_another_scenario_of_that_name_is_refused(ran: Any, tmp_path: Path) -> None:
    _, run, _ = ran
    other = scenario(tmp_path, images=120)
    with pytest.raises(UsageError, match="not the scenario of the record"):
        explain(run.record, label="person", scenario=other)


def test_keeping_weights_changes_nothing_else(ran: Any, tmp_path: Path) -> None:
    path, _, record = ran
    run, other = finished(planned(path, "dlfl", *DLFL), tmp_path)
    assert other.content == record.content
    assert not list(run.work.glob("weights-*"))


# ---------------------------------------------------------------- where


def test_a_shared_feature_shows_where_the_classifier_responds() -> None:
    head = build_head("linear", width=2, options={})
    head.grow(2)
    with torch.no_grad():
        head.weight.blocks[0].copy_(torch.tensor([[1.0, 0.0], [0.0, -1.0]]))
    maps = torch.zeros(1, 2, 2, 2)
    maps[0, 0] = torch.tensor([[3.0, 1.0], [-5.0, 0.0]])
    maps[0, 1] = 2.0
    found, kind = where(head, maps, label=0)
    assert kind == RESPONSE
    assert found[0].tolist() == [[0.75, 0.25], [0, 0]]
    nowhere, _ = where(head, maps, label=1)
    assert (nowhere == 0.25).all()


def test_heads_with_own_features_show_their_attention() -> None:
    torch.manual_seed(0)
    head = build_head("queries", width=6, options={"d": 8, "heads": 2})
    head.grow(3)
    maps = torch.randn(2, 6, 2, 3)
    found, kind = where(head, maps, label=1)
    assert kind == ATTENTION
    torch.testing.assert_close(found.flatten(1), head.attention(maps)[:, :, 1].mean(1))


@pytest.mark.parametrize("m3", [True, False])
def test_heads_that_merge_stages_show_the_merged_map(m3: bool) -> None:
    torch.manual_seed(0)
    head = MMDSRHead(width=6, d=8, m3=m3)
    head.attach([(4, 6, 8), (6, 3, 4)])
    head.grow(3)
    found, kind = where(head, [torch.randn(2, 4, 6, 8), torch.randn(2, 6, 3, 4)], label=1)
    assert found.shape == (2, 3, 4) and kind == (ATTENTION if m3 else RESPONSE)
    torch.testing.assert_close(found.sum((1, 2)), torch.ones(2))


# ---------------------------------------------------------------- angles in the record


def test_a_record_notes_the_angle_of_every_session(ran: Any) -> None:
    _, _, record = ran
    angles = [float(value) for value in record.notes["angle"].split()]
    assert len(angles) == 3 and all(0 < angle < 180 for angle in angles)


def test_a_record_notes_how_many_positions_its_head_had_to_choose_from(ran: Any) -> None:
    path, run, record = ran
    assert record.notes["positions"] == "16"
    assert explain(run.record, label="car", scenario=path).looks[0].map.size == 16


def test_sessions_without_an_angle_are_told_apart() -> None:
    def done(angle: float) -> Done:
        return Done(growing=[], fixed=[], counts={}, cost={}, times={}, scores={}, mean_loss=0.0, angle=angle)

    built = Strategy()
    assert notes_of([done(math.nan), done(math.nan)], built) == {}
    assert notes_of([done(81.23), done(math.nan)], built) == {"angle": "81.2 -"}
