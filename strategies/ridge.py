"""Ridge regression on features that stand still."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from clbench import Batch, Session, Strategy
from clbench.nn.closed_form.head import POOLED, RidgeHead, check_recipe, random_features
from clbench.nn.closed_form.in_order import SumsInOrder
from clbench.nn.closed_form.ridge import BlockSums, class_weights, holdout_gamma, image_weights
from clbench.nn.heads.by_name import Network
from clbench.nn.pseudo import with_pseudo_labels


class Ridge(Strategy):
    """Solves for the classifier in closed form from sums over all images met; nothing trains after the base session.

    ACIL (`hidden: 8192, gamma: 0.1`), RanPAC (`draw: normal, hidden: 10000, select: holdout, base: given`) and L3A
    (`hidden: 4096, gamma: 1000, completion: 0.7, weights: l3a`) are options of it. Gamma means nothing without the
    scale of the features: an R that is s times as large needs s^2 gamma.
    """

    provenance: ClassVar[dict[str, str]] = {
        "paper": "ACIL, NeurIPS 2022; RanPAC, NeurIPS 2023; L3A, ICML 2025; AIR, 2024",
        "equations": "ACIL eq. 9-10; RanPAC alg. 1",
        "upstream": "ZHUANGHP/Analytic-continual-learning 0afd6bf, RanPAC/RanPAC 012927f, scut-zx/L3A 1067bbd",
        "deviations": "float64 sums and Cholesky; images without a positive weigh 0 in L3A, where its release stops; "
        "logits 4(s - 1/2)",
        "keeps": "Gram matrix and cross sums",
        "freezes": "everything after the base session",
        "cost": "one pass per session, one solve",
    }

    hidden: int = 2048
    """Random features; 0 takes the pooled features themselves."""
    draw: Literal["uniform", "normal"] = "uniform"
    gamma: float = 100.0
    select: Literal["fixed", "holdout"] = "fixed"
    """`holdout` chooses gamma on the last fifth of every session's images (RanPAC)."""
    base: Literal["train", "given"] = "train"
    """Whether the first session trains the backbone; with `train.freeze: backbone` it is given anyway."""
    unknown: Literal["ignore", "negative"] = "negative"
    """`ignore` keeps a Gram matrix for every block of labels, of the images on which all of the block is known: old
    scores never move where sessions show new labels only, and what is kept grows by hidden^2 numbers a session."""
    completion: float = 0.0
    """Sigmoid of the previous value from which a hidden old label counts as present; 0 completes nothing (L3A: 0.7)."""
    weights: Literal["none", "l3a", "air"] = "none"
    """What an image weighs: 1, or the mean (L3A) or sum (AIR) of its labels' weights, rarer labels weighing more."""
    legacy_float32: bool = False
    """Sums in float32 as L3A's release has them; marks the row."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head not in POOLED:
            raise ValueError(f"head '{self.head}' gives no single feature; ridge needs one of {', '.join(POOLED)}.")
        if not self.gamma > 0 or not 0 <= self.completion < 1:
            raise ValueError(f"ridge.gamma is {self.gamma}, completion {self.completion}; expected > 0 and in [0, 1).")
        if self.completion and self.unknown == "ignore":
            raise ValueError("ridge.completion decides hidden labels, which ridge.unknown=ignore leaves out.")

    def trains(self, index: int) -> bool:
        return index == 0 and self.base == "train" and (self._train is None or self._train.freeze != "backbone")

    def build(self, backbone: nn.Module, labels: tuple[str, ...]) -> None:
        width = int(backbone.width)
        check_recipe(ema=self._train.ema if self._train else 0.0, trained=self.trains(0))
        r = random_features(width, hidden=self.hidden, draw=self.draw, seed=int(self.rng("R").integers(2**31)))
        head = RidgeHead(width=width, projection=r, pooling=self.head, trained=self.trains(0))
        self.net: Network = Network(backbone, head)
        self.sums = BlockSums(head.hidden, dtype=torch.float32 if self.legacy_float32 else torch.float64)
        self.counts = torch.zeros(0, dtype=torch.int64)

    def begin_session(self, session: Session) -> None:
        if session.index:
            self.net.requires_grad_(False)
            self.net.head.end_base()
        super().begin_session(session)

    def end_session(self, session: Session) -> None:
        head: RidgeHead = self.net.head
        weights = self.label_weights(session) if self.weights != "none" else None
        blocks = head.slices() if self.unknown == "ignore" else [slice(0, session.seen)]
        sums = SumsInOrder(self.sums, [block.stop - block.start for block in blocks])
        for part in session.parts():
            for batch in part:
                phi, y = head.expanded(self.net.maps(batch.images)).cpu(), self.completed(batch, session).cpu()
                omega = None if weights is None else image_weights(y, weights, mean=self.weights == "l3a")
                sums.add(phi, y.nan_to_num() if self.unknown == "negative" else y, weight=omega)
            sums.end_part()
        gamma = self.chosen_gamma(session) if self.select == "holdout" else self.gamma
        for i in sums.into(self.sums):  # a block that no image was added to keeps its weights to the bit
            head.set_weights(self.sums.parts[i].solve(gamma), block=i if self.unknown == "ignore" else None)

    def label_weights(self, session: Session) -> Tensor:
        """Return the weights of all labels by how often each was visibly present so far."""
        counts = torch.from_numpy(session.positives())
        self.counts = counts + nn.functional.pad(self.counts, (0, session.seen - len(self.counts)))
        return class_weights(self.counts, power=1.0 if self.weights == "air" else 0.5)

    def completed(self, batch: Batch, session: Session) -> Tensor:
        """Return the targets [B, seen], hidden old labels decided by the weights of before where that is wanted."""
        old = session.new.start
        if not (self.completion and old):
            return batch.targets
        scores = self.net.head.values(self.net.maps(batch.images))[:, :old].sigmoid()
        return with_pseudo_labels(batch.targets, scores, threshold=self.completion, below="negative")

    def chosen_gamma(self, session: Session) -> float:
        """Return RanPAC's gamma for this session's images."""
        pairs = ((self.net.head.expanded(self.net.maps(b.images)).cpu(), b.targets.cpu()) for b in session.batches())
        if self.unknown == "negative":
            return holdout_gamma((phi, y.nan_to_num()) for phi, y in pairs)
        return holdout_gamma((phi, y[:, session.new]) for phi, y in pairs)

    def marks(self) -> list[str]:
        return ["legacy-float32"] if self.legacy_float32 else []
