"""Bias correction, for labels that are decided one by one."""

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from clbench import Batch, Exemplars, Replay, Session
from clbench.nn.balanced import BalancedMemory
from clbench.nn.distil import frozen, sigmoid_distillation
from clbench.nn.losses import as_targets
from clbench.nn.memory import Memory
from clbench.nn.rehearsal.session_bias import SessionBias


class BiC(Replay):
    """Distils, then corrects the new labels' logits by two numbers fitted to held-out images.

    (1 - lambda) loss + lambda distillation of hidden old labels, lambda = old / seen labels, T = 2; the teacher's
    logits are corrected ones. A share of the memory is held out: its images never meet the loss. The correction leaves
    every average precision as it was, so what it is for shows in F1 alone.
    """

    provenance: ClassVar[dict[str, str]] = {
        "paper": "BiC (Wu et al., CVPR 2019)",
        "equations": "eq. 2-7",
        "upstream": "LAMDA-CL/PyCIL f3509b8, aimagelab/mammoth e75a491; the authors' repository holds no code",
        "deviations": "a sigmoid per label; alpha = exp(a); held-out images are taken from the memory's budget alone",
        "keeps": "exemplars, a tenth of them held out; the network before during a session",
        "freezes": "correction pairs of earlier sessions",
        "cost": "a second network in training; one pass to score",
    }

    held_out: float = 0.1
    """Share of the memory that is kept for fitting the two numbers and never trained on."""
    temperature: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.held = BalancedMemory(self.held_capacity, select="class", per_class=self.per_class)

    def make_memory(self) -> Memory:
        return Memory(self.memory - self.held_capacity, per_class=self.per_class)

    @property
    def held_capacity(self) -> int:
        return round(self.held_out * self.memory)

    def build(self, backbone: nn.Module, labels: tuple[str, ...]) -> None:
        super().build(backbone, labels)
        self.bias = SessionBias()

    def begin_session(self, session: Session) -> None:
        self.teacher = frozen(nn.Sequential(self.net, self.bias)) if session.index else None
        before = self.net.head.seen
        super().begin_session(session)
        if self.net.head.seen > before:
            self.bias.grow(self.net.head.seen - before)

    def prepare(self, session: Session) -> None:
        order = self.rng("held out").permutation(len(session.rows))
        offered = Exemplars(session.rows, session.targets).take(order)
        self.held.add(offered.rows, offered.targets, rng=self.rng("held out", "memory"))

    def rehearse(self, session: Session) -> Exemplars | None:
        kept = super().rehearse(session)
        return None if kept is None else kept.take(np.flatnonzero(~self.is_held(kept.rows)))

    def is_held(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Return which images [n] are held out."""
        return np.isin(rows, self.held.exemplars().rows)

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        trained = torch.from_numpy(~self.is_held(batch.rows.cpu().numpy())).to(logits.device)
        corrected, targets = self.bias(logits[trained]), batch.targets[trained]
        loss = self.classification(corrected, targets)
        if self.teacher is None:
            return loss
        old = self.teacher(batch.images)[trained]
        width = old.shape[1]
        hidden = targets[:, :width].isnan()
        share = width / logits.shape[1]
        distilled = sigmoid_distillation(
            corrected, old, mask=hidden, temperature=self.temperature, reduction=self.reduction
        )
        return (1 - share) * loss + share * distilled

    def offer(self, rows: npt.NDArray[np.int64], targets: npt.NDArray[np.int8], *, logits: Tensor) -> None:
        free = ~self.is_held(rows)
        super().offer(rows[free], targets[free], logits=logits[torch.from_numpy(free)])

    def store(self, session: Session) -> None:
        order = self.rng("arrival").permutation(len(session.rows))
        order = order[~self.is_held(session.rows[order])]
        offered = Exemplars(session.rows, session.targets).take(order)
        self.buffer.add(offered.rows, offered.targets, rng=self.rng("memory"))

    def end_session(self, session: Session) -> None:
        super().end_session(session)
        held = self.held.exemplars()
        if session.index == 0 or not len(held):
            return
        parts = [held.rows[first : first + 64] for first in range(0, len(held), 64)]
        logits = torch.cat([self.net(session.images(rows)) for rows in parts])
        self.bias.fit(logits, as_targets(torch.from_numpy(held.targets)).to(logits.device))

    def logits(self, images: Tensor) -> Tensor:
        corrected: Tensor = self.bias(super().logits(images))
        return corrected
