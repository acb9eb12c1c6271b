"""Knowledge restoration and transfer."""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from clbench import Batch, Replay, Session
from clbench.nn.distil import cosine_distillation, frozen
from clbench.nn.heads.tokens.ica import ICAHead, session_features
from clbench.nn.pseudo import density_threshold, stepped_threshold, with_pseudo_labels
from clbench.nn.scale import per_image
from clbench.nn.tap import Tap

OWN_FEATURES = ("ica", "joint", "queries", "q2l", "mldecoder", "sarl")


class KRT(Replay):
    """Restores hidden old labels by a threshold that follows their density, and holds what earlier sessions know.

    Dong et al., ICCV 2023: dynamic pseudo-labels, an image token per session (head `ica`) of which old ones stay fixed,
    and the token loss: weight sqrt(seen / new labels) (1 - cos) between the joined old tokens and those of the network
    before. With a head that has a feature per label these are the tokens.
    """

    provenance: ClassVar[dict[str, str]] = {
        "paper": "KRT (Dong et al., ICCV 2023)",
        "equations": "eq. 1-9",
        "upstream": "witdsl/KRT-MLCIL 3f79044 and its updated archive",
        "deviations": "sine encodings; thresholds from plain pictures, read off one sort; the token weight counts per "
        "image (100 beside a sum over 64 images); exemplars keep their own labels (the release gives them later ones)",
        "keeps": "the threshold; exemplars where `memory` is set; the network before during a session",
        "freezes": "session tokens and classifiers of earlier sessions",
        "cost": "a second network in training; one pass to score",
    }

    head: str = "ica"
    memory: int = 0
    rule: Literal["krt", "density", "fixed"] = "krt"
    """`krt` moves the threshold by steps of .005, `density` solves for it, `fixed` keeps it."""
    threshold: float = 0.8
    density: float = 0.03625
    """Positives per image and label: 0.03625 for COCO, 0.07 for VOC. Knowledge of the whole data set; marks the row."""
    below: Literal["negative", "keep"] = "negative"
    """What a hidden old label below the threshold is: absent (KRT), or still unknown."""
    token_weight: float = 1.5
    """Of the token loss, beside a loss summed over labels and averaged over images."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head not in OWN_FEATURES:
            raise ValueError(f"head '{self.head}' has no tokens; KRT needs one of {', '.join(OWN_FEATURES)}.")
        self.cut = self.threshold

    def build(self, backbone: nn.Module, labels: tuple[str, ...]) -> None:
        super().build(backbone, labels)
        head = self.net.head
        self._tap = Tap(head.asked if isinstance(head, ICAHead) else head.own)

    def begin_session(self, session: Session) -> None:
        self.teacher = frozen(self.net) if session.index else None
        super().begin_session(session)
        self.net.head.freeze_old()
        self.growth = math.sqrt(session.learned / max(session.new.stop - session.new.start, 1))

    def prepare(self, session: Session) -> None:
        if self.teacher is None or self.rule == "fixed":
            return
        scores = torch.cat([self.teacher(batch.images).float().sigmoid().cpu() for batch in session.batches()])
        wanted = self.density * scores.shape[1]
        step = self.rule == "krt"
        self.cut = (
            stepped_threshold(scores, density=wanted, start=self.cut)
            if step
            else density_threshold(scores, density=wanted)
        )

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        tokens = self._tap.output()
        if self.teacher is None:
            return self.classification(logits, batch.targets)
        with torch.no_grad():
            maps = self.teacher.maps(batch.images)
            scores = self.teacher.head(maps).float().sigmoid()
            before = session_features(self.teacher.head, maps)
        targets = with_pseudo_labels(batch.targets, scores, threshold=self.cut, below=self.below)
        drift = cosine_distillation(tokens[:, : before.shape[1]], before)
        held = per_image(self.token_weight * self.growth * drift, targets, reduction=self.reduction)
        return self.classification(logits, targets) + held

    def marks(self) -> list[str]:
        return [] if self.rule == "fixed" else ["known-density"]
