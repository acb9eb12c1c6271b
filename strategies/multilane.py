"""A lane of its own for every session."""

from typing import ClassVar

from torch import Tensor, nn

from clbench import Batch, Session, Strategy
from clbench.nn.losses import in_columns
from clbench.nn.prompts.lanes import LaneNetwork


class MultiLane(Strategy):
    """Gives every session a lane through a frozen transformer, of which earlier ones never change again.

    De Min et al., CoLLAs 2024. A lane is a few selectors that summarise the tokens of each block, keys and values in
    the first blocks, and the classifiers of the session's labels. Scores of different lanes are never calibrated
    against each other: what ranks labels, such as OF1, is not the method's strength.
    """

    inside_transformer: ClassVar[bool] = True
    provenance: ClassVar[dict[str, str]] = {
        "paper": "MULTI-LANE (De Min et al., CoLLAs 2024)",
        "equations": "as in the released code: selectors travel, the class token is the backbone's",
        "upstream": "tdemin16/multi-lane 5ee982c",
        "deviations": "lanes are made when their session comes; the loss is over a session's own columns, where the "
        "release's mean over all adds log 2 for each other one; orthonormal rows at the start",
        "keeps": "nothing",
        "freezes": "the backbone; lanes and classifiers of earlier sessions",
        "cost": "training passes the backbone without gradients; scoring one pass and S + 1 tokens for every lane",
    }

    selectors: int = 20
    prompts: int = 20
    """Keys and values each block gets."""
    blocks: int = 5
    """Blocks that get them, from the first on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head != "linear":
            raise ValueError(f"head '{self.head}' is not a lane's; multilane needs one of linear.")
        if self.selectors < 1 or self.prompts < 0 or self.blocks < 0:
            raise ValueError("multilane.selectors must be at least 1, prompts and blocks at least 0.")

    def build(self, backbone: nn.Module, labels: tuple[str, ...]) -> None:
        self.net: LaneNetwork = LaneNetwork(
            backbone, selectors=self.selectors, prompts=self.prompts, blocks=self.blocks
        )

    def begin_session(self, session: Session) -> None:
        new = session.seen - self.net.head.seen
        super().begin_session(session)
        if new > 0:
            self.net.grow()
            self.net.head.freeze_old()

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        return self.classification(logits, in_columns(batch.targets, self.net.head.newest))

    def score_cost(self) -> float:
        return self.net.cost()
