"""Every check catches the strategy that breaks its promise."""

from __future__ import annotations

from pathlib import Path

import pytest
from broken_strategies import BROKEN, CAUGHT, CHEATS

from clbench.plan import catalog
from clbench.testing import CHECKS, Subject, examine
from clbench.testing.apart import apart
from clbench.testing.overheard import Ear

PAST_PYTHON = {"writes_in_a_child", "writes_past_python", "writes_through_a_library"}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLBENCH_BESIDE", "")


def test_every_check_is_proven_by_a_broken_strategy() -> None:
    assert set(CAUGHT.values()) == {check.name for check in CHECKS}
    assert set(CAUGHT) == {path.stem for path in BROKEN.glob("*.py")}


def _can_overhear() -> bool:
    """Whether this system tells who writes: asked of a process that ends, since it cannot be taken back."""
    ear = Ear()
    with ear.open():
        return apart(lambda _: ear.speak(), kind=bool)[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CHEATS))
def test_a_cheat_is_caught(name: str) -> None:
    if name in PAST_PYTHON and not _can_overhear():
        pytest.skip("this system does not tell which files a process writes")
    (check,) = (check for check in CHECKS if check.name == CAUGHT[name])
    outcome = examine(Subject(str(BROKEN / f"{name}.py")), check=check)
    assert outcome.status == "failed" and f"{name}.py" in outcome.lines[1], outcome


def test_the_hint_names_a_file_by_its_path_where_its_name_is_not_enough() -> None:
    path = BROKEN / "crashes_late.py"
    (check,) = (check for check in CHECKS if check.name == "runs_to_its_end")
    mend = examine(Subject(str(path)), check=check).lines[2]
    assert mend == f"See the whole traceback: clbench run tiny --strategy {path} --debug"
    assert catalog.find_strategy(str(path)).path == path
