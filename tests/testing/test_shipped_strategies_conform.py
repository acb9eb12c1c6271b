"""Every shipped strategy keeps every promise, and so does the simplest one under every head."""

from __future__ import annotations

import pytest

from clbench.nn.heads.by_name import HEADS
from clbench.plan import catalog
from clbench.testing import Check, Subject, parametrize_with_checks, require

SHIPPED = [entry.name for entry in catalog.strategies() if entry.origin == "shipped"]


@pytest.mark.slow
@parametrize_with_checks(SHIPPED)
def test_a_shipped_strategy_keeps_its_promise(subject: Subject, check: Check) -> None:
    require(subject, check)


@pytest.mark.slow
@pytest.mark.exhaustive
@parametrize_with_checks(["naive"], heads=list(HEADS))
def test_every_head_lets_a_strategy_keep_its_promises(subject: Subject, check: Check) -> None:
    require(subject, check)
