"""A strategy that breaks one promise fails its check and no other; a file of its own, as it takes minutes."""

from __future__ import annotations

from pathlib import Path

import pytest
from broken_strategies import ALSO, BROKEN, CAUGHT, CHEATS, ENDS_THE_RUN

from clbench.testing import CHECKS, Subject, examine


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLBENCH_BESIDE", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.exhaustive) if name in CHEATS else name for name in CAUGHT]
)
def test_a_broken_strategy_fails_its_check_and_no_other(name: str) -> None:
    subject = Subject(str(BROKEN / f"{name}.py"))
    outcomes = {check.name: examine(subject, check=check) for check in CHECKS}
    failed = {check: outcome.lines for check, outcome in outcomes.items() if outcome.status == "failed"}
    also = ALSO.get(name, [])
    assert sorted(failed) == sorted([CAUGHT[name], *also]), failed
    found, look, mend = failed[CAUGHT[name]]
    assert found and mend and f"{name}.py" in look
    # what was not run must wait for the failed check
    blocked = {check for check, outcome in outcomes.items() if outcome.status == "not run"}
    waiting = {CAUGHT[name]} | ({"runs_to_its_end"} if name in ENDS_THE_RUN else set())
    for check in CHECKS:
        if check.needs in waiting:
            waiting.add(check.name)
    assert blocked == waiting - {CAUGHT[name]}
