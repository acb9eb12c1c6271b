"""The examples in public docstrings do what they show."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import clbench

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
MODULES = ["clbench.files.field_words", "clbench.many.run_scenario", "clbench.records.frame"]


def examples(module: str) -> list[doctest.DocTest]:
    """Return the docstrings of a module that have examples."""
    found = doctest.DocTestFinder().find(importlib.import_module(module), module, extraglobs={"clbench": clbench})
    return [test for test in found if test.examples]


@pytest.mark.parametrize("module", MODULES)
def test_examples_do_what_they_show(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    tests = examples(module)
    assert tests, f"{module} has no example"
    for test in tests:
        told: list[str] = []
        outcome = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=told.append)
        assert outcome.failed == 0, "".join(told)
