"""What processes that share a run compute together, compared with one process; forked by test_distributed.py."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, distributed, nn

import clbench.train.loop  # noqa: F401 - before the ranks are joined
from clbench.errors import RunError
from clbench.method.global_batch import Parts
from clbench.method.session import LiveSession
from clbench.nn.closed_form.in_order import SumsInOrder
from clbench.nn.closed_form.ridge import BlockSums
from clbench.nn.distil import cosine_distillation, pod_flat
from clbench.nn.scale import per_entry, per_image
from clbench.nn.shared.batch_norm import shared_norms
from clbench.nn.shared.ranks import rank, world
from clbench.ranks.together import agreed_to_stop, anybody, average_gradients, by_first, gathered, start


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), BatchNormAct2d(8), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(8), nn.Linear(8, 4),
    )  # fmt: skip


def far(ours: Any, theirs: Any) -> float:
    pairs = [(a.detach().float(), b.detach().float()) for a, b in zip(ours, theirs, strict=True) if a.numel()]
    return max((float((a - b).abs().max()) for a, b in pairs), default=0.0)


def objective(features: Tensor, targets: Tensor, *, parts: Parts | None) -> Tensor:
    """Something of everything that methods add up: means over images, terms per image and per label, whole batches."""
    old = torch.linspace(-1, 1, features.numel() if parts is None else parts.fresh * 4).view(-1, 4)
    old = old if parts is None else old[rank() :: world()]
    distance = pod_flat(features, old) + cosine_distillation(features, old)
    whole = features if parts is None else parts.whole(features)
    contrast = (whole @ whole.T).square().mean()
    terms = [distance, contrast]
    for reduction in ("sum", "total", "mean"):
        terms += [per_image(distance, targets, reduction=reduction), per_entry(contrast, targets, reduction=reduction)]
    return torch.stack(terms).sum()


def batches(count: int) -> dict[str, float]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(count, 3, 9, 9, generator=generator) * 3 + 1
    targets = torch.where(torch.rand(count, 4, generator=generator) < 0.5, 1.0, float("nan"))
    one, ours, parts = network(), network(), Parts(count)
    with mock.patch("torch.distributed.is_initialized", return_value=False):
        features = one(images)
        objective(features, targets, parts=None).backward()
    mine = slice(rank(), None, world())
    with shared_norms():
        shared = ours(images[mine])
        objective(shared, targets[mine], parts=parts).backward()
    average_gradients(ours.parameters())
    scale = max(float(p.grad.abs().max()) for p in one.parameters())
    return {
        "features": far([shared], [features[mine]]),
        "gradients": far([p.grad for p in ours.parameters()], [p.grad for p in one.parameters()]) / scale,
        "statistics": far(ours.buffers(), one.buffers()),
        "order": far([gathered(shared, total=count)], [features]),
    }


def gradients() -> None:
    nobody, first, everybody = (nn.Parameter(torch.ones(2)) for _ in range(3))
    everybody.grad = torch.full((2,), float(rank()))
    first.grad = torch.full((2,), 6.0) if rank() == 0 else None
    average_gradients([nobody, first, everybody])
    assert nobody.grad is None, "what has no gradient anywhere is left alone"
    assert first.grad is not None and first.grad.tolist() == [6.0 / world()] * 2
    assert everybody.grad.tolist() == [(world() - 1) / 2] * 2


def words() -> None:
    assert by_first(lambda: rank()) == (0 if rank() == 0 else None)

    def fail() -> None:
        raise RunError("no", hint="never")

    try:
        by_first(fail)
    except RunError as error:
        assert error.hint == "never" and error.told is (rank() > 0)
    else:
        raise AssertionError("an error of the first process is everybody's")
    assert anybody(rank() == world() - 1) and not anybody(False)
    stopped = [step for step in range(6) if _step() and agreed_to_stop(rank() == 1 and step >= 2, step=step)]
    assert stopped == [3, 4, 5], stopped


def sums_in_order() -> None:
    """The same bits from parts that several processes share and from those of one alone."""
    generator = torch.Generator().manual_seed(3)
    phi, y = torch.randn(70, 6, generator=generator), (torch.rand(70, 3, generator=generator) < 0.5).float()
    y[:20, 2] = torch.nan  # nothing is added to a block of the first parts

    def summed() -> list[Tensor]:
        session = LiveSession(
            SimpleNamespace(index=0, new=None, seen=3, learned=3, labels=(), rows=np.arange(70), targets=phi.numpy()),
            source=SimpleNamespace(read=lambda rows: phi[torch.from_numpy(rows)]),
            device=torch.device("cpu"),
            batch_size=2,
            stored=lambda: np.empty(0, dtype=np.int64),
        )
        kept = BlockSums(6)
        sums = SumsInOrder(kept, [2, 1])
        for part in session.parts():
            for batch in part:
                sums.add(batch.images, y[batch.rows])
            sums.end_part()
        assert sums.into(kept) == [0, 1]
        return [tensor for one in kept.parts for tensor in (one.gram, one.cross)]

    together = summed()
    with ExitStack() as alone:
        for module in ("method.session", "nn.closed_form.in_order"):
            alone.enter_context(mock.patch(f"clbench.{module}.world", return_value=1))
            alone.enter_context(mock.patch(f"clbench.{module}.rank", return_value=0))
        by_one = summed()
    assert all(torch.equal(a, b) for a, b in zip(together, by_one, strict=True))


def _step() -> bool:
    """Wait for the others, as the gradients of every step do."""
    distributed.all_reduce(torch.zeros(1))
    return True


def computed(variables: dict[str, str], images: int, told: Path) -> None:
    """Compute all of it in this process, one of those that `variables` tell of, and write how far it is from one's."""
    os.environ.update(variables)
    start("cpu")
    gradients()
    words()
    sums_in_order()
    found = batches(images)
    same: list[Any] = [None] * world()
    distributed.all_gather_object(same, found)
    if rank() == 0:
        told.write_text(json.dumps(same))
