"""A few steps of a strategy on noise, without stream, loop or files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from clbench.method.batch import Batch
from clbench.method.strategy import Strategy
from clbench.nn.losses import as_targets
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy
from clbench.spec.scenario import TrainSpec
from clbench.train.optimiser import make_optimizer

TRAIN = TrainSpec(loss="bce", reduction="mean", optimizer="adamw", lr=1e-2, weight_decay=0.1, image_size=16)


class SmallBackbone(nn.Module):
    """Three strided convolutions with norms: 16 pixels to 2 x 2 positions, 12 channels; 8 and 4 positions before."""

    width = 12

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.ReLU())
            for a, b in [(3, 6), (6, 8), (8, 12)]
        )

    def stages(self, images: torch.Tensor) -> list[torch.Tensor]:
        x, maps = images.to(next(self.parameters()).dtype) / 255, []
        for step in self.steps:
            x = step(x)
            maps.append(x)
        return maps

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.stages(images)[-1]


class NoiseSession:
    """A session of random images: `seen` labels, of which the `new` last ones are marked and all others unknown."""

    def __init__(self, index: int, *, seen: int, new: int, images: int = 24) -> None:
        rng = np.random.default_rng(index)
        self.index, self.seen, self.learned = index, seen, seen
        self.new = slice(seen - new, seen)
        self.labels = tuple("abcdefgh"[:seen])
        self.rows = np.arange(images, dtype=np.int64) + 100 * index
        self.targets = np.full((images, seen), -1, dtype=np.int8)
        self.targets[:, self.new] = rng.random((images, new)) < 0.4
        self.online = False
        self._pixels = torch.from_numpy(rng.integers(0, 256, (images, 3, 16, 16), dtype=np.uint8))

    def batches(self, *, size: int = 8) -> Iterator[Batch]:
        for first in range(0, len(self.rows), size):
            part = slice(first, first + size)
            yield Batch(
                images=self._pixels[part],
                targets=as_targets(torch.from_numpy(self.targets[part])),
                rows=torch.from_numpy(self.rows[part]),
                replayed=torch.zeros(len(self.rows[part]), dtype=torch.bool),
            )


def built(name: str, *, train: TrainSpec = TRAIN, **fields: Any) -> Any:
    """Return a shipped strategy on the small backbone, before its first session."""
    strategy = load_strategy(catalog.find_strategy(name))(**fields)
    strategy._train = train
    torch.manual_seed(0)
    strategy.build(SmallBackbone(), tuple("abcdefgh"))
    return strategy


def begun(strategy: Strategy, session: NoiseSession) -> None:
    """Start a session as a run does."""
    torch.manual_seed(10 + session.index)
    strategy._seed = (0, session.index, 0)
    strategy._share = 0.0
    strategy.begin_session(session)  # type: ignore[arg-type]
    strategy.eval()
    strategy._live = session  # type: ignore[assignment]
    strategy.prepare(session)  # type: ignore[arg-type]


def trained(strategy: Strategy, session: NoiseSession, *, epochs: int = 2) -> list[float]:
    """Train on a session that has begun and return the losses, one per step."""
    strategy.train()
    if not any(p.requires_grad for p in strategy.net.backbone.parameters()):
        strategy.net.backbone.eval()
    optimizer = make_optimizer(strategy, TRAIN, session=session.index, device=torch.device("cpu"))
    batches = [batch for _ in range(epochs) for batch in session.batches()]
    losses = []
    for step, batch in enumerate(batches):
        torch.manual_seed(step)
        strategy._share = step / len(batches)
        optimizer.zero_grad()
        logits = strategy.net(batch.images)
        loss = strategy.loss(batch, logits)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        strategy.after_step(batch, logits.detach())
        losses.append(loss.item())
    strategy.eval()
    return losses
