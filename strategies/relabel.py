"""Replay whose labels are completed in both directions."""

from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from clbench import Batch, Exemplars, Replay, Session
from clbench.nn.distil import frozen
from clbench.nn.losses import as_targets
from clbench.nn.rehearsal.relabelling import BelievedLabels, believed


class Relabel(Replay):
    """Completes old labels of new images by the network before, and new labels of stored images by the present one.

    What RebLL's online relabelling, KAR's bi-directional transfer and RCLP's propagation share; the honest counterpart
    of exemplars that are given the true labels of later sessions. A belief never replaces what is known, and no true
    label of a later session enters. With `threshold` above 1 it is `er`, to the bit.
    """

    provenance: ClassVar[dict[str, str]] = {
        "paper": "RebLL (AAAI 2025), KAR, RCLP (WACV 2025)",
        "equations": "RebLL's online relabelling; its distillation is not in it, as its formula could not be read",
        "upstream": "none published, or not readable",
        "deviations": "absence is believed below 1 - threshold; a belief is made once, by the network of its session",
        "keeps": "exemplars with known and believed labels; the network before during a session",
        "freezes": "nothing",
        "cost": "a second network in training; a pass over the memory per session; one pass to score",
    }

    threshold: float = 0.8
    """Probability above which a hidden label counts as present."""
    below: Literal["confident", "negative", "keep"] = "confident"
    """Where a hidden label counts as absent: below 1 - threshold, everywhere else, or nowhere."""
    which: Literal["both", "new-images", "stored-images"] = "both"
    """Whose labels are completed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.beliefs = BelievedLabels()

    def begin_session(self, session: Session) -> None:
        self.teacher = frozen(self.net) if session.index and self.which != "stored-images" else None
        super().begin_session(session)

    def rehearse(self, session: Session) -> Exemplars | None:
        held = super().rehearse(session)
        return None if held is None else self.beliefs.completed(held)

    def recall(self, batch: Batch) -> Exemplars | None:
        held = super().recall(batch)
        return None if held is None else self.beliefs.completed(held)

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        if self.teacher is None:
            return self.classification(logits, batch.targets)
        scores = self.teacher(batch.images).float().sigmoid()
        fresh = believed(batch.targets, scores, threshold=self.threshold, below=self.below)
        return self.classification(logits, torch.where(batch.replayed[:, None], batch.targets, fresh))

    def end_session(self, session: Session) -> None:
        super().end_session(session)
        held = self.buffer.exemplars()
        self.beliefs.follow(held.rows, width=session.seen)
        own = np.isin(held.rows, session.rows)
        if self.teacher is not None:
            self.believe(session, held.take(np.flatnonzero(own)), self.teacher, columns=slice(0, session.new.start))
        if self.which != "new-images":
            self.believe(session, held.take(np.flatnonzero(~own)), self.net, columns=session.new)

    def believe(self, session: Session, held: Exemplars, network: nn.Module, *, columns: slice) -> None:
        """Write what `network` believes of the unknown labels `columns` of stored images."""
        for first in range(0, len(held), 64):
            part = held.take(np.arange(first, min(first + 64, len(held))))
            scores = network(session.images(part.rows)).float().sigmoid()[:, columns].cpu()
            known = as_targets(torch.from_numpy(part.targets[:, columns]))
            found = believed(known, scores, threshold=self.threshold, below=self.below)
            fresh = torch.where(known.isnan(), found, torch.nan).nan_to_num(nan=-1.0)
            self.beliefs.write(part.rows, fresh.to(torch.int8).numpy(), columns=columns)
