"""Learning to prompt."""

from typing import ClassVar, Literal

from torch import Tensor, nn

from clbench import Batch, Session, Strategy
from clbench.nn.heads.by_name import Network
from clbench.nn.heads.pooled import LinearHead
from clbench.nn.losses import in_columns
from clbench.nn.prompts.network import PromptedNetwork
from clbench.nn.prompts.pool import Pool
from clbench.nn.scale import per_image
from clbench.nn.tap import Tap


class L2P(Strategy):
    """Chooses prompts for every image from a pool, by keys near what a frozen transformer says of it.

    Wang et al., CVPR 2022. `pool: 10, length: 5, top_k: 5, pull: 0.1` is the PyTorch port; `pool: 30, length: 20,
    top_k: 5, where: prefix` is L2P++ of the CODA-Prompt repository.
    """

    inside_transformer: ClassVar[bool] = True
    provenance: ClassVar[dict[str, str]] = {
        "paper": "L2P (Wang et al., CVPR 2022)",
        "equations": "eq. 1-5",
        "upstream": "JH-LEE-KR/l2p-pytorch f7bc994, GT-RIPL/CODA-Prompt 6417d4f",
        "deviations": "a sigmoid per label, over a session's own columns; prompts by image; prompts have no position",
        "keeps": "nothing",
        "freezes": "the backbone; classifiers of earlier sessions",
        "cost": "two passes through the backbone to train and to score",
    }

    pool: int = 10
    length: int = 10
    top_k: int = 4
    pull: float = 1.0
    """Weight of the cosines between an image and its keys, beside a loss summed over labels."""
    where: Literal["input", "prefix"] = "input"
    """Prompts stand before all tokens and are read out, or are keys and values of the first block."""
    legacy_batchwise: bool = False
    """All images of a batch get the prompts that most of them chose; marks the row."""
    legacy_pairs: bool = False
    """The key term sums over all pairs of images of a batch, as in the CODA-Prompt repository; marks the row."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head != "linear":
            raise ValueError(f"head '{self.head}' has no use for one token; l2p needs one of linear.")
        if not 1 <= self.top_k <= self.pool or self.length < 1 or (self.where == "prefix" and self.length % 2):
            raise ValueError("l2p.top_k must be 1 to l2p.pool, and length at least 1, even where: prefix.")

    def build(self, backbone: nn.Module, labels: tuple[str, ...]) -> None:
        width = int(backbone.width)
        pool = Pool(
            width=width,
            size=self.pool,
            length=self.length,
            top_k=self.top_k,
            prefix=self.where == "prefix",
            legacy_batchwise=self.legacy_batchwise,
            legacy_pairs=self.legacy_pairs,
        )
        self.net: Network = PromptedNetwork(backbone, LinearHead(width=width), pool)
        self._tap = Tap(pool.near)

    def begin_session(self, session: Session) -> None:
        super().begin_session(session)
        self.net.head.freeze_old()

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        near = self._tap.output()
        if self.legacy_pairs:
            return self.classification(logits, in_columns(batch.targets, self.net.head.newest)) + self.pull * (
                self.top_k * len(near) ** 2 - near.sum()
            )
        targets = in_columns(batch.targets, self.net.head.newest)
        pulled = per_image(-self.pull * near.mean(), targets, reduction=self.reduction)
        return self.classification(logits, targets) + pulled

    def score_cost(self) -> float:
        return 2.0

    def marks(self) -> list[str]:
        named = {"legacy-batchwise": self.legacy_batchwise, "legacy-pairs": self.legacy_pairs}
        return [mark for mark, on in named.items() if on]
