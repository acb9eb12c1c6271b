"""Confidence self-calibration."""

from typing import ClassVar

import torch
from torch import Tensor

from clbench import Batch, Session, Strategy
from clbench.nn.distil import frozen, sigmoid_distillation
from clbench.nn.losses import reduce
from clbench.nn.scale import per_entry


class CSC(Strategy):
    """Distils all old labels, and keeps scores from being too sure by a one-sided entropy.

    alpha loss(new labels) + (1 - alpha) distillation + entropy sum_c p_c log(p_c + 1e-5) over all seen labels; the last
    term is least at p = 1/e for every label, present or not, so it raises absent labels' scores up to .37. Labels that
    a session does not introduce learn from the network before alone, as published.
    """

    provenance: ClassVar[dict[str, str]] = {
        "paper": "CSC (ECCV 2024, arXiv 2403.12559)",
        "equations": "CI-GCN and the entropy as in the released code",
        "upstream": "Kaile-Du/CSC 0bab38a",
        "deviations": "the graph grows, which the release cannot; layer norm for batch norm; entropy over seen labels",
        "keeps": "the network before during a session",
        "freezes": "nothing",
        "cost": "a second network in training; one pass to score",
    }

    head: str = "cigcn"
    alpha: float = 0.5
    """Weight of the new labels beside the distillation, from the second session on."""
    entropy: float = 0.04
    """Weight of the entropy term beside a loss averaged over labels and images; 0 leaves it out."""

    def begin_session(self, session: Session) -> None:
        self.teacher = frozen(self.net) if session.index else None
        super().begin_session(session)
        self.old = session.new.start

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        if self.teacher is None:
            return super().loss(batch, logits)
        hidden = torch.arange(logits.shape[1], device=logits.device) < self.old
        loss = self.alpha * self.classification(logits, batch.targets.masked_fill(hidden, torch.nan))
        taught = self.teacher(batch.images)[:, : self.old]
        loss = loss + (1 - self.alpha) * sigmoid_distillation(logits, taught, reduction=self.reduction)
        if not self.entropy:
            return loss
        p = logits.float().sigmoid()
        terms = p * torch.log(p + 1e-5)
        sure = self.entropy * reduce(terms, torch.ones_like(terms, dtype=torch.bool), reduction="sum")
        return loss + per_entry(sure, batch.targets, reduction=self.reduction)
