from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

import clbench
from clbench.errors import UsageError
from clbench.metrics import NAMES, describe


def test_every_metric_says_what_it_is() -> None:
    for name, metric in NAMES.items():
        assert metric.name == name
        assert metric.title
        assert metric.formula
        assert metric.doc.endswith(".")
        assert metric.version >= 1
    assert len({metric.title for metric in NAMES.values()}) == len(NAMES)


def test_less_forgetting_is_better_and_more_of_the_rest() -> None:
    worse_when_high = {name for name, metric in NAMES.items() if not metric.higher_is_better}
    losses = {"ranking_loss", "one_error", "hamming_loss", "coverage", "error_images"}
    shares = {"forgetting_over_joint", "forgetting_over_single"}
    assert worse_when_high == {"forgetting", "forgetting_relative_agcn", "forgetting_prs"} | losses | shares


def test_the_decision_rule_is_part_of_the_title() -> None:
    assert describe("cf1_harmonic@0.8").title == "CF1 @0.8"
    assert describe("macro_f1@top3").title == "macro-F1 @top3"
    assert describe("macro_f1@top3").formula == NAMES["macro_f1"].formula
    assert describe("forgetting") is NAMES["forgetting"]


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match="Did you mean 'forgetting'"):
        describe("forgeting")


def test_definitions_cannot_be_changed_in_passing() -> None:
    with pytest.raises(TypeError):
        NAMES["bwt"] = NAMES["gap"]  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        NAMES["bwt"].title = "x"  # type: ignore[misc]


def test_every_metric_is_defined_in_the_protocol_page() -> None:
    page = Path(clbench.__file__).parents[1] / "docs" / "protocol.md"
    if not page.is_file():
        pytest.skip("installed without its documents")
    text = page.read_text(encoding="utf-8")
    assert [name for name in NAMES if f"`{name}`" not in text] == []


def test_importing_the_metrics_leaves_the_heavy_libraries_out() -> None:
    heavy = {"torch", "torchvision", "scipy", "sklearn", "pandas", "matplotlib"}
    code = f"import sys, clbench.metrics; print(sorted({heavy} & set(sys.modules)))"
    root = Path(clbench.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"
