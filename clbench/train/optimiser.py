"""Optimiser and schedule of one session, from the recipe."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from clbench.errors import RunError
from clbench.method.strategy import Strategy
from clbench.spec.scenario import TrainSpec


def rate(train: TrainSpec, session: int) -> float:
    """Return the session's (largest) learning rate."""
    return train.base_lr if session == 0 and train.base_lr > 0 else train.lr


def epochs(train: TrainSpec, session: int) -> int:
    """Return the session's number of epochs."""
    return train.base_epochs if session == 0 and train.base_epochs else train.epochs


def make_optimizer(strategy: Strategy, train: TrainSpec, *, session: int, device: torch.device) -> Optimizer:
    """Return a fresh optimiser that holds exactly the trainable parameters of `strategy`.

    Four groups: backbone or not, decaying or not. Weights with two or more dimensions decay; vectors (biases, norms)
    only with `train.decay_vectors`. Fresh at every session, as in the KRT recipe: kept moments would move frozen rows.
    Raises RunError where nothing can be trained.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in strategy.trainable():
        inside = name.startswith("net.backbone.")
        groups.setdefault((inside, parameter.ndim > 1 or train.decay_vectors), []).append(parameter)
    lr = rate(train, session)
    options = [
        {
            "params": parameters,
            "lr": lr * (train.backbone_lr_scale if inside else 1.0),
            "weight_decay": train.weight_decay if decays else 0.0,
        }
        for (inside, decays), parameters in sorted(groups.items())
    ]
    if not options:
        raise RunError(
            f"session {session}: the strategy has no trainable parameter.",
            hint="A method that trains nothing says so: def trains(self, index): return False. With `freeze: backbone` "
            "the head must train; `visible: all` shows every label from the start.",
        )
    # fused kernels compute the same update in one pass over memory
    fused = device.type in {"cpu", "cuda"}
    if train.optimizer == "sgd":
        sgd = SGD(options, lr=lr, momentum=train.momentum, fused=fused)
        if train.momentum:
            # the kernel takes momenta for all weights or for none, and some weights get a gradient later than others;
            # from zero the first step is the same
            for parameter in (p for group in sgd.param_groups for p in group["params"]):
                sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return sgd
    kind = AdamW if train.optimizer == "adamw" else Adam
    return kind(options, lr=lr, fused=fused)


def check_holds_exactly(optimizer: Optimizer, strategy: Strategy) -> None:
    """Raise RunError unless the optimiser holds each trainable parameter once and nothing else."""
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    wanted = {id(p): name for name, p in strategy.trainable()}
    missing = sorted(name for key, name in wanted.items() if key not in set(held))
    if missing or len(held) != len(set(held)) or set(held) - set(wanted):
        what = f"misses {missing[0]}" if missing else "holds a parameter that is not trainable, or one twice"
        raise RunError(f"the optimiser {what} ({len(held)} held, {len(wanted)} trainable).")


def make_schedule(optimizer: Optimizer, train: TrainSpec, *, steps: int) -> LRScheduler:
    """Return the schedule over `steps` optimiser steps (OneCycle also cycles beta1 or momentum)."""
    steps = max(steps, 1)
    if train.schedule == "onecycle" and steps > 2:
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        # a rise of exactly one step would be a phase of no length, by which torch divides
        rise = train.warmup + 1e-9 if abs(train.warmup * steps - 1) < 1e-9 else max(train.warmup, 1e-6)
        return OneCycleLR(optimizer, max_lr=rates, total_steps=steps, pct_start=rise)
    return LambdaLR(optimizer, lambda step: factor(train, step=step, steps=steps))


def factor(train: TrainSpec, *, step: int, steps: int) -> float:
    """Return the share of the full rate at `step` of `steps` for `cosine`, `step` and `constant`."""
    share = step / steps
    if train.schedule == "step":
        return float(train.gamma ** sum(share >= milestone for milestone in train.milestones))
    if train.schedule == "cosine":
        if share < train.warmup:
            return (step + 1) / (train.warmup * steps + 1)
        return 0.5 * (1 + math.cos(math.pi * (share - train.warmup) / (1 - train.warmup)))
    return 1.0
