"""Inside a training step nothing is read from the device: each such read would stall a GPU."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from small_training import SmallBackbone
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from clbench.method.session import LiveSession
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy
from clbench.spec.scenario import TrainSpec
from clbench.stream.stream import Session
from clbench.train.batches import SessionView
from clbench.train.loop import SharedLoop
from clbench.train.loss_meter import LossMeter

READS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal")
"""Operators whose result depends on values and therefore waits for them."""
COPIES = ("cpu", "tolist", "numpy", "item", "__bool__", "__float__", "__int__", "__index__")
"""Methods that bring values to the host; on a CPU some of them call no operator."""


class HostReads(TorchDispatchMode):
    """Counts the operators that wait for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        self.seen[name] += name in READS
        return func(*args, **(kwargs or {}))


class HostCopies(TorchFunctionMode):
    """Counts the calls that bring values to the host or choose rows by a mask, but for what is on the host already."""

    def __init__(self, loop: SharedLoop) -> None:
        super().__init__()
        self.loop = loop
        self.seen: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        at_host = self.loop.batch is not None and args and args[0] is self.loop.batch.rows
        copies = name in COPIES and not at_host
        if name in ("__getitem__", "__setitem__"):
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            copies = any(isinstance(part, torch.Tensor) and part.dtype == torch.bool for part in index)
        self.seen[name] += copies
        return func(*args, **(kwargs or {}))


class Noise:
    size = 16

    def read(self, rows: np.ndarray) -> torch.Tensor:
        return torch.randint(0, 256, (len(rows), 3, 16, 16), dtype=torch.uint8)


def session(index: int) -> Session:
    seen = 2 * (index + 1)
    targets = np.full((64, seen), -1, dtype=np.int8)
    targets[:, -2:] = np.random.default_rng(index).random((64, 2)) < 0.5
    return Session(
        index=index,
        new=slice(seen - 2, seen),
        seen=seen,
        learned=seen,
        labels=tuple("abcd"[:seen]),
        rows=np.arange(64),
        targets=targets,
        test_rows=np.arange(1),
    )


def reads_in_a_step(name: str, train: dict[str, Any]) -> float:
    """Return how often a step of the second session waits for the device."""
    recipe = TrainSpec(batch_size=8, epochs=1, image_size=16, augment="none", **train)
    fields = {"head_options": {"d": 16, "heads": 2}} if name == "dlfl" else {}
    strategy = load_strategy(catalog.find_strategy(name))(**fields)
    strategy._train = recipe
    strategy.build(SmallBackbone(), tuple("abcd"))
    cpu = torch.device("cpu")
    counts = []
    for index, batches in ((0, 8), (1, 8), (1, 4)):
        described = session(index)
        live = LiveSession(described, source=Noise(), device=cpu, batch_size=8, stored=lambda: np.arange(64))
        if strategy.net.head.seen < described.seen:
            strategy.begin_session(live)
            strategy.prepare(live)
        strategy._live = live
        loop = SharedLoop(strategy=strategy, train=recipe, seed=0, device=cpu)
        ids = np.array([str(i) for i in range(64)])
        exemplars = strategy.rehearse(live)
        view = SessionView(described, source=Noise(), ids=ids, augment="none", seed=0, exemplars=exemplars)
        view.rows, view.y, view.fresh = view.rows[: 8 * batches], view.y[: 8 * batches], 8 * batches
        with HostReads() as reads, HostCopies(loop) as copies:
            loop.train_session(view)
        counts.append(sum(reads.seen.values()) + sum(copies.seen.values()))
        if index == 0:
            strategy.eval()
            with torch.no_grad():
                strategy.end_session(live)
    eight, four = counts[1:]
    return (eight - four) / 4


@pytest.fixture(autouse=True)
def no_look_at_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    # on a CPU a look at the loss costs nothing and is taken at every step; a GPU is asked once in CHECK_EVERY steps
    monkeypatch.setattr(LossMeter, "due", False)


@pytest.mark.parametrize("name", ["naive", "lwf", "dlfl"])
@pytest.mark.parametrize("train", [{}, {"clip_norm": 1.0, "ema": 0.9}, {"loss": "bce", "schedule": "cosine"}])
def test_a_step_reads_nothing_back(name: str, train: dict[str, Any]) -> None:
    assert reads_in_a_step(name, train) == 0


@pytest.mark.parametrize("name", ["er", "prs", "ocdm", "icarl", "pseudo", "podnet", "ewc", "mas", "si", "mmdsr"])
def test_no_method_that_works_by_sessions_reads_anything_back(name: str) -> None:
    assert reads_in_a_step(name, {"clip_norm": 1.0}) == 0


@pytest.mark.parametrize("name", ["agem", "derpp"])
def test_memories_that_choose_batch_by_batch_do_and_the_test_would_notice(name: str) -> None:
    assert reads_in_a_step(name, {}) > 0
