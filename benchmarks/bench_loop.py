"""The shared loop against a bare PyTorch loop over the same batches.

    python benchmarks/bench_loop.py [--quick]

Both alternate in one process on one thread; medians of the process time of whole sessions. `resnet18` at 224 px is
the usual case and at 64 px a small one; `toy` is a model so small that the loop is everything.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from clbench.cli.comparison import Comparison, in_turns, main, ratio
from clbench.method.strategy import Strategy
from clbench.nn.losses import as_targets
from clbench.spec.scenario import TrainSpec
from clbench.stream.stream import Session
from clbench.train.batches import SessionView, loader, steps_per_epoch
from clbench.train.loop import SharedLoop
from clbench.train.optimiser import make_optimizer, make_schedule

CPU = torch.device("cpu")


class Memory:
    """Pictures in memory."""

    def __init__(self, count: int, size: int) -> None:
        self.size = size
        self.pictures = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8)

    def read(self, rows: np.ndarray) -> torch.Tensor:
        return self.pictures[torch.from_numpy(rows)]


class Toy(nn.Module):
    """One convolution."""

    width = 8

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv(images.float().mul(1 / 255)))


class ResNet18(nn.Module):
    """timm's resnet18 without its classifier."""

    width = 512

    def __init__(self) -> None:
        super().__init__()
        import timm

        self.body = timm.create_model("resnet18", num_classes=0, global_pool="")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.body(images.float().mul(1 / 255))


class Plain(Strategy):
    """Trains on the visible labels."""


CASES: dict[str, tuple[type[nn.Module], int, int, int]] = {
    "toy": (Toy, 8, 8192, 32),
    "resnet18-64": (ResNet18, 64, 256, 64),
    "resnet18-224": (ResNet18, 224, 64, 16),
}


def prepare(case: str, labels: int = 20) -> tuple[Strategy, SessionView, TrainSpec]:
    kind, size, count, batch = CASES[case]
    torch.manual_seed(0)
    train = TrainSpec(batch_size=batch, epochs=1, loss="bce", reduction="mean", optimizer="adamw", schedule="onecycle")
    strategy = Plain()
    strategy._train = train
    strategy.build(kind(), tuple(map(str, range(labels))))
    strategy.net.head.grow(labels)
    y = (np.random.default_rng(0).random((count, labels)) < 0.15).astype(np.int8)
    session = Session(
        index=0,
        new=slice(0, labels),
        seen=labels,
        learned=labels,
        labels=tuple(map(str, range(labels))),
        rows=np.arange(count),
        targets=y,
        test_rows=np.arange(1),
    )
    ids = np.array([str(n) for n in range(count)])
    return strategy, SessionView(session, source=Memory(count, size), ids=ids, augment="none", seed=0), train


def bare(strategy: Strategy, view: SessionView, train: TrainSpec) -> None:
    """What anybody would write without a framework, on the same loader, loss and optimiser."""
    optimizer = make_optimizer(strategy, train, session=0, device=CPU)
    steps = steps_per_epoch(len(view), train.batch_size)
    schedule = make_schedule(optimizer, train, steps=steps)
    strategy.train()
    for images, y, _, _ in loader(view, batch_size=train.batch_size, epochs=1, start=(0, 0), workers=0, pin=False):
        optimizer.zero_grad()
        loss = strategy.classification(strategy.net(images), as_targets(y))
        loss.backward()
        optimizer.step()
        schedule.step()


def shared(strategy: Strategy, view: SessionView, train: TrainSpec) -> None:
    """The suite's loop."""
    SharedLoop(strategy=strategy, train=train, seed=0, device=CPU).train_session(view)


def measure(quick: bool) -> Iterator[Comparison]:
    torch.set_num_threads(1)
    for case, repeats in (
        ("toy", 5 if quick else 15),
        ("resnet18-64", 3 if quick else 9),
        ("resnet18-224", 2 if quick else 5),
    ):
        parts = prepare(case)
        steps = steps_per_epoch(len(parts[1]), parts[2].batch_size)
        seconds = in_turns({"bare": lambda p=parts: bare(*p), "shared": lambda p=parts: shared(*p)}, repeats=repeats)
        each = statistics.median(seconds["bare"]) / steps
        yield Comparison(
            f"the shared loop, {case}",
            ratio(seconds, "bare", "shared"),
            unit="of the speed of",
            baseline="a bare loop",
            # where a step takes less than this, the loop's own 0.3 ms are seen; no real model is that small
            at_least=0.97 if each > 0.015 else None,
            detail=f"{1e3 * each:.2f} ms a step",
        )


if __name__ == "__main__":
    main(measure, doc=__doc__)
