"""Recall thresholds (URE) and balanced losses (CGC) of KBK in a strategy of one's own, on a head with one feature."""

from __future__ import annotations

import torch
from small_training import TRAIN, NoiseSession, SmallBackbone, begun, trained
from torch import Tensor

from clbench import Batch, Session, Strategy
from clbench.nn.believed.recall import RecallThresholds
from clbench.nn.believed.unseen import balance
from clbench.nn.distil import frozen
from clbench.nn.pseudo import with_pseudo_labels
from clbench.testing import check_strategy


class Fine(Strategy):
    """Fine-tunes on what recall thresholds make of hidden labels, with old labels' losses on one scale."""

    decides: bool = True
    balanced: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.thresholds = RecallThresholds()
        self.sizes: list[int] = []

    def begin_session(self, session: Session) -> None:
        self.teacher = frozen(self.net) if session.index else None
        super().begin_session(session)
        self.sizes = [*self.sizes, session.new.stop - session.new.start]
        self.thresholds.widen(session.seen)

    def completed(self, batch: Batch) -> Tensor:
        if self.teacher is None or not self.decides:
            return batch.targets
        believed = self.thresholds.present(self.teacher(batch.images).sigmoid()).float()
        return with_pseudo_labels(batch.targets, believed, threshold=0.5, below="negative")

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        targets = self.completed(batch)
        psi = balance(logits, targets, sessions=self.sizes) if self.balanced else None
        return self.classification(logits, targets, weight=psi)

    def end_session(self, session: Session) -> None:
        pairs = [(self.net(batch.images).sigmoid(), batch) for batch in session.batches()]
        present = [torch.where(b.known, b.targets > 0.5, self.thresholds.present(p)) for p, b in pairs]
        self.thresholds.update(torch.cat([p for p, _ in pairs]), torch.cat(present))


def in_second_session(**fields: bool) -> tuple[Fine, Batch]:
    strategy = Fine(**fields)
    strategy._train = TRAIN
    torch.manual_seed(0)
    strategy.build(SmallBackbone(), tuple("abcd"))
    first, second = NoiseSession(0, seen=2, new=2), NoiseSession(1, seen=4, new=2)
    begun(strategy, first)
    trained(strategy, first)
    with torch.no_grad():
        strategy.end_session(first)
    begun(strategy, second)
    return strategy, next(second.batches())


def test_without_both_it_is_fine_tuning_and_with_them_old_labels_are_decided_and_weigh_one_on_average():
    plain, batch = in_second_session(decides=False, balanced=False)
    logits = plain.net(batch.images)
    assert torch.equal(plain.loss(batch, logits), plain.classification(logits, batch.targets))
    strategy, batch = in_second_session()
    targets = strategy.completed(batch)
    scores = strategy.teacher(batch.images).sigmoid()
    assert batch.targets[:, :2].isnan().all() and torch.equal(targets[:, :2] == 1, strategy.thresholds.present(scores))
    assert torch.equal(targets[:, 2:], batch.targets[:, 2:])
    psi = balance(logits, targets, sessions=strategy.sizes)
    assert abs(float(psi[:, :2][targets[:, :2] == 0].mean()) - 1) < 1e-6 and torch.equal(psi[:, 2:], torch.ones(8, 2))
    assert strategy.loss(batch, logits) != strategy.classification(logits, targets)


def test_such_a_strategy_resumes_exactly_and_sees_no_hidden_label():
    checks = ["stopped_run_ends_the_same", "hidden_labels_change_nothing", "loss_copes_with_unknown_labels"]
    assert [outcome.status for outcome in check_strategy(Fine, checks=checks)] == ["passed"] * 3
