"""Prompts from components."""

from typing import ClassVar

from torch import Tensor, nn

from clbench import Batch, Session, Strategy
from clbench.nn.heads.by_name import Network
from clbench.nn.heads.pooled import LinearHead
from clbench.nn.losses import in_columns
from clbench.nn.prompts.components import Components
from clbench.nn.prompts.network import PromptedNetwork


class CODAPrompt(Strategy):
    """Composes the prefixes of an image from components that grow with every session, weighted by attention to keys.

    Smith et al., CVPR 2023.
    """

    inside_transformer: ClassVar[bool] = True
    entangled: ClassVar[bool] = True
    provenance: ClassVar[dict[str, str]] = {
        "paper": "CODA-Prompt (Smith et al., CVPR 2023)",
        "equations": "eq. 3-8",
        "upstream": "GT-RIPL/CODA-Prompt 6417d4f",
        "deviations": "a sigmoid per label, over a session's own columns; components are made when their session "
        "comes; new rows are orthogonal to the span of earlier ones",
        "keeps": "nothing",
        "freezes": "the backbone; components and classifiers of earlier sessions",
        "cost": "two passes through the backbone to train and to score",
    }

    components: int = 10
    """Components a session adds, in each of the `blocks`."""
    length: int = 8
    """Half of it keys, half values."""
    blocks: tuple[int, ...] = (0, 1, 2, 3, 4)
    orthogonal: float = 0.0
    """Weight of the penalty on rows that are not orthonormal; 0 in the release's scripts."""
    zero_start: bool = False
    """New components add nothing at first, so that growing moves no old score; the paper's are orthonormal."""
    legacy_gram_schmidt: bool = False
    """Projections on trained rows are subtracted one by one, which leaves new rows askew; marks the row."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head != "linear":
            raise ValueError(f"head '{self.head}' has no use for one token; coda needs one of linear.")
        if self.components < 1 or self.length < 2 or self.length % 2:
            raise ValueError(f"coda.components is {self.components}, length {self.length}; expected >= 1, and even.")

    def build(self, backbone: nn.Module, labels: tuple[str, ...]) -> None:
        width = int(backbone.width)
        prompts = Components(
            width=width,
            blocks=self.blocks,
            count=self.components,
            length=self.length,
            zero_start=self.zero_start,
            legacy_gram_schmidt=self.legacy_gram_schmidt,
        )
        self.net: Network = PromptedNetwork(backbone, LinearHead(width=width), prompts)

    def begin_session(self, session: Session) -> None:
        super().begin_session(session)
        self.net.head.freeze_old()
        self.net.prompts.grow()

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        loss = self.classification(logits, in_columns(batch.targets, self.net.head.newest))
        return loss + self.orthogonal * self.net.prompts.orthogonality() if self.orthogonal else loss

    def score_cost(self) -> float:
        return 2.0

    def marks(self) -> list[str]:
        return ["legacy-gram-schmidt"] if self.legacy_gram_schmidt else []
