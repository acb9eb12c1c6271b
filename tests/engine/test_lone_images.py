"""A batch of one image and batch norm on a map of one position: said before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from listening import StopAt
from tiny_scenarios import planned, scenario

from clbench.errors import UsageError
from clbench.stream.stream import Stream
from clbench.train.assembly import Parts
from clbench.train.prepare import plan_stream
from clbench.train.run import Run, RunOptions

ONE_POSITION = {"backbone": "resnet10t", "image_size": 32, "epochs": 1}


def refused(wanted, folder: Path, parts: Parts | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        Run(wanted, RunOptions(results=folder, device="cpu"), watch=StopAt(0, 1), parts=parts).carry_out()
    return caught.value


def test_batches_of_one_image_are_refused_before_the_first_step(tmp_path: Path) -> None:
    error = refused(planned(scenario(tmp_path, train=ONE_POSITION | {"batch_size": 1}), "naive"), tmp_path)
    assert "session 1 trains on a batch of one image" in error.message and "train.batch_size" in error.hint


def test_batches_of_one_image_are_fine_where_the_map_has_positions(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    wanted = planned(scenario(tmp_path, train={"batch_size": 1, "epochs": 1}), "naive")
    with pytest.raises(KeyboardInterrupt):
        Run(wanted, RunOptions(results=tmp_path, device="cpu"), watch=StopAt(0, 2)).carry_out()


def one_image_at_last(wanted) -> Stream:
    from dataclasses import replace

    stream = plan_stream(wanted)
    last = stream.sessions[-1]
    short = replace(last, rows=last.rows[:1], targets=last.targets[:1])
    return replace(stream, sessions=(*stream.sessions[:-1], short))


def test_a_later_session_of_one_image_is_refused_before_the_first_step(tmp_path: Path) -> None:
    wanted = planned(scenario(tmp_path, train=ONE_POSITION), "naive")
    assert "session 3 trains" in refused(wanted, tmp_path, Parts(stream=one_image_at_last)).message
