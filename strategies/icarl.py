"""Incremental classifier and representation learning."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from clbench import Batch, Replay, Session
from clbench.nn.balanced import HerdingMemory
from clbench.nn.distil import frozen, sigmoid_distillation
from clbench.nn.losses import as_targets
from clbench.nn.memory import Memory
from clbench.nn.nearest import NearestMeans


class ICaRL(Replay):
    """Herds exemplars, distils the old labels' probabilities, and may decide by the nearest mean of the exemplars.

    Rebuffi et al., CVPR 2017, whose loss (algorithm 3) is one sigmoid per label already: new labels learn from their
    marks, old ones from the previous network's probabilities on every image. Its nearest mean supposes labels that
    exclude each other, so the head decides by default; `classifier: nearest-mean` reads it label by label: with m+ and
    m- the normalised mean features of the exemplars that have the label and that lack it, the score is
    sigmoid((cos(f, m+) - cos(f, m-)) / temperature), above one half where m+ is nearer. A label without both kinds of
    exemplars stays with the head. Under the `mean` reduction old and new labels weigh alike as groups.
    """

    memory: int = 2000
    classifier: Literal["head", "nearest-mean"] = "head"
    temperature: float = 0.1
    """Turns differences of cosines into probabilities; it changes thresholded measures, never a ranking."""

    def make_memory(self) -> Memory:
        return HerdingMemory(self.memory, per_class=self.per_class)

    def build(self, backbone: nn.Module, labels: tuple[str, ...]) -> None:
        super().build(backbone, labels)
        self.nearest = NearestMeans()

    def begin_session(self, session: Session) -> None:
        self.teacher = frozen(self.net) if session.index else None
        super().begin_session(session)

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        if self.teacher is None:
            return super().loss(batch, logits)
        old = self.teacher(batch.images)
        width = old.shape[1]
        loss = self.classification(logits[:, width:], batch.targets[:, width:])
        return loss + sigmoid_distillation(logits[:, :width], old, reduction=self.reduction)

    def end_session(self, session: Session) -> None:
        super().end_session(session)
        held = self.buffer.exemplars()
        self.nearest = NearestMeans()
        for first in range(0, len(held), 64):
            part = held.take(np.arange(first, min(first + 64, len(held))))
            maps = self.net.maps(session.images(part.rows))
            self.nearest.add(self.net.head.label_features(maps), as_targets(torch.from_numpy(part.targets)))

    def logits(self, images: Tensor) -> Tensor:
        maps = self.net.maps(images)
        logits: Tensor = self.net.head(maps).float()
        if self.classifier == "nearest-mean":
            margin = self.nearest.margin(self.net.head.label_features(maps)) / self.temperature
            width = margin.shape[1]  # with `visible: all` the head knows labels before their exemplars exist
            logits[:, :width] = torch.where(torch.isnan(margin), logits[:, :width], margin)
        return logits
