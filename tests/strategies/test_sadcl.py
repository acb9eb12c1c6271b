"""SADCL in sessions: two stages, fixed old prototypes, a bank that outlives sessions, nobody's negatives."""

from __future__ import annotations

import pytest
import torch
from small_training import NoiseSession, begun, built, trained

from clbench.errors import UsageError
from clbench.nn.contrastive import pscl, sscl
from clbench.nn.losses import bce
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy
from clbench.train.resume.state import load_strategy_state, strategy_state

HEAD = {"d": 16, "heads": 4, "hidden": 32, "dropout": 0.0}
FIRST, SECOND = NoiseSession(0, seen=3, new=3), NoiseSession(1, seen=5, new=2)


def made(**fields):
    return built("sadcl", head_options=HEAD, projected=8, **{"bank_confidence": 0.0, **fields})


def after_first(**fields):
    strategy = made(**fields)
    begun(strategy, FIRST)
    trained(strategy, FIRST, epochs=4)
    return strategy


def contrasted(strategy, session, share: float = 0.9):
    """Return batch, logits and loss at a moment of a session."""
    strategy.eval()
    strategy._share = share
    batch = next(session.batches())
    logits = strategy.net(batch.images)
    return batch, logits, strategy.loss(batch, logits)


def test_a_session_begins_with_classification_alone():
    strategy = made(warm_up=0.5)
    begun(strategy, FIRST)
    batch, logits, loss = contrasted(strategy, FIRST, share=0.49)
    assert torch.equal(loss, strategy.classification(logits, batch.targets))
    assert (strategy.prototypes() == 0).all() and len(strategy.bank) == 0
    batch, logits, loss = contrasted(strategy, FIRST, share=0.5)
    assert loss > strategy.classification(logits, batch.targets)
    assert (strategy.prototypes() != 0).any(1).all() and len(strategy.bank) > 0


@pytest.mark.parametrize("weights", [{}, {"sscl_weight": 0.3, "pscl_weight": 0.2}])
def test_the_whole_loss_is_the_weighted_sum_of_its_parts(weights):
    strategy = after_first(bank_labels="present", **weights)
    begun(strategy, SECOND)
    strategy.bank = type(strategy.bank)(4)
    strategy.bank.widen(5, d=16)
    batch, logits, loss = contrasted(strategy, SECOND)
    z = strategy.projection(strategy.net.head.label_features(strategy.net.features(batch.images)))
    present = batch.targets > 0.5
    opened = strategy.prototypes()[3:]  # new labels' prototypes opened the bank just before
    held, labels = opened, torch.tensor([3, 4])
    met = present.any(0)[labels]
    active = torch.cat([z[present], strategy.projection(held[met])])
    samples = sscl(active, torch.cat([present.nonzero()[:, 1], labels[met]]), temperature=0.2)
    typical = pscl(z, strategy.projection(strategy.prototypes()), batch.targets, temperature=0.07)
    by_samples, by_prototypes = (0.3, 0.2) if weights else (0.1, 0.05)  # as published
    mean = bce(logits, batch.targets, reduction="mean")
    torch.testing.assert_close(loss, mean + by_samples * samples + by_prototypes * typical, rtol=1e-5, atol=1e-6)


def test_old_prototypes_and_what_the_bank_has_of_old_labels_stay():
    strategy = after_first()
    prototypes = strategy.prototypes().detach().clone()
    held, labels = strategy.bank.features()
    begun(strategy, SECOND)
    trained(strategy, SECOND, epochs=4)
    assert torch.equal(strategy.prototypes()[:3], prototypes)
    assert (strategy.prototypes()[3:] != 0).any(1).all()
    now, of = strategy.bank.features()
    assert torch.equal(now[of < 3], held[labels < 3])
    assert set(of.tolist()) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("official", [False, True])
def test_an_unknown_old_label_is_no_negative(official):
    strategy = after_first(official_mask_order=official, warm_up=0.0)
    begun(strategy, SECOND)
    batch, _, loss = contrasted(strategy, SECOND)
    assert torch.isnan(batch.targets[:, :3]).all()
    features = []
    strategy.net.head.own.register_forward_hook(lambda module, given, put: features.append(put))
    _, _, loss = contrasted(strategy, SECOND)
    (gradient,) = torch.autograd.grad(loss, features[0])
    assert (gradient[:, :3] == 0).all()
    assert (gradient[:, 3:] != 0).any()


def test_only_confident_features_of_present_labels_enter_the_bank():
    strategy = made(warm_up=0.0, bank_size=64, bank_confidence=type(made())().bank_confidence)
    begun(strategy, FIRST)
    strategy.take_prototypes()
    opened = strategy.bank.features()[0]
    assert torch.equal(opened, strategy.prototypes())
    strategy.eval()
    strategy._share = 0.9
    batch = next(FIRST.batches())
    own = strategy.net.head.label_features(strategy.net.features(batch.images))
    strategy.net(batch.images)
    sure = torch.rand(batch.targets.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    strategy.loss(batch, torch.where(sure, 0.81, 0.79).logit()).backward()
    entered = sure & (batch.targets > 0.5)
    assert 0 < entered.sum() < (batch.targets > 0.5).sum()
    features, labels = strategy.bank.features()
    for label in range(3):
        expected = torch.cat([opened[label : label + 1], own[:, label][entered[:, label]]])
        assert torch.equal(features[labels == label], expected)
    assert not features.requires_grad
    none = made(warm_up=0.0, bank_confidence=1.0)
    begun(none, FIRST)
    contrasted(none, FIRST)
    assert torch.equal(none.bank.features()[0], none.prototypes())  # what opened the bank is all it has


@pytest.mark.parametrize("at", [1, 6, 9])
def test_a_session_interrupted_in_either_stage_goes_on_the_same(at):
    """What is saved holds everything the second stage needs; the switch comes with the share of steps made."""
    whole = after_first()
    begun(whole, SECOND)
    parts = after_first()
    begun(parts, SECOND)
    steps = 12
    for strategy in (whole, parts):
        optimizer = torch.optim.SGD([p for _, p in strategy.trainable()], lr=0.05)
        batches = [batch for _ in range(4) for batch in SECOND.batches()]
        for step in range(steps):
            if strategy is parts and step == at:
                saved = strategy_state(strategy)
                strategy = made()
                for session in (FIRST, SECOND):
                    strategy._seed = (0, session.index, 0)
                    strategy.begin_session(session)
                load_strategy_state(strategy, saved)
                strategy._live = SECOND
                optimizer = torch.optim.SGD([p for _, p in strategy.trainable()], lr=0.05)
            strategy.train()
            strategy._share = step / steps
            optimizer.zero_grad()
            strategy.loss(batches[step], strategy.net(batches[step].images)).backward()
            optimizer.step()
        if strategy is not whole:
            parts = strategy
    for (name, one), (_, other) in zip(whole.state_dict().items(), parts.state_dict().items(), strict=True):
        assert torch.equal(one, other), name
    assert torch.equal(whole.bank.features()[0], parts.bank.features()[0])


def test_taking_prototypes_leaves_the_network_in_training_mode_and_its_statistics_alone():
    strategy = made(warm_up=0.0)
    begun(strategy, FIRST)
    strategy.train()
    strategy.net.backbone.eval()
    statistics = {name: value.clone() for name, value in strategy.net.named_buffers()}
    strategy.take_prototypes()
    assert strategy.net.head.training and not strategy.net.backbone.training
    assert all(torch.equal(value, statistics[name]) for name, value in strategy.net.named_buffers())


def test_any_head_with_label_features_can_be_contrasted_and_others_are_refused():
    kind = load_strategy(catalog.find_strategy("sadcl"))
    with pytest.raises(UsageError, match="head 'linear' has no label features"):
        kind.configured({"head": "linear"}, source="scenario")
    strategy = built("sadcl", head="queries", head_options={"d": 16, "heads": 4}, projected=8)
    begun(strategy, FIRST)
    losses = trained(strategy, FIRST, epochs=4)
    assert all(torch.isfinite(torch.tensor(losses)))
