"""What all methods with a memory share: when images enter it, and when they come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from clbench.data.sparse.merged import first_columns
from clbench.method.batch import Batch
from clbench.method.strategy import Strategy
from clbench.nn.backbones.features import pooled_features
from clbench.nn.balanced import HerdingMemory
from clbench.nn.memory import Exemplars, Memory

if TYPE_CHECKING:
    from clbench.method.session import LiveSession


class Replay(Strategy):
    """Stores images under a budget and trains on them again.

    In an offline scenario a session's images are offered to the memory after it, and everything held is mixed into the
    next session; so it is for herded memories always. In an online one every batch is offered after its step, and a
    random draw is set beside every batch. An exemplar keeps the labels that were visible when it was stored.

    >>> strategy = clbench.Replay(memory=2)
    >>> memory = strategy.make_memory()
    >>> memory.add([4, 9, 7], [[1], [0], [1]], rng=strategy.rng("memory"))
    >>> len(memory), memory.limit
    (2, 2)
    """

    memory: int = 1000
    """How many images may be stored: in total, or per seen label with `per_class`."""
    per_class: bool = False
    replay_batch: int = 0
    """How many stored images are set beside a batch; 0 means as many as came in."""

    beside: ClassVar[bool] = False
    """True fills the memory and sets its images beside batches as in online scenarios, in offline ones too."""

    def make_memory(self) -> Memory:
        """Return the empty memory; a uniform sample of the images met by default."""
        return Memory(self.memory, per_class=self.per_class)

    def build(self, backbone: nn.Module, labels: tuple[str, ...]) -> None:
        """Make the network and the memory."""
        super().build(backbone, labels)
        self.buffer = self.make_memory()
        self.stepwise = False

    def begin_session(self, session: LiveSession) -> None:
        """Grow the head, and note whether images enter and come back step by step."""
        super().begin_session(session)
        self.stepwise = self.works_stepwise(online=session.online)

    def works_stepwise(self, *, online: bool) -> bool:
        """Say whether images enter and come back batch by batch, in an online scenario or an offline one."""
        # herding compares the features of a whole session, which no single batch has
        return (self.beside or online) and not isinstance(self.buffer, HerdingMemory)

    def rehearse(self, session: LiveSession) -> Exemplars | None:
        """Return everything held, unless it is set beside batches. Targets int8 [M, seen]."""
        return None if self.stepwise else self.buffer.exemplars()

    def recall(self, batch: Batch) -> Exemplars | None:
        """Return a random draw from the memory, in online scenarios.

        Targets int8 [m, seen], m as many as the batch has new images, or `replay_batch`.
        """
        if not self.stepwise:
            return None
        return self.buffer.sample(self.replay_batch or len(batch.rows), rng=self.rng("recall"))

    def after_step(self, batch: Batch, logits: Tensor) -> None:
        """Offer the batch's new images to the memory, in online scenarios. `logits` are [B, seen]."""
        if self.stepwise:
            fresh = ~batch.replayed.cpu()
            rows = batch.rows[fresh].numpy()
            self.offer(rows, visible(batch)[fresh.numpy()], logits=logits.float().cpu()[fresh])

    def offer(self, rows: npt.NDArray[np.int64], targets: npt.NDArray[np.int8], *, logits: Tensor) -> None:
        """Offer the new images of a batch; `logits` [n, seen] are what the network said of them."""
        self.buffer.add(rows, targets, rng=self.rng("memory"))

    def end_session(self, session: LiveSession) -> None:
        """Offer the session's images, in offline scenarios."""
        if not self.stepwise:
            self.store(session)

    def store(self, session: LiveSession) -> None:
        """Offer a whole session's images, in random order: room that became free goes to the first."""
        if isinstance(self.buffer, HerdingMemory):
            # with `visible: all` the columns of later sessions are there already, but have no images to choose from
            targets = first_columns(session.targets, session.learned)
            features = pooled_features(self.net, (batch.images for batch in session.batches()))
            self.buffer.herd(session.rows, targets, features=features.numpy())
            return
        order = self.rng("arrival").permutation(len(session.rows))
        offered = Exemplars(session.rows, session.targets).take(order)
        self.buffer.add(offered.rows, offered.targets, rng=self.rng("memory"))


def draws(strategy: Strategy) -> int:
    """Return how often in a step all that a strategy stores may come back at most."""
    own = type(strategy).recall not in (Strategy.recall, Replay.recall)
    return strategy.draws or 1 + own


def visible(batch: Batch) -> npt.NDArray[np.int8]:
    """Return a batch's targets as a memory stores them: int8 [B, seen], 1, 0 and -1 for unknown."""
    labels: npt.NDArray[np.int8] = torch.nan_to_num(batch.targets, nan=-1.0).to(torch.int8).cpu().numpy()
    return labels
