"""MMDSR as a strategy: all stages of a backbone, growth that leaves old outputs alone."""

from __future__ import annotations

import pytest
import torch
from small_training import NoiseSession, begun, built, trained

FIRST, SECOND = NoiseSession(0, seen=3, new=3), NoiseSession(1, seen=5, new=2)


@pytest.mark.parametrize("off", ["m1", "m2", "m3", ""])
def test_it_learns_and_grows_with_any_module_switched_off(off):
    options = {"d": 16, "heads": 4} | ({off: False} if off else {})
    strategy = built("mmdsr", head_options=options)
    begun(strategy, FIRST)
    losses = trained(strategy, FIRST, epochs=6)
    assert sum(losses[-3:]) < sum(losses[:3])
    images = next(FIRST.batches()).images
    with torch.no_grad():
        before = strategy.net(images)
        begun(strategy, SECOND)
        after = strategy.net(images)
    torch.testing.assert_close(after[:, :3], before, rtol=0, atol=1e-6)
    assert after.shape == (8, 5)
    trained(strategy, SECOND)


def test_with_all_modules_off_it_learns_what_the_baseline_learns_bit_for_bit():
    options = {"m1": False, "m2": False, "m3": False}
    learned = []
    for name, fields in (("mmdsr", {"head_options": options}), ("naive", {"unknown": "ignore"})):
        strategy = built(name, **fields)
        losses = []
        for session in (FIRST, SECOND):
            begun(strategy, session)
            losses += trained(strategy, session)
        learned.append((losses, strategy.state_dict()))
    (losses, state), (same_losses, same_state) = learned
    assert losses == same_losses
    assert state.keys() == same_state.keys()
    assert all(torch.equal(value, same_state[name]) for name, value in state.items())


def test_other_strategies_see_the_last_map_whatever_the_head_wants():
    strategy = built("mmdsr", head_options={"d": 16, "heads": 4})
    begun(strategy, FIRST)
    images = next(FIRST.batches()).images
    assert strategy.net.features(images).shape == (8, 12, 2, 2)
    assert [m.shape[1] for m in strategy.net.maps(images)] == [6, 8, 12]
