"""Knowing before knowing: present, absent and unknown labels as tokens."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from clbench import Batch, Replay, Session
from clbench.nn.believed.recall import RecallThresholds
from clbench.nn.believed.unseen import balance, unknown_features
from clbench.nn.distil import frozen
from clbench.nn.losses import bce
from clbench.nn.pseudo import with_pseudo_labels
from clbench.nn.scale import per_image
from clbench.nn.tap import Tap

OWN_FEATURES = ("joint", "ica", "queries", "q2l", "mldecoder", "sarl")


class KBK(Replay):
    """Gives labels tokens, old ones thresholds by recall, and prepares for labels to come by an unknown class.

    arXiv 2608.30316. HFP is the head `joint`; URE, SPU and CGC are `hidden: recall`, `unknown_class` and `balance`.
    HCP (AAAI 2025) is `head_options.mid: false, entropy: false, similar: false, balance: false`. Old tokens and
    classifier rows stay fixed.
    """

    provenance: ClassVar[dict[str, str]] = {
        "paper": "KBK (arXiv 2608.30316); HCP (AAAI 2025)",
        "equations": "eq. 1-3, 8, 10-13, 17-19",
        "upstream": "none published; from the text",
        "deviations": "negative similarities count 0; tau over positives, as the reliable samples are not stated; the "
        "unknown row is told from present labels' tokens, and its loss counts as one label more",
        "keeps": "two thresholds per label; exemplars where `memory` is set; the network before during a session",
        "freezes": "tokens and classifier rows of earlier labels",
        "cost": "a second network in training; one pass to score",
    }

    head: str = "joint"
    memory: int = 0
    hidden: Literal["recall", "negative", "ignore"] = "recall"
    """What a hidden old label is: decided by a threshold of its own (URE), absent, or unknown."""
    entropy: bool = True
    """Whether URE also asks the previous network to be sure."""
    unknown_class: float = 1.0
    """Weight of the made-up unknown class (SPU), 1 being that of one label more; 0 leaves it out."""
    similar: bool = True
    """Whether absent labels count in it by how much they look like present ones."""
    beta: float = 0.2
    """Both parameters of the Beta distribution that mixes absent labels."""
    balance: bool = True
    """Whether old labels' losses are put on one scale per session and target (CGC)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head not in OWN_FEATURES:
            raise ValueError(f"head '{self.head}' has no label features; KBK needs one of {', '.join(OWN_FEATURES)}.")
        self.thresholds = RecallThresholds(entropy=self.entropy)
        self.sizes: list[int] = []

    def build(self, backbone: nn.Module, labels: tuple[str, ...]) -> None:
        super().build(backbone, labels)
        self._tap = Tap(self.net.head.own)
        self.unknown = nn.Linear(self.net.head.classifier()[0].shape[1], 1) if self.unknown_class else None

    def begin_session(self, session: Session) -> None:
        self.teacher = frozen(self.net) if session.index else None
        super().begin_session(session)
        self.net.head.freeze_old()
        self.sizes = [*self.sizes, session.new.stop - session.new.start]
        self.thresholds.widen(session.seen)
        if self.unknown is not None:
            self.unknown.reset_parameters()  # what was unknown is among the new labels, or still to come

    def completed(self, targets: Tensor, images: Tensor) -> Tensor:
        """Return targets [B, seen] with hidden old labels decided as `hidden` says."""
        if self.teacher is None or self.hidden == "ignore":
            return targets
        scores = self.teacher(images).float().sigmoid()[:, : sum(self.sizes[:-1])]
        if self.hidden == "recall":
            scores = self.thresholds.present(scores).float()
        return with_pseudo_labels(targets, scores, threshold=0.5 if self.hidden == "recall" else 2.0, below="negative")

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        own = self._tap.output()
        targets = self.completed(batch.targets, batch.images)
        psi = balance(logits, targets, sessions=self.sizes) if self.balance else None
        loss = self.classification(logits, targets, weight=psi)
        if self.unknown is None:
            return loss
        mixed = unknown_features(own, targets, rng=self.rng("mix"), alpha=self.beta, similar=self.similar)
        rows, bias = (part[sum(self.sizes[:-1]) : sum(self.sizes)] for part in self.net.head.classifier())
        at_mixed = torch.cat([mixed @ rows.T + bias, self.unknown(mixed)], dim=1)
        at_present = self.unknown(own[targets > 0.5])
        wanted = torch.zeros_like(at_mixed)
        wanted[:, -1] = 1.0
        extra = bce(at_mixed, wanted, reduction="mean") + bce(
            at_present, torch.zeros_like(at_present), reduction="mean"
        )
        return loss + per_image(self.unknown_class * extra, batch.targets, reduction=self.reduction)

    def end_session(self, session: Session) -> None:
        super().end_session(session)
        scores, present = [], []
        for batch in session.batches():
            p = self.net(batch.images).float().sigmoid()
            scores.append(p)
            present.append(torch.where(batch.known, batch.targets > 0.5, self.thresholds.present(p)))
        self.thresholds.update(torch.cat(scores), torch.cat(present))
