"""Precision, memory layout, fused optimisers and compilation: what each does for a training step.

    python benchmarks/bench_modes.py [--quick] [--compile]

CPU time of one thread for whole steps (forward, backward, optimiser) through the suite's own backbones. With
`--compile` torch.compile is tried on one backbone, which takes minutes on a CPU. docs/performance.md has the table.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

import torch

from clbench.cli.comparison import Comparison, in_turns, main, milliseconds, ratio
from clbench.method.strategy import Strategy
from clbench.nn.backbones.by_name import build_backbone
from clbench.nn.losses import asl
from clbench.spec.scenario import TrainSpec
from clbench.train.optimiser import make_optimizer

CPU = torch.device("cpu")
LABELS, BATCH = 20, 8
COMPILE = "--compile" in sys.argv
CASES = (
    ("resnet18", 128),
    ("resnet50", 128),
    ("tresnet_m", 128),
    ("vit_small_patch16_224", 128),
    ("clbench_small", 64),
)


class Plain(Strategy):
    """Trains on the visible labels."""


def stepper(
    backbone: str,
    size: int,
    *,
    channels_last: bool = True,
    bf16: bool = False,
    fused: bool = True,
    compiled: bool = False,
) -> Callable[[], object]:
    torch.manual_seed(0)
    strategy = Plain()
    body = build_backbone(backbone, image_size=size, channels_last=channels_last)
    strategy.build(body, tuple(map(str, range(LABELS))))
    strategy.net.head.grow(LABELS)
    strategy.train()
    if fused:
        optimizer = make_optimizer(strategy, TrainSpec(optimizer="adamw"), session=0, device=CPU)
    else:
        optimizer = torch.optim.AdamW(strategy.parameters(), lr=1e-4, foreach=False, fused=False)
    images = torch.randint(0, 256, (BATCH, 3, size, size), dtype=torch.uint8)
    targets = (torch.rand(BATCH, LABELS) < 0.15).float()
    if compiled:
        # the backbone alone: its shapes never change, the head's do in every session
        body.body.forward = torch.compile(body.body.forward)  # type: ignore[method-assign]

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            loss = asl(strategy.net(images), targets, gamma_neg=4.0, gamma_pos=0.0, clip=0.05, reduction="total")
        loss.backward()
        optimizer.step()

    return step


def measure(quick: bool) -> Iterator[Comparison]:
    torch.set_num_threads(1)
    for backbone, size in CASES[:2] if quick else CASES:
        transformer = backbone.startswith("vit")
        variants = {
            "float32": stepper(backbone, size, channels_last=False, fused=False),
            "fused AdamW": stepper(backbone, size, channels_last=False),
            "bfloat16": stepper(backbone, size, channels_last=False, bf16=True),
        }
        if not transformer:  # tokens have no layout to choose
            variants["channels_last"] = stepper(backbone, size)
            variants["bfloat16, channels_last"] = stepper(backbone, size, bf16=True)
        seconds = in_turns(variants, repeats=3 if quick else 5)
        print(f"{backbone} at {size} px: {milliseconds(seconds, per=BATCH)} an image")
        for name in list(variants)[1:]:
            yield Comparison(
                f"{backbone} at {size} px, {name}", ratio(seconds, "float32", name), "times as fast as", "plain float32"
            )
    if COMPILE:
        yield from compiled("resnet18", 64)


def compiled(backbone: str, size: int) -> Iterator[Comparison]:
    start = time.perf_counter()
    eager, fast = stepper(backbone, size), stepper(backbone, size, compiled=True)
    fast()
    seconds = time.perf_counter() - start
    rounds = in_turns({"eager": eager, "compiled": fast}, repeats=9)
    yield Comparison(
        f"{backbone} at {size} px, backbone compiled",
        ratio(rounds, "eager", "compiled"),
        "times as fast as",
        "eager, channels_last",
        detail=f"after {seconds:.0f} s of compilation",
    )


if __name__ == "__main__":
    sys.argv = [word for word in sys.argv if word != "--compile"]
    main(measure, doc=__doc__)
