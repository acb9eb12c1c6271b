"""How DLFL's queries grow, what stays, and what is distilled."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch
from small_training import TRAIN, NoiseSession, begun, built, trained
from tiny_scenarios import finished, planned, scenario

from clbench.errors import UsageError

FIRST, SECOND = NoiseSession(0, seen=3, new=3), NoiseSession(1, seen=5, new=2)
HEAD = {"d": 16, "heads": 4}


def after_base(growth: str, **fields):
    strategy = built("dlfl", growth=growth, head_options=HEAD, **fields)
    begun(strategy, FIRST)
    trained(strategy, FIRST)
    return strategy


def looked_at(strategy) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([strategy.net(batch.images)[:, :3] for batch in FIRST.batches()])


def rows(strategy) -> list[torch.Tensor]:
    return [table.blocks[0].detach().clone() for table in strategy.net.head.tables()]


def moved(strategy, before: list[torch.Tensor]) -> float:
    return max((a - b).abs().max().item() for a, b in zip(rows(strategy), before, strict=True))


def test_growing_alone_changes_no_old_logit():
    strategy = after_base("grow")
    before = looked_at(strategy)
    begun(strategy, SECOND)
    torch.testing.assert_close(looked_at(strategy), before, rtol=0, atol=1e-5)


def test_with_the_trunk_fixed_after_the_base_old_labels_never_move():
    strategy = after_base("freeze-trunk-after-base")
    begun(strategy, SECOND)
    before, states = looked_at(strategy), rows(strategy)
    losses = trained(strategy, SECOND, epochs=6)
    assert losses[-1] < losses[0]
    assert moved(strategy, states) == 0.0
    assert torch.equal(looked_at(strategy), before)
    names = [name for name, _ in strategy.trainable()]
    assert names and all(name.endswith(".blocks.1") for name in names)


def test_queries_that_are_never_learned_stay_so_when_the_trunk_is_fixed():
    strategy = built("dlfl", head="mldecoder", growth="freeze-trunk-after-base", head_options={"d": 16, "heads": 4})
    begun(strategy, FIRST)
    trained(strategy, FIRST)
    begun(strategy, SECOND)
    before = strategy.net.head.queries().detach().clone()
    trained(strategy, SECOND)
    assert torch.equal(strategy.net.head.queries(), before)
    assert {name.split(".")[-3] for name, _ in strategy.trainable()} == {"weight", "bias"}


def test_in_a_run_scores_of_old_labels_never_move_once_the_trunk_is_fixed(tmp_path):
    """With batch statistics in the trunk and decay in the optimiser, after every session of the shared loop."""
    path = scenario(tmp_path, train={"weight_decay": 0.1})
    options = ("head_options.d=16", "head_options.heads=4", "growth=freeze-trunk-after-base")
    run, _ = finished(planned(path, "dlfl", *options), tmp_path / "results")
    first, second, third = (np.load(run.work / f"scores-{session}.logits.npy") for session in range(3))
    assert np.abs(second[:, :2] - first[:, :2]).max() < 1e-6
    assert np.abs(third[:, :4] - second[:, :4]).max() < 1e-6
    moving, _ = finished(planned(path, "dlfl", *options[:2], "growth=freeze-old-queries"), tmp_path / "moving")
    other = [np.load(moving.work / f"scores-{session}.logits.npy") for session in range(2)]
    assert np.abs(other[1][:, :2] - other[0][:, :2]).max() > 1e-3


def test_with_old_queries_fixed_old_labels_move_through_the_trunk_alone():
    strategy = after_base("freeze-old-queries")
    begun(strategy, SECOND)
    before, states = looked_at(strategy), rows(strategy)
    trained(strategy, SECOND)
    assert moved(strategy, states) == 0.0
    assert (looked_at(strategy) - before).abs().max() > 1e-3


def test_old_rows_drift_without_any_gradient_when_they_are_not_fixed():
    # decoupled decay reaches the classifier rows of labels that no image marks
    strategy = after_base("grow")
    begun(strategy, SECOND)
    states = rows(strategy)
    trained(strategy, SECOND)
    assert moved(strategy, states) > 1e-4


@pytest.mark.parametrize(
    "weights",
    [{"feature_weight": 2.0, "probability_weight": 0.0}, {"attention_weight": 3.0, "probability_weight": 0.0}],
)
def test_distillation_starts_at_nothing_and_weighs_the_same_under_every_recipe(weights):
    extras = {}
    for reduction, entries in (("mean", 1), ("sum", 2), ("total", 16)):
        train = msgspec.structs.replace(TRAIN, reduction=reduction)
        strategy = built("dlfl", train=train, head_options=HEAD, **weights)
        begun(strategy, FIRST)
        begun(strategy, SECOND)
        batch = next(SECOND.batches())
        logits = strategy.net(batch.images)
        plain = strategy.classification(logits, batch.targets)
        torch.testing.assert_close(strategy.loss(batch, logits), plain, rtol=1e-5, atol=1e-5)
        with torch.no_grad():
            noise = torch.Generator().manual_seed(1)
            for parameter in strategy.net.parameters():
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=noise))
            noise = torch.Generator().manual_seed(2)
            for parameter in strategy.teacher.parameters():
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=noise))
        logits = strategy.net(batch.images)
        loss = strategy.loss(batch, logits)
        extras[reduction] = (loss - strategy.classification(logits, batch.targets)).item() / entries
        loss.backward()
        assert strategy.net.head.queries.blocks[0].grad.abs().max() > 0
        assert all(p.grad is None for p in strategy.teacher.parameters())
    assert extras["mean"] > 1e-3
    assert extras["sum"] == pytest.approx(extras["mean"], rel=1e-4)
    assert extras["total"] == pytest.approx(extras["mean"], rel=1e-4)


def test_distillation_keeps_old_features_nearer():
    distances = {}
    for weight in (0.0, 20.0):
        strategy = after_base("grow", feature_weight=weight)
        with torch.no_grad():
            before = torch.cat(
                [strategy.net.head.label_features(strategy.net.features(b.images)) for b in SECOND.batches()]
            )
        begun(strategy, SECOND)
        trained(strategy, SECOND, epochs=6)
        with torch.no_grad():
            after = torch.cat(
                [strategy.net.head.label_features(strategy.net.features(b.images)) for b in SECOND.batches()]
            )
        distances[weight] = 1 - torch.nn.functional.cosine_similarity(after[:, :3], before, dim=-1).mean().item()
    assert distances[20.0] < 0.7 * distances[0.0]


def test_probabilities_of_hidden_old_labels_are_distilled_as_lwf_does():
    strategy = after_base("grow", probability_weight=3.0)
    begun(strategy, SECOND)
    batch = next(SECOND.batches())
    strategy.zero_grad()
    logits = strategy.net(batch.images)
    (strategy.loss(batch, logits) - strategy.classification(logits, batch.targets)).backward()
    assert all(p.grad is None or p.grad.abs().max() < 1e-6 for p in strategy.net.parameters()), "nothing has changed"
    trained(strategy, SECOND)
    logits = strategy.net(batch.images)
    with torch.no_grad():
        soft = torch.sigmoid(strategy.teacher(batch.images))
    student = torch.sigmoid(logits[:, :3])
    # every old label is hidden in the second session
    by_hand = -(soft * student.log() + (1 - soft) * (1 - student).log()).mean()
    extra = strategy.loss(batch, logits) - strategy.classification(logits, batch.targets)
    torch.testing.assert_close(extra, 3.0 * by_hand, rtol=1e-4, atol=1e-5)


def test_a_memory_brings_images_back_and_is_counted(tmp_path):
    path = scenario(tmp_path)
    options = ("head_options.d=16", "head_options.heads=4")
    _, plain = finished(planned(path, "dlfl", *options), tmp_path / "none")
    _, kept = finished(planned(path, "dlfl", *options, "memory=5"), tmp_path / "five")
    assert [cost.stored_images for cost in plain.costs] == [0, 0, 0]
    assert [cost.stored_images for cost in kept.costs] == [5, 5, 5]
    assert kept.costs[0].images_seen == plain.costs[0].images_seen
    epochs = kept.train["epochs"]
    for mine, other in zip(kept.costs[1:], plain.costs[1:], strict=True):
        # an image that is kept and belongs to the session is not met twice
        assert other.images_seen < mine.images_seen <= other.images_seen + 5 * epochs


def test_attention_of_a_shared_feature_is_refused_before_anything_runs():
    from clbench.plan import catalog
    from clbench.plan.load_strategy import load_strategy

    kind = load_strategy(catalog.find_strategy("dlfl"))
    for head, options in (("linear", {}), ("mmdsr", {"m3": False})):
        with pytest.raises(UsageError, match=f"head '{head}' has no attention"):
            kind.configured({"head": head, "head_options": options, "attention_weight": 1.0}, source="scenario")
    kind.configured({"head": "mmdsr", "attention_weight": 1.0}, source="scenario")
