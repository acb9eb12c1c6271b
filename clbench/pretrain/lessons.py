"""How the small transformer is taught: which icons a picture has, and which of them each patch shows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.data.scenes.invented import ICONS, VERSION, invented_pictures
from clbench.nn.backbones.small_vit import PATCH, small_vit
from clbench.seeds import generator, seed_torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Lessons:
    """How much is taught; two minutes on one core."""

    pictures: int = 3000
    epochs: int = 8
    batch: int = 64
    lr: float = 1.5e-3
    size: int = 64
    seed: int = 0
    version: int = 1
    """Raised with every change that alters a weight."""
    drawn: int = VERSION

    @property
    def steps(self) -> int:
        """How many steps that makes."""
        return self.epochs * (self.pictures // self.batch)


def taught(lessons: Lessons, *, progress: Callable[[int, int], None] | None = None) -> dict[str, Tensor]:
    """Return the tensors of a small transformer after `lessons`, without the classifiers of its lessons.

    The class token learns which icons are there, every patch token which one it shows (token labelling, Jiang et al.,
    NeurIPS 2021): from 24,000 pictures seen, whole-picture labels alone teach a transformer next to nothing. On one
    thread, so that the same processor gives the same tensors however many cores it has. `progress` is told steps.
    """
    shown = invented_pictures(np.arange(lessons.pictures), size=lessons.size, patch=PATCH)
    pictures = torch.from_numpy(shown.pictures).permute(0, 3, 1, 2).contiguous()
    present, patches = torch.from_numpy(shown.present).float(), torch.from_numpy(shown.patches)
    with _apart(lessons.seed):
        model = small_vit(image_size=lessons.size)
        whole, each = nn.Linear(model.num_features, ICONS), nn.Linear(model.num_features, ICONS + 1)
        parameters = [p for part in (model, whole, each) for p in part.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=lessons.lr, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lessons.lr, total_steps=lessons.steps, pct_start=0.15)
        for step, rows, flipped in _batches(lessons):
            x, y, p = pictures[rows], present[rows], patches[rows]
            if flipped:
                x, p = x.flip(3), p.flip(2)
            tokens = model.forward_features(x / 127.5 - 1)
            loss = functional.binary_cross_entropy_with_logits(whole(tokens[:, 0]), y) * (ICONS / 4)
            loss = loss + functional.cross_entropy(each(tokens[:, 1:]).flatten(0, 1), p.flatten())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            if progress is not None:
                progress(step + 1, lessons.steps)
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _batches(lessons: Lessons) -> Iterator[tuple[int, Tensor, bool]]:
    """Yield (step, rows of the batch, whether it is shown turned round)."""
    step = 0
    for epoch in range(lessons.epochs):
        source = generator("lessons", lessons.seed, epoch)
        order = torch.from_numpy(source.permutation(lessons.pictures))
        for first in range(0, lessons.pictures - lessons.batch + 1, lessons.batch):
            yield step, order[first : first + lessons.batch], bool(source.integers(2))
            step += 1


@contextmanager
def _apart(seed: int) -> Iterator[None]:
    """Leave torch's generator, threads and gradient mode as they were."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        seed_torch("lessons", seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
