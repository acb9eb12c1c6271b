"""What is kept instead of made again: the memory that a step frees, and the features of a frozen backbone.

    python benchmarks/bench_kept.py [--quick]

Freed memory: passes forward of efficientnet_lite0 in new processes that take turns, one kind told to keep what it frees
and one as the system's allocator comes; the process's CPU time, and its part inside the kernel. Features: a training
step of the head alone on ready maps against the same step with the frozen network before it, as with
`--features maps`; CPU time of one thread in turns.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from clbench.cli.comparison import Comparison, in_turns, main, ratio
from clbench.nn.backbones.by_name import build_backbone
from clbench.nn.heads.by_name import build_head
from clbench.nn.losses import asl
from clbench.train.environment import keep_freed_memory

LABELS, BACKBONE = 80, "tf_efficientnet_lite0"
FORWARD = """
import json, os, sys, torch
from clbench.train.environment import keep_freed_memory
from clbench.nn.backbones.by_name import build_backbone
how, name, size, batch, passes = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
if how == "kept":
    keep_freed_memory()
torch.set_num_threads(1)
backbone = build_backbone(name, image_size=size).eval()
images = torch.zeros(batch, 3, size, size, dtype=torch.uint8)
with torch.no_grad():
    backbone(images)
    before = os.times()
    for _ in range(passes):
        backbone(images)
    after = os.times()
print(json.dumps([(after.user - before.user) / passes, (after.system - before.system) / passes]))
"""


def forward(how: str, *, size: int, batch: int, passes: int) -> tuple[float, float]:
    """Return the seconds of one pass in a new process: its own, and the kernel's for it."""
    words = [sys.executable, "-W", "ignore", "-c", FORWARD, how, BACKBONE, str(size), str(batch), str(passes)]
    own, kernel = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return own, kernel


def freed_memory(quick: bool) -> Comparison:
    size, batch, rounds = (224, 32, 2) if quick else (224, 64, 5)
    found: dict[str, list[tuple[float, float]]] = {"as it comes": [], "kept": []}
    for _ in range(rounds):
        for how, times in found.items():
            times.append(forward(how, size=size, batch=batch, passes=2))
    plain, kept = (statistics.median(own + kernel for own, kernel in found[how]) for how in found)
    inside = [statistics.median(kernel for _, kernel in found[how]) for how in found]
    return Comparison(
        f"{BACKBONE} forward, {size} px, batch {batch}, freed memory kept",
        plain / kept,
        "times as fast as",
        "glibc's malloc as it comes",
        at_least=1.0,
        detail=f"{plain:.2f} s with {inside[0]:.2f} s in the kernel against {kept:.2f} s with {inside[1]:.2f} s",
    )


def features(quick: bool) -> Iterator[Comparison]:
    size, batch = (160, 16)
    keep_freed_memory()
    torch.manual_seed(0)
    backbone = build_backbone(BACKBONE, image_size=size).eval().requires_grad_(False)
    images = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
    truth = (torch.rand(batch, LABELS) < 0.04).float()
    maps = backbone(images)
    for name in ("linear", "queries"):
        head = build_head(name, width=int(backbone.width), options={})
        head.grow(LABELS)
        optimizer = torch.optim.AdamW(head.parameters(), lr=1e-4, fused=True)

        def step(maps: Callable[[], Tensor], head: torch.nn.Module = head, optimizer=optimizer) -> None:  # type: ignore[no-untyped-def]
            optimizer.zero_grad()
            asl(head(maps()), truth, gamma_neg=4.0, gamma_pos=0.0, clip=0.05, reduction="sum").backward()
            optimizer.step()

        ways = {
            "pictures": lambda step=step: step(lambda: backbone(images)),
            "features": lambda step=step: step(lambda: maps),
        }
        seconds = in_turns(ways, repeats=3 if quick else 9)
        yield Comparison(
            f"a step of the head '{name}' on stored features, {BACKBONE} frozen at {size} px",
            ratio(seconds, "pictures", "features"),
            "times as fast as",
            "through the network",
            detail=f"{1e3 * statistics.median(seconds['features']) / batch:.2f} ms an image against "
            f"{1e3 * statistics.median(seconds['pictures']) / batch:.2f} ms; "
            f"{maps[0].numel() * 4 / 1e3:.0f} KB an image on disk",
        )


def measure(quick: bool) -> Iterator[Comparison]:
    torch.set_num_threads(1)
    yield from features(quick)
    yield freed_memory(quick)


if __name__ == "__main__":
    main(measure, doc=__doc__)
