"""One specific feature for one label, growing."""

from typing import Literal

import torch
from torch import Tensor, nn

from clbench import Batch, Replay, Session
from clbench.nn.distil import attention_distillation, cosine_distillation, frozen, sigmoid_distillation
from clbench.nn.scale import per_entry
from clbench.nn.tap import Tap


class DLFL(Replay):
    """Gives every label a feature of its own: a learnable query that attends over the image, one row of a classifier.

    DLFL, arXiv 2212.01461. Confirmed by its abstract: learnable semantic queries, semantic spatial cross-attention, one
    feature per label, a continual task. Reconstructed, since its continual set-up could not be established: how queries
    grow, what stays fixed, what is distilled, and whether images are kept. Unknown labels are ignored.
    """

    head: str = "queries"
    memory: int = 0
    growth: Literal["grow", "freeze-old-queries", "freeze-trunk-after-base"] = "grow"
    """What keeps training: everything, all but the queries and classifier rows of earlier sessions, or only the newest.

    No label attends to another, so with old rows fixed the old labels change through the shared trunk alone, and with
    backbone and shared maps fixed as well after the first session they do not change at all. With `train.ema` what is
    fixed are the weights, not their average: scores of a label move once, when the session after its own begins.
    """
    feature_weight: float = 0.0
    """Weight of the distance (one minus cosine) to the previous network's features of the old labels."""
    attention_weight: float = 0.0
    """Weight of the divergence from where the previous network's old labels looked."""
    probability_weight: float = 0.25
    """Weight of the cross-entropy against the previous network's probabilities of hidden old labels.

    The term of `lwf` at temperature 1, and ours: `benchmarks/searches/dlfl.yaml` found it, and no other term beside it, on
    validation images. With 0 here nothing holds old labels but `growth`.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        shared = ("linear", "maxpool") if self.head_options.get("m3", True) else ("linear", "maxpool", "mmdsr")
        if self.attention_weight and self.head in shared:
            raise ValueError(f"attention_weight: head '{self.head}' has no attention; use head=queries.")

    def build(self, backbone: nn.Module, labels: tuple[str, ...]) -> None:
        super().build(backbone, labels)
        self._tap = Tap(self.net.head)
        self.teacher = None

    def begin_session(self, session: Session) -> None:
        if session.index and (self.feature_weight or self.attention_weight or self.probability_weight):
            self.teacher = frozen(self.net)
        super().begin_session(session)
        if self.growth == "freeze-trunk-after-base" and session.index:
            self.net.requires_grad_(False)
            for table in self.net.head.tables():
                table.blocks[-1].requires_grad_(table.trainable)  # ML-Decoder's queries are never learned
        elif self.growth != "grow":
            self.net.head.freeze_old()

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        loss = super().loss(batch, logits)
        if self.teacher is None:
            return loss
        maps, head = self._tap.given(), self.net.head
        with torch.no_grad():
            old_maps, old_head = self.teacher.maps(batch.images), self.teacher.head
        distance = logits.new_zeros(())
        if self.feature_weight:
            old = old_head.label_features(old_maps).detach()
            own = head.label_features(maps)[:, : old.shape[1]]
            distance = distance + self.feature_weight * cosine_distillation(own, old, per_row=True)
        if self.attention_weight:
            looks = attention_distillation(head.attention(maps), old_head.attention(old_maps).detach())
            distance = distance + self.attention_weight * looks
        loss = loss + per_entry(distance, batch.targets, reduction=self.reduction)
        if self.probability_weight:
            with torch.no_grad():
                old = old_head(old_maps)
            hidden = ~batch.known[:, : old.shape[1]]
            told = sigmoid_distillation(logits, old, mask=hidden, reduction=self.reduction)
            loss = loss + self.probability_weight * told
        return loss
