"""Augmented graph convolutional network."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench import Batch, Session, Strategy
from clbench.nn.distil import frozen, sigmoid_distillation
from clbench.nn.heads.graphs.correlation import adjacency, conditional
from clbench.nn.heads.graphs.gcn import label_vectors
from clbench.nn.rehearsal.label_lists import present
from clbench.nn.scale import per_entry


class AGCN(Strategy):
    """Makes classifiers of label vectors over a graph of label co-occurrence that grows with every session.

    ICME 2022: blocks of conditional probabilities, between new labels from their marks, between old and new from the
    previous network's probabilities and Bayes; distillation of all old labels; and old graph outputs held where they
    were. Label vectors are drawn by the label's name, as no word vectors are shipped.
    """

    provenance: ClassVar[dict[str, str]] = {
        "paper": "AGCN (ICME 2022)",
        "equations": "eq. 2-9; weights .07, .93, 1e5 as a third party reads its Table 3, undefined in the release",
        "upstream": "Kaile-Du/AGCN 3afe2ec",
        "deviations": "the graph is counted once before a session; random label vectors; sigmoid beliefs; one "
        "normalisation for all sessions",
        "keeps": "the matrix of conditional probabilities; the network before during a session",
        "freezes": "label vectors",
        "cost": "a second network and a pass over the session before training; one pass to score",
    }

    head: str = "gcn"
    entangled: ClassVar[bool] = True
    new_weight: float = 0.07
    distil_weight: float = 0.93
    relation_weight: float = 1e5
    """Weight of the mean squared change of old classifier rows, beside means over labels and images."""
    beliefs: Literal["sigmoid", "softmax"] = "sigmoid"
    """What the previous network's logits count as in the graph; the release takes a softmax over labels."""
    legacy_half: bool = False
    """Halves the blocks that Bayes gives, as the release does; marks the row."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head != "gcn":
            raise ValueError(f"head '{self.head}' has no graph of labels; AGCN needs one of gcn.")

    def build(self, backbone: nn.Module, labels: tuple[str, ...]) -> None:
        super().build(backbone, labels)
        self.matrix = torch.zeros(0, 0)

    def begin_session(self, session: Session) -> None:
        self.teacher = frozen(self.net) if session.index else None
        before = self.net.head.seen
        super().begin_session(session)
        self.old = session.new.start
        if session.seen > before:
            drawn = label_vectors(session.labels[before:], width=self.net.head.vectors.shape[0])
            self.net.head.vectors.blocks[-1].data.copy_(drawn)

    def prepare(self, session: Session) -> None:
        old = session.new.start
        carried = present(session.targets)[:, session.new]
        beliefs = (self.believed(batch.images) for batch in (session.batches() if old else ()))
        self.matrix = conditional(carried, beliefs, self.matrix[:old, :old], half=self.legacy_half)
        graph = functional.pad(
            adjacency(self.matrix, new=session.learned - old), (0, session.seen - session.learned) * 2
        )
        graph.diagonal()[session.learned :] = 1.0
        self.net.head.set_graph(graph)

    def believed(self, images: Tensor) -> Tensor:
        """Return the previous network's probabilities [B, old]."""
        logits = self.teacher(images).float().cpu()[:, : self.old]
        return logits.sigmoid() if self.beliefs == "sigmoid" else logits.softmax(1)

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        if self.teacher is None:
            return super().loss(batch, logits)
        hidden = torch.arange(logits.shape[1], device=logits.device) < self.old
        loss = self.new_weight * self.classification(logits, batch.targets.masked_fill(hidden, torch.nan))
        taught = self.teacher(batch.images)[:, : self.old]
        loss = loss + self.distil_weight * sigmoid_distillation(logits, taught, reduction=self.reduction)
        with torch.no_grad():
            before = self.teacher.head.rows[: self.old]
        moved = functional.mse_loss(self.net.head.rows[: self.old], before)
        return loss + self.relation_weight * per_entry(moved, batch.targets, reduction=self.reduction)

    def marks(self) -> list[str]:
        return ["legacy-half"] if self.legacy_half else []
