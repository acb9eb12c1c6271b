"""One feature for multiple labels against one feature for one label, where the difference can be seen in a minute.

    python benchmarks/toy_ofml_ofol.py [--seeds 3] [--out docs/figures]

An image is 25 positions of 24 noisy numbers; each of 12 labels that is present has its pattern planted at one random
position. Heads that average or take the maximum share one feature between all labels (OFML); query heads gather one for
each label (OFOL). For each head and seed: mean average precision on fresh images, and the mean angle between a present
label's feature and its classifier, beside arccos(1 / sqrt(12)): with 12 orthogonal classifiers of equal length, one
shared feature has its least loss that far from each of them (the argument of DLFL, arXiv 2212.01461). Trained
classifiers are under no such constraint. Writes toy_ofml_ofol.csv and toy_ofml_ofol.png.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from clbench.metrics.ap import average_precisions, mean_ap
from clbench.nn.heads.angles import positive_angles, shared_feature_angle
from clbench.nn.heads.base import Head
from clbench.nn.heads.pooled import LinearHead, MaxPoolHead
from clbench.nn.heads.queries import QueriesHead
from clbench.nn.losses import bce

LABELS, WIDTH, SIDE, NOISE, PATTERN, PRESENT = 12, 24, 5, 1.5, 8.0, 0.25
TRAIN, TEST, STEPS, BATCH, RATE = 3000, 1000, 300, 64, 3e-3

HEADS: dict[str, Callable[[], Head]] = {
    "OFML, average": lambda: LinearHead(width=WIDTH),
    "OFML, maximum": lambda: MaxPoolHead(width=WIDTH),
    "OFOL, 1 stage": lambda: QueriesHead(width=WIDTH, d=32, heads=4, stages=1),
    "OFOL, 2 stages": lambda: QueriesHead(width=WIDTH, d=32, heads=4, stages=2),
}


class Found(NamedTuple):
    """What one head reached with one seed: mAP as a fraction, angle in degrees."""

    head: str
    seed: int
    map: float
    angle: float
    seconds: float


def images(n: int, patterns: torch.Tensor, g: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `n` maps [n, WIDTH, SIDE, SIDE] and their labels [n, LABELS]."""
    y = (torch.rand(n, LABELS, generator=g) < PRESENT).float()
    x = NOISE * torch.randn(n, SIDE * SIDE, WIDTH, generator=g)
    for label in range(LABELS):
        place = torch.randint(0, SIDE * SIDE, (n,), generator=g)
        x[torch.arange(n), place] += y[:, label : label + 1] * patterns[label]
    return x.transpose(1, 2).unflatten(2, (SIDE, SIDE)), y


def measure(name: str, *, seed: int, steps: int = STEPS) -> Found:
    """Train the head `name` and score it on images it has not seen."""
    begin = time.perf_counter()
    g = torch.Generator().manual_seed(seed)
    patterns = PATTERN * functional.normalize(torch.randn(LABELS, WIDTH, generator=g), dim=1)
    (x, y), (x_test, y_test) = images(TRAIN, patterns, g), images(TEST, patterns, g)
    torch.manual_seed(seed)
    head = HEADS[name]()
    head.grow(LABELS)
    optimiser = torch.optim.Adam(head.parameters(), RATE)
    for _ in range(steps):
        batch = torch.randint(0, TRAIN, (BATCH,), generator=g)
        optimiser.zero_grad()
        bce(head(x[batch]), y[batch]).backward()
        optimiser.step()
    head.eval()
    with torch.no_grad():
        scores, features = head(x_test).numpy(), head.label_features(x_test)
        angle = positive_angles(features, head.classifier()[0], y_test).mean().item()
    found = mean_ap(average_precisions(scores, y_test.numpy().astype(np.int8)))
    return Found(name, seed, found, angle, time.perf_counter() - begin)


def draw(rows: list[Found], path: Path) -> None:
    """Draw both measures, one dot per seed and a line at their mean."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 2.6), sharey=True, layout="constrained")
    names = list(HEADS)[::-1]
    for axis, values in ((left, [100 * row.map for row in rows]), (right, [row.angle for row in rows])):
        for at, name in enumerate(names):
            color = "C0" if name.startswith("OFML") else "C1"
            own = [value for value, row in zip(values, rows, strict=True) if row.head == name]
            axis.plot(own, [at] * len(own), "o", color=color, alpha=0.6)
            axis.plot([np.mean(own)] * 2, [at - 0.3, at + 0.3], color=color, linewidth=2)
        axis.grid(axis="x", alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    bound = shared_feature_angle(LABELS)
    right.axvline(bound, color="0.4", linestyle=":")
    said = f"a shared feature's optimum,\n{LABELS} orthogonal classifiers"
    right.annotate(said, (bound, -0.45), (3, 0), textcoords="offset points", fontsize=8, color="0.4")
    left.set_yticks(range(len(names)), names)
    left.set_xlabel("mAP, % (higher is better)")
    right.set_xlabel("angle to own classifier, degrees (lower is better)")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0 on (default: 3)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "figures",
                        help="the folder to write to (default: docs/figures)")  # fmt: skip
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error(f"--seeds is {options.seeds}, expected at least 1")
    torch.set_num_threads(1)
    rows = []
    for name in HEADS:
        for seed in range(options.seeds):
            rows.append(measure(name, seed=seed))
            print(f"{name:15} seed {seed}  mAP {100 * rows[-1].map:5.1f}  angle {rows[-1].angle:5.1f}"
                  f"  {rows[-1].seconds:.1f} s", flush=True)  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "toy_ofml_ofol.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["head", "seed", "map", "angle"])
        writer.writerows([row.head, row.seed, f"{row.map:.4f}", f"{row.angle:.2f}"] for row in rows)
    draw(rows, options.out / "toy_ofml_ofol.png")


if __name__ == "__main__":
    main()
