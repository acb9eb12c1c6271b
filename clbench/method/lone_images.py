"""Batches of one image, on which a batch norm has nothing to take a mean over where its map is a single position."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from clbench.errors import UsageError
from clbench.method.answers import answer
from clbench.method.strategy import Strategy, overrides
from clbench.stream.stream import Session


def lone_session(sessions: Sequence[Session], strategy: Strategy, *, batch_size: int) -> int | None:
    """Return the first session that is sure to train on a batch of one image, None where there is none.

    What a strategy rehearses joins the images of every session but the first, so that of those nobody can be sure.
    """
    rehearses = overrides(strategy, "rehearse")
    for session in sessions:
        joined = rehearses and session.index > 0
        lone = len(session.rows) == 1 and not joined
        if (batch_size == 1 or lone) and answer(strategy, "trains", strategy.trains(session.index)):
            return session.index
    return None


def check_lone_image(strategy: Strategy, image: Tensor, *, session: int) -> None:
    """Raise UsageError where a batch norm that trains would see one value for each channel of `image`, [1, ...]."""
    net = strategy.net
    frozen = not any(parameter.requires_grad for parameter in net.backbone.parameters())
    still = set(net.backbone.modules()) if frozen else set()
    names: dict[torch.nn.Module, str] = {
        module: name for name, module in net.named_modules() if isinstance(module, _BatchNorm)
    }
    starved: list[str] = []

    def look(module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if inputs[0].numel() == inputs[0].shape[1]:
            starved.append(names[module])

    hooks = [module.register_forward_pre_hook(look) for module in names if module not in still]
    training = strategy.training
    try:
        strategy.eval()
        with torch.no_grad():
            net(image)
    finally:
        strategy.train(training)
        for hook in hooks:
            hook.remove()
    if starved:
        raise UsageError(
            f"session {session + 1} trains on a batch of one image, and its batch norms, such as {starved[0]}, see one "
            "value for each channel, of which there is no variance.",
            hint="Use a larger train.batch_size or train.image_size, or a session with more images.",
        )
