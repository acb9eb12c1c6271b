"""Do own features lose on frozen photos because there are few photos? Train and test mAP by head and number of photos.

    CLBENCH_DATA=FOLDER python benchmarks/few_photos.py [--scenario corel5k_static] [--heads linear,queries] [--seeds 3]

Heads learn from the scenario's train photos, or from a random part of them, on the features of its frozen backbone,
by its recipe and for the same number of steps whatever the part. Beside the mAP on the test photos stands that on the
photos that were learned: a head that fits them far better than it ranks new ones has learned them by heart. Ten
minutes of one CPU core and seed.
"""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from clbench.metrics.ap import average_precisions, mean_ap
from clbench.nn.heads.by_name import build_head
from clbench.nn.losses import asl
from clbench.plan.plans import plan
from clbench.train.environment import keep_freed_memory
from clbench.train.optimiser import make_schedule
from clbench.train.prepare import build_network, content_key, make_source, make_stream
from clbench.train.stored_features import stored_features

HEADS: dict[str, dict[str, Any]] = {"linear": {}, "maxpool": {}, "queries": {"d": 256}}
SHARES = (0.125, 0.25, 0.5, 1.0)


class Found(NamedTuple):
    """What one head reached: mAP as fractions."""

    head: str
    photos: int
    seed: int
    train_map: float
    test_map: float


class Photos(NamedTuple):
    """Feature maps [n, width, h, w] and labels int8 [n, L] (1, 0, or -1 for unknown)."""

    maps: Tensor
    y: npt.NDArray[np.int8]


def photos(scenario: str) -> tuple[Photos, Photos, Any]:
    """Return the train and test photos of a scenario as its backbone sees them, and its recipe."""
    (item,) = plan(scenario, strategies=["joint"], seeds=[0])
    strategy, device = item.new_strategy(), torch.device("cpu")
    stream = make_stream(item, strategy)
    source = make_source(item, stream.table, cache=None)
    build_network(item, strategy, stream, device)
    features = stored_features(
        source,
        strategy,
        stream,
        item.train,
        kind="maps",
        content=lambda: content_key(source, stream.table),
        device=device,
    )
    (session,) = stream.sessions
    test = Photos(features.read(stream.test_rows), stream.truth(stream.test_rows))
    return Photos(features.read(session.rows), session.targets), test, item.train


def measure(name: str, train: Photos, test: Photos, recipe: Any, *, share: float, seed: int) -> Found:
    """Train the head `name` on a share of the train photos and score both."""
    everything = len(train.y)
    steps = recipe.epochs * -(-everything // recipe.batch_size)
    rng = np.random.default_rng([seed, round(1000 * share)])
    part = np.sort(rng.permutation(everything)[: round(share * everything)])
    torch.manual_seed(seed)
    head = build_head(name, width=train.maps.shape[1], options=HEADS[name])
    head.grow(train.y.shape[1])
    decays = [p for p in head.parameters() if p.ndim > 1]
    rest = [p for p in head.parameters() if p.ndim < 2]
    optimiser = torch.optim.AdamW(
        [{"params": decays, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}],
        lr=recipe.lr,
        fused=True,
    )
    schedule = make_schedule(optimiser, recipe, steps=steps)
    order = np.concatenate([rng.permutation(part) for _ in range(-(-steps * recipe.batch_size // len(part)))])
    for step in range(steps):
        batch = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
        y = torch.from_numpy(train.y[batch]).float()
        optimiser.zero_grad()
        loss = asl(
            head(train.maps[batch]),
            torch.where(y < 0, torch.nan, y),
            gamma_neg=recipe.gamma_neg,
            gamma_pos=recipe.gamma_pos,
            clip=recipe.clip,
            reduction=recipe.reduction,
        )
        loss.backward()
        optimiser.step()
        schedule.step()
    learned = Photos(train.maps[part], train.y[part])
    return Found(name, len(part), seed, score(head, learned), score(head, test))


@torch.no_grad()
def score(head: nn.Module, shown: Photos) -> float:
    """Return the mAP of a head, over labels that occur."""
    head.eval()
    logits = torch.cat([head(shown.maps[i : i + 256]) for i in range(0, len(shown.y), 256)])
    head.train()
    return mean_ap(average_precisions(logits.numpy(), shown.y))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", default="corel5k_static")
    parser.add_argument("--heads", default=",".join(HEADS))
    parser.add_argument("--shares", default=",".join(map(str, SHARES)), help="parts of the train photos")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    train, test, recipe = photos(options.scenario)
    for seed in range(options.seeds):
        for name in options.heads.split(","):
            for share in map(float, options.shares.split(",")):
                found = measure(name, train, test, recipe, share=share, seed=seed)
                print(f"{name:8} seed {seed}  {found.photos:5,} photos  mAP learned {100 * found.train_map:5.1f}"
                      f"  test {100 * found.test_map:5.1f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
