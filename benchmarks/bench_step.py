"""One training step: a teacher beside it, optimisers, averaged weights and quadratic penalties against naive forms.

    python benchmarks/bench_step.py [--quick]

CPU time of one thread. The step with a teacher is LwF's on a ResNet-50 at 96 px, in the precision in which the recipe
runs (the teacher runs in the student's precision and memory layout); steps of KRT, CSC and KBK stand beside one of LwF
with the same head. Optimisers and penalties work on the tensors of a
ResNet-50; the bound of an optimiser is the memory that it has to read and write.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

import numpy as np
import timm
import torch
from torch import Tensor, nn

from clbench.cli.comparison import Comparison, in_turns, main, ratio
from clbench.method.batch import Batch
from clbench.method.session import LiveSession
from clbench.method.strategy import Strategy
from clbench.nn.backbones.by_name import build_backbone
from clbench.nn.penalty import QuadraticPenalty
from clbench.nn.shared.ema import EMA
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy
from clbench.spec.scenario import TrainSpec
from clbench.stream.stream import Session
from clbench.train.optimiser import make_optimizer

CPU = torch.device("cpu")
LABELS, BATCH, SIZE, SESSIONS = 20, 8, 96, 7


def measure(quick: bool) -> Iterator[Comparison]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    repeats = 3 if quick else 9
    for amp in ("bf16", "off"):
        yield with_a_teacher(amp, repeats=repeats)
    for name in ("krt", "csc", "kbk"):
        yield beside_lwf(name, repeats=repeats)
    weights = timm.create_model("resnet50", num_classes=0)
    count = sum(p.numel() for p in weights.parameters())
    flat = torch.zeros(count)
    for name, variants, streams, target in (
        ("AdamW", optimisers(weights), 7, 2.5),
        ("averaged weights", averages(weights), 3, 2.5),
        (f"anchors of {SESSIONS} sessions", penalties(weights), 0, 5.0),
    ):
        seconds = in_turns(variants | {"one addition": lambda: flat.add_(1.0)}, repeats=repeats)
        naive, *_ = variants
        yield Comparison(
            f"{name}, {count / 1e6:.1f} million weights",
            ratio(seconds, naive, "ours"),
            "times as fast as",
            naive,
            at_least=target,
            detail=f"{1e3 * statistics.median(seconds['ours']):.1f} ms",
        )
        if streams:
            # an addition in place reads and writes one array; so many arrays have to be read or written here
            cost = ratio(seconds, "ours", "one addition") * 2 / streams
            yield Comparison(name, cost, "times the cost of", "moving the same bytes", at_most=2.0)
        else:
            cost = ratio(seconds, "ours", "ours, one session")
            yield Comparison(name, cost, "times the cost of", "the anchor of one", at_most=1.2)


def with_a_teacher(amp: str, *, repeats: int) -> Comparison:
    plain, taught = stepper("naive", amp=amp), stepper("lwf", amp=amp)
    seconds = in_turns({"plain": plain, "taught": taught}, repeats=2 * repeats)
    return Comparison(
        f"a step with a teacher, ResNet-50 at {SIZE} px, {'bfloat16' if amp == 'bf16' else 'float32'}",
        ratio(seconds, "taught", "plain"),
        "times the cost of",
        "a step without",
        at_most=1.35,
        detail=f"{1e3 * statistics.median(seconds['plain']) / BATCH:.0f} ms an image without",
    )


def beside_lwf(name: str, *, repeats: int) -> Comparison:
    head = load_strategy(catalog.find_strategy(name))().head
    variants = {"its own": stepper(name, amp="off"), "lwf": stepper("lwf", amp="off", head=head)}
    seconds = in_turns(variants, repeats=2 * repeats)
    what = f"a step of {name}, head {head}, float32"
    return Comparison(what, ratio(seconds, "its own", "lwf"), "times the cost of", "lwf's", at_most=1.5)


def stepper(name: str, *, amp: str, **fields: str) -> Callable[[], object]:
    """Return a step of a shipped strategy in its second session, on one batch of noise."""
    train = TrainSpec(backbone="resnet50", image_size=SIZE, batch_size=BATCH, loss="asl", optimizer="adamw")
    strategy = load_strategy(catalog.find_strategy(name))(**fields)
    strategy._train = train
    strategy.build(build_backbone("resnet50", image_size=SIZE), tuple(map(str, range(LABELS))))
    for index in (0, 1):
        strategy.begin_session(session(index))
    strategy.train()
    optimizer = make_optimizer(strategy, train, session=1, device=CPU)
    batch = Batch(
        images=torch.randint(0, 256, (BATCH, 3, SIZE, SIZE), dtype=torch.uint8),
        targets=torch.cat([torch.full((BATCH, LABELS // 2), float("nan")), torch.eye(LABELS // 2)[:BATCH]], dim=1),
        rows=torch.arange(BATCH),
        replayed=torch.zeros(BATCH, dtype=torch.bool),
    )

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=amp == "bf16"):
            loss = strategy.loss(batch, strategy.net(batch.images))
        loss.backward()
        optimizer.step()

    return step


def session(index: int) -> LiveSession:
    seen = LABELS // 2 * (index + 1)
    described = Session(
        index=index,
        new=slice(seen - LABELS // 2, seen),
        seen=seen,
        learned=seen,
        labels=tuple(map(str, range(seen))),
        rows=np.arange(BATCH),
        targets=np.zeros((BATCH, seen), dtype=np.int8),
        test_rows=np.arange(1),
    )
    return LiveSession(
        described, source=None, device=CPU, batch_size=BATCH, stored=lambda: np.arange(0), structure_only=True
    )  # type: ignore[arg-type]


def optimisers(weights: nn.Module) -> dict[str, Callable[[], object]]:
    for p in weights.parameters():
        p.grad = torch.randn_like(p) * 1e-3
    holder = Strategy()
    holder.net = weights  # type: ignore[assignment]
    ours = make_optimizer(holder, TrainSpec(optimizer="adamw"), session=0, device=CPU)
    naive = torch.optim.AdamW(weights.parameters(), lr=1e-4, foreach=False, fused=False)
    return {"a loop over tensors": naive.step, "ours": ours.step}


def averages(weights: nn.Module) -> dict[str, Callable[[], object]]:
    kept = {name: tensor.clone() for name, tensor in weights.state_dict().items()}
    average = EMA(weights, decay=0.999)

    @torch.no_grad()
    def naive() -> None:
        for name, tensor in weights.state_dict().items():
            kept[name].copy_(0.999 * kept[name] + 0.001 * tensor)

    return {"a loop over the state": naive, "ours": lambda: average.update(weights)}


def penalties(weights: nn.Module) -> dict[str, Callable[[], object]]:
    parameters = dict(weights.named_parameters())
    penalty, single = QuadraticPenalty(), QuadraticPenalty()
    anchors: list[tuple[dict[str, Tensor], dict[str, Tensor]]] = []
    for _ in range(SESSIONS):
        importance = {name: torch.rand_like(p) for name, p in parameters.items()}
        anchors.append(({name: p.detach().clone() for name, p in parameters.items()}, importance))
        penalty.anchor(parameters, importance)
    single.anchor(parameters, anchors[0][1])

    def naive() -> None:
        total = torch.zeros(())
        for theta, importance in anchors:
            for name, p in parameters.items():
                total = total + (importance[name] * (p - theta[name]).square()).sum()
        (0.5 * total).backward()

    return {
        "a term per session": naive,
        "ours": lambda: penalty.value(parameters).backward(),
        "ours, one session": lambda: single.value(parameters).backward(),
    }


if __name__ == "__main__":
    main(measure, doc=__doc__)
