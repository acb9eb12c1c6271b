"""Prompts for all sessions and prompts for each."""

from typing import ClassVar

from torch import Tensor, nn

from clbench import Batch, Session, Strategy
from clbench.nn.heads.by_name import Network
from clbench.nn.heads.pooled import LinearHead
from clbench.nn.losses import in_columns
from clbench.nn.prompts.network import PromptedNetwork
from clbench.nn.prompts.pool import SessionPrompts
from clbench.nn.scale import per_image
from clbench.nn.tap import Tap


class DualPrompt(Strategy):
    """Sets prefixes of all sessions before the first blocks of a frozen transformer, and of one session before others.

    Wang et al., ECCV 2022. Which session's, a key decides where the session is not known.
    """

    inside_transformer: ClassVar[bool] = True
    provenance: ClassVar[dict[str, str]] = {
        "paper": "DualPrompt (Wang et al., ECCV 2022)",
        "equations": "eq. 1-8",
        "upstream": "JH-LEE-KR/dualprompt-pytorch 7eb457d",
        "deviations": "a sigmoid per label, over a session's own columns; prefixes by image; a new session's key too "
        "starts as the last one, so that growing moves nothing",
        "keeps": "nothing",
        "freezes": "the backbone; prefixes, keys and classifiers of earlier sessions",
        "cost": "two passes through the backbone to train and to score",
    }

    length: int = 5
    """Of a session's own prefix."""
    shared_length: int = 5
    blocks: tuple[int, ...] = (2, 3, 4)
    """Where a session's own prefixes stand."""
    shared_blocks: tuple[int, ...] = (0, 1)
    pull: float = 1.0
    """Weight of the cosine between an image and its session's key, beside a loss summed over labels."""
    legacy_batchwise: bool = False
    """All images of a batch get the prefixes that most of them chose; marks the row."""
    legacy_reshape: bool = False
    """Keys and values of a batch are mixed up as in public ports; marks the row."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head != "linear":
            raise ValueError(f"head '{self.head}' has no use for one token; dualprompt needs one of linear.")
        both = [*self.blocks, *self.shared_blocks]
        if len(set(both)) < len(both):
            raise ValueError(f"dualprompt.blocks {self.blocks} and shared_blocks {self.shared_blocks} name one twice.")

    def build(self, backbone: nn.Module, labels: tuple[str, ...]) -> None:
        width = int(backbone.width)
        prompts = SessionPrompts(
            width=width,
            shared_blocks=self.shared_blocks,
            own_blocks=self.blocks,
            shared_length=self.shared_length,
            own_length=self.length,
            legacy_batchwise=self.legacy_batchwise,
            legacy_reshape=self.legacy_reshape,
        )
        self.net: Network = PromptedNetwork(backbone, LinearHead(width=width), prompts)
        self._tap = Tap(prompts.near)

    def begin_session(self, session: Session) -> None:
        super().begin_session(session)
        self.net.head.freeze_old()
        self.net.prompts.grow()

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        targets = in_columns(batch.targets, self.net.head.newest)
        pulled = per_image(-self.pull * self._tap.output().mean(), targets, reduction=self.reduction)
        return self.classification(logits, targets) + pulled

    def score_cost(self) -> float:
        return 2.0

    def marks(self) -> list[str]:
        named = {"legacy-batchwise": self.legacy_batchwise, "legacy-reshape": self.legacy_reshape}
        return [mark for mark, on in named.items() if on]
