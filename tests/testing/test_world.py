"""The worlds in which a strategy is tried hold what they say and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from clbench.testing.world import World


@pytest.mark.parametrize("static", [False, True])
def test_a_bare_world_holds_no_label_but_those_that_sessions_show(static: bool) -> None:
    world = World.make(images="disjoint")
    full, bare = world.stream.table, world.with_no_label_but_the_visible(static=static).stream.table
    shown = np.full(full.y.shape, -1, dtype=np.int8)
    for session in world.stream.sessions:
        columns = world.stream.order[session.new]
        shown[np.ix_(session.rows, columns)] = session.targets[:, session.new]
    if static:
        train = full.split == "train"
        shown[np.ix_(train, world.stream.order)] = full.y[np.ix_(train, world.stream.order)]
    assert np.array_equal(bare.y, shown)
    assert np.array_equal(bare.member, shown == 1)


def test_other_test_labels_are_those_of_other_pictures() -> None:
    world = World.make()
    one, two = world.stream.table, world.with_other_test_labels().stream.table
    tests = one.split == "test"
    assert np.array_equal(one.y[~tests], two.y[~tests])
    assert sorted(map(tuple, one.y[tests])) == sorted(map(tuple, two.y[tests]))
    assert not np.array_equal(one.y[tests], two.y[tests])
