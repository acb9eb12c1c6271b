"""Packages whose own code waits until something touches them, shown on small packages written for it."""

from __future__ import annotations

import importlib
import inspect
import itertools
import pickle
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from clbench.imports.deferred import defer, is_deferred

OWN_CODE = """
from .part import Part, told
from . import other
told.append("own code")
class Whole: pass
"""
PART = """
told = []
class Part: pass
"""
OTHER = "from .part import told\ntold.append('other')\n"

_numbers = itertools.count()

Make = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Write a package with the files that are named beside the usual ones, and return its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(**files: str) -> str:
        name = f"deferred{next(_numbers)}"
        for stem, text in ({"__init__": OWN_CODE, "part": PART, "other": OTHER} | files).items():
            path = tmp_path / name / f"{stem}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return name

    return make


def deferred(name: str) -> ModuleType:
    assert defer({name: {"Part": ".part"}}, needed=[f"{name}.part"])
    return sys.modules[name]


def told(name: str) -> list[str]:
    found: list[str] = sys.modules[f"{name}.part"].told
    return found


def test_a_submodule_and_what_is_known_to_lie_in_it_cost_nothing_else(package: Make):
    name = package()
    found = deferred(name)
    assert found.Part is importlib.import_module(f"{name}.part").Part
    assert is_deferred(name) and told(name) == [] and f"{name}.other" not in sys.modules


@pytest.mark.parametrize(
    "touch",
    [
        lambda found: found.Whole,
        lambda found: dir(found).index("Whole"),
        lambda found: inspect.getmembers(found, inspect.isclass),
        lambda found: exec(f"from {found.__name__} import *; Whole"),
        lambda found: exec(f"from {found.__name__} import Whole"),
        lambda found: importlib.import_module(f"{found.__name__}.other"),
        lambda found: exec(f"from {found.__name__}.other import told"),
    ],
)
def test_whatever_else_is_asked_for_makes_the_package_real_once(package: Make, touch: Callable[[ModuleType], object]):
    name = package()
    found = deferred(name)
    touch(found)
    assert not is_deferred(name) and type(found) is ModuleType and sys.modules[name] is found
    assert told(name) == ["other", "own code"]
    assert found.Part is sys.modules[f"{name}.part"].Part and found.other is sys.modules[f"{name}.other"]
    assert type(found.__loader__).__name__ == "SourceFileLoader" and found.__spec__ is not None
    assert pickle.loads(pickle.dumps(found.Whole())).__class__ is found.Whole
    importlib.reload(found)
    assert told(name)[-1] == "own code"


def test_what_asks_every_module_for_its_marks_makes_nothing_real(package: Make):
    found = deferred(package())
    assert not hasattr(found, "__wrapped__") and not hasattr(found, "__warningregistry__")
    assert (
        inspect.getmodule(found) is found and found.__file__ is not None and "class Whole" in inspect.getsource(found)
    )
    assert is_deferred(found.__name__)


def test_a_name_that_nobody_has_is_an_attribute_error(package: Make):
    found = deferred(package())
    with pytest.raises(AttributeError, match="has no attribute 'Hole'"):
        found.Hole  # noqa: B018


def test_where_a_name_lies_elsewhere_the_package_is_imported_as_it_is_written(package: Make):
    name = package(needs="from . import Whole\nfrom .part import told")
    assert not defer({name: {}}, needed=[f"{name}.needs"])
    assert not [module for module in sys.modules if module.startswith(name)]
    assert importlib.import_module(f"{name}.needs").Whole is importlib.import_module(name).Whole


def test_a_class_that_is_named_in_types_alone_is_imported_by_who_uses_it(package: Make):
    name = package(typed="from .big import Big\nEither = int | Big\n", big="class Big: pass")
    assert defer({name: {}}, needed=[f"{name}.typed"], named={f"{name}.big": ("Big",)})
    assert f"{name}.big" not in sys.modules
    assert inspect.getsource(importlib.import_module(f"{name}.big").Big) == "class Big: pass\n"


def test_a_place_that_is_wrong_costs_time_and_nothing_else(package: Make):
    name = package()
    assert defer({name: {"Whole": ".part"}}, needed=[f"{name}.part"])
    assert sys.modules[name].Whole.__module__ == name


def test_own_code_that_fails_is_tried_again(package: Make, monkeypatch: pytest.MonkeyPatch):
    name = package(__init__="import absent_at_first\nfrom .part import Part\nclass Whole: pass\n")
    found = deferred(name)
    with pytest.raises(ModuleNotFoundError, match="absent_at_first"):
        found.Whole  # noqa: B018
    monkeypatch.setitem(sys.modules, "absent_at_first", ModuleType("absent_at_first"))
    assert found.Whole.__module__ == name


def test_threads_that_touch_a_package_at_once_all_see_it_whole(package: Make):
    name = package(
        __init__="import time\nfrom .part import told\ntime.sleep(0.1)\ntold.append('own code')\nWhole = 1\n"
    )
    found = deferred(name)
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(found.Whole)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1, 1, 1, 1] and told(name) == ["own code"]
