"""What is kept beside the network is counted, and so are the passes that a score takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_training import NoiseSession, begun, built, trained

from clbench.method.stored import state_bytes

SMALL = {"krt": {"head_options": {"d": 16, "heads": 2}}}


def size(module: torch.nn.Module) -> int:
    return sum(value.numel() * value.element_size() for value in module.state_dict().values())


@pytest.mark.parametrize("name", ["lwf", "er", "naive", "bic", "relabel", "csc", "krt", "kbk"])
def test_declared_passes_are_those_that_are_made(name: str):
    strategy = built(name, **SMALL.get(name, {}))
    begun(strategy, NoiseSession(0, seen=3, new=3))
    passed = []
    strategy.net.backbone.steps[0].register_forward_hook(lambda _, given, __: passed.append(len(given[0])))
    with torch.no_grad():
        strategy.scores(torch.zeros(5, 3, 16, 16, dtype=torch.uint8))
    assert sum(passed) == 5 * strategy.score_cost()


def test_a_network_alone_keeps_nothing_and_a_memory_is_counted_elsewhere():
    for name in ("naive", "er"):
        strategy = built(name)
        session = NoiseSession(0, seen=3, new=3)
        begun(strategy, session)
        trained(strategy, session, epochs=1)
        strategy.end_session(session)
        assert state_bytes(strategy) == 0


def test_a_teacher_counts_with_its_buffers_while_it_is_held():
    lwf = built("lwf")
    begun(lwf, NoiseSession(0, seen=2, new=2))
    assert state_bytes(lwf) == 0
    begun(lwf, NoiseSession(1, seen=4, new=2))
    assert state_bytes(lwf) == size(lwf.teacher) > 0
    lwf.teacher = None
    assert state_bytes(lwf) == 0


def test_arrays_wherever_they_lie_count_once_and_plain_values_do_not():
    strategy = built("naive")
    shared = torch.zeros(10, dtype=torch.float64)
    strategy.one, strategy.again = shared, [shared, {"x": np.zeros(3, dtype=np.float32)}]
    strategy._scratch, strategy.number = torch.zeros(99), 3
    strategy.table = torch.nn.Linear(2, 2)  # parameters are counted as such
    assert state_bytes(strategy) == 80 + 12


def test_a_bias_of_sessions_is_parameters_and_no_state():
    bic = built("bic")
    begun(bic, NoiseSession(0, seen=2, new=2))
    assert state_bytes(bic) == 0 and sum(p.numel() for p in bic.bias.parameters()) == 2
