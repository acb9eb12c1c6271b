"""The session counts of the published protocols, on the real label matrices."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import realtables
from stream_counts import counts

from clbench.data.table import LabelTable
from clbench.spec.scenario import LabelsSpec, ScenarioSpec
from clbench.stream.build import build_stream
from clbench.stream.stream import Stream

pytestmark = pytest.mark.realdata
COCO = {"B0-C10": (0, 10), "B40-C10": (40, 10), "B0-C5": (0, 5), "B20-C4": (20, 4)}
VOC = {"B0-C4": (0, 4), "B10-C2": (10, 2), "B5-C3": (5, 3), "B4-C2": (4, 2), "B10-C5": (10, 5), "B0-C5": (0, 5)}


@cache
def table(name: str, realdata: Path) -> LabelTable:
    return getattr(realtables, name)(realdata)


FACTS = json.loads((Path(__file__).parents[1] / "session_counts.json").read_text())


def stream(table: LabelTable, base: int, increment: int, **fields: Any) -> Stream:
    labels = LabelsSpec(base=base, increment=increment)
    return build_stream(
        table, ScenarioSpec(name="x", version=1, title="x", dataset=table.name, labels=labels, **fields)
    )


@pytest.mark.parametrize("name", COCO)
def test_coco_sessions_have_the_published_counts(name: str, realdata: Path) -> None:
    wanted = FACTS["coco2014"][name]
    found = counts(stream(table("coco2014", realdata), *COCO[name]))
    assert found["visits"] == wanted["visits"]
    assert found["histogram"] == wanted["histogram"] + [0] * (len(found["histogram"]) - len(wanted["histogram"]))
    agree(found["sessions"], wanted["sessions"], digits=4)


@pytest.mark.parametrize("name", VOC)
def test_voc_sessions_have_the_published_counts(name: str, realdata: Path) -> None:
    found = counts(stream(table("voc2007", realdata), *VOC[name]))
    agree(found["sessions"], FACTS["voc2007"][name]["sessions"], digits=3)


def agree(found: Any, wanted: Any, *, digits: int) -> None:
    assert len(found) == len(wanted)
    for mine, theirs in zip(found, wanted, strict=True):
        assert {key: round(mine[key], digits) for key in theirs} == theirs


@pytest.mark.parametrize("name", ["coco2014", "voc2007"])
def test_the_alphabetical_order_is_that_of_the_published_sessions(name: str, realdata: Path) -> None:
    assert list(stream(table(name, realdata), 0, 10).labels) == FACTS["orders"][name]


def test_the_whole_of_coco_and_voc_takes_part(realdata: Path) -> None:
    for name, train, test in (("coco2014", 82_081, 40_137), ("voc2007", 5_011, 4_952)):
        built = stream(table(name, realdata), 0, 0)
        assert (len(built.sessions[0].rows), len(built.test_rows)) == (train, test)


def test_a_disjoint_deal_of_coco_uses_every_image_once_and_starves_no_session(realdata: Path) -> None:
    built = stream(table("coco2014", realdata), 40, 10, images="disjoint")
    rows = np.concatenate([session.rows for session in built.sessions])
    assert len(rows) == len(np.unique(rows)) == 82_081
    overlapping = stream(table("coco2014", realdata), 40, 10)
    for one, all_ in zip(built.sessions, overlapping.sessions, strict=True):
        assert len(one.rows) > 0.15 * len(all_.rows)
        positives = (one.targets[:, one.new] == 1).sum(axis=0)
        assert (positives >= 20).all()
