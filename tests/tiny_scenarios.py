"""Scenarios of a second or less for the tests of strategies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from clbench.method.batch import Batch
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy
from clbench.plan.plan import Plan
from clbench.plan.plans import plan
from clbench.records.record import Record, read_record
from clbench.stream.stream import Session
from clbench.train.events import Event, SessionFinished
from clbench.train.run import Run, RunOptions

SHIPPED = [entry.name for entry in catalog.strategies() if entry.origin == "shipped"]
SMALL = {
    "dlfl": ("dlfl.head_options={d: 16, heads: 2}",),
    "ridge": ("ridge.hidden=64",),
    "krt": ("krt.head_options={d: 16, heads: 2}",),
    "kbk": ("kbk.head_options={d: 16, heads: 2}",),
    "csc": ("csc.head_options={d: 16}",),
    "agcn": ("agcn.head_options={vectors: 16, hidden: 32}",),
    "mmdsr": ("mmdsr.head_options={d: 16, heads: 2}",),
    "sadcl": ("sadcl.head_options={d: 16, heads: 2}",),
}
"""What keeps a strategy's default head small enough for a test."""


def scenario(folder: Path, *, train: dict[str, Any] | None = None, images: int = 100, **fields: Any) -> str:
    """Write a scenario of three sessions with two labels each and return its path."""
    content = {
        "name": "miniature",
        "version": 1,
        "title": "Three sessions of two labels.",
        "dataset": "scenes",
        "options": {"train": str(images), "test": "100"},
        "labels": {"sessions": [["person", "chair"], ["car", "cup"], ["bottle", "dining table"]]},
        "train": {
            "backbone": "clbench_small",
            "image_size": 32,
            "epochs": 2,
            "batch_size": 8,
            "optimizer": "adamw",
            "lr": 3.0e-3,
            "loss": "bce",
            "reduction": "mean",
            "augment": "flip",
        }
        | (train or {}),
        **fields,
    }
    path = folder / "miniature.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(path)


def online(folder: Path, **fields: Any) -> str:
    """Write the same scenario as a one-pass stream."""
    return scenario(folder, online=True, train={"epochs": 1, "batch_size": 6, "schedule": "constant"}, **fields)


def backbone_of(strategy: str) -> list[str]:
    """Return as settings the backbone that a strategy needs where it works inside a transformer."""
    inside = load_strategy(catalog.find_strategy(strategy)).inside_transformer
    return ["train.backbone=clbench_vit"] if inside else []


def planned(path: str, strategy: str, *sets: str, seed: int = 1) -> Plan:
    torch.set_num_threads(1)
    (wanted,) = plan(path, strategies=[strategy], sets=[*backbone_of(strategy), *sets], seeds=[seed])
    return wanted


def finished(
    wanted: Plan, results: Path, *, after_first: Callable[[Run], None] | None = None, **options: Any
) -> tuple[Run, Record]:
    """Carry out a plan and return the run with its record; `after_first` looks at it when one session is done."""

    def look(event: Event) -> None:
        if isinstance(event, SessionFinished) and event.session == 0 and after_first is not None:
            after_first(run)

    run = Run(wanted, RunOptions(results=results, device="cpu", **options), watch=look)
    return run, read_record(run.carry_out())


class FakeSession:
    """What a strategy reads of a session when it changes structure or fills a memory, without pictures."""

    def __init__(self, session: Session, *, online: bool = False) -> None:
        self.__dict__.update(vars(session))
        self.online = online

    def batches(self) -> Any:
        raise AssertionError("this session has no pictures")


def toy_session(rows: list[int], targets: list[list[int]], *, index: int = 0, new: slice | None = None) -> Session:
    y = np.array(targets, dtype=np.int8)
    return Session(
        index=index,
        new=new or slice(0, y.shape[1]),
        seen=y.shape[1],
        learned=y.shape[1],
        labels=tuple("abcdefgh"[: y.shape[1]]),
        rows=np.array(rows, dtype=np.int64),
        targets=y,
        test_rows=np.array([0]),
    )


class FlatBackbone(torch.nn.Module):
    """Two channels: the mean of the first colour and one minus it, at one position."""

    width = 2

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        mean = images[:, 0].float().mean(dim=(1, 2)) / 255
        return torch.stack([mean, 1 - mean], dim=1)[:, :, None, None]


def built(name: str, *, seen: int, online: bool = False, **fields: Any) -> Any:
    """Return a shipped strategy with a trivial backbone, in its first session, with `seen` labels."""
    kind = load_strategy(catalog.find_strategy(name))
    strategy = kind(**fields)
    strategy._seed = (0, 0, 0)
    torch.manual_seed(0)
    strategy.build(FlatBackbone(), tuple("abcdefgh"[:seen]))
    strategy.begin_session(FakeSession(toy_session([0], [[-1] * seen]), online=online))
    return strategy


class PicturedSession(FakeSession):
    """A toy session whose pictures have one grey level each: `levels` in [0, 255], by position."""

    def __init__(self, session: Session, levels: list[int]) -> None:
        super().__init__(session)
        self.levels = levels

    def batches(self, *, size: int = 2, places: Any = None) -> Any:
        chosen = np.arange(len(self.rows)) if places is None else places
        for first in range(0, len(chosen), size):
            part = chosen[first : first + size]
            targets = torch.from_numpy(self.targets[part]).float()
            yield Batch(
                images=grey([self.levels[i] for i in part]),
                targets=torch.where(targets < 0, torch.nan, targets),
                rows=torch.from_numpy(self.rows[part]),
                replayed=torch.zeros(len(part), dtype=torch.bool),
            )


def grey(levels: list[int]) -> torch.Tensor:
    """Return pictures uint8 [n, 3, 2, 2] of one grey level each."""
    return torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 2, 2).clone()


def batch_of(
    rows: list[int],
    targets: list[list[int]],
    *,
    levels: list[int] | None = None,
    replayed: int = 0,
    logits: list[list[float]] | None = None,
) -> Batch:
    """Return a batch with -1 for unknown; the last `replayed` images come from a memory."""
    y = torch.tensor(targets).float()
    return Batch(
        images=grey(levels or [0] * len(y)),
        targets=torch.where(y < 0, torch.nan, y),
        rows=torch.tensor(rows),
        replayed=torch.arange(len(y)) >= len(y) - replayed,
        logits=None if logits is None else torch.tensor(logits),
    )
