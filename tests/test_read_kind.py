"""What is read from a strategy's file is what importing it tells, or nothing is said."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from clbench.errors import UsageError
from clbench.nn.backbones import by_name
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy
from clbench.plan.plan import all_values
from clbench.plan.plans import plan
from clbench.plan.read_kind import read_kind
from clbench.plan.recipe import SMALL


@pytest.mark.parametrize("name", [entry.name for entry in catalog.strategies()])
def test_what_is_read_is_what_importing_tells(name: str):
    entry = catalog.find_strategy(name)
    read, loaded = read_kind(entry), load_strategy(entry)
    assert read is not None
    assert list(read.fields_of().items()) == list(loaded.fields_of().items())
    assert read().values() == loaded().values() and read.defaults() == loaded.defaults()
    assert set(inspect.get_annotations(read)) == set(inspect.get_annotations(loaded)) & set(loaded.fields_of())
    assert read.static == loaded.static
    assert read.validates == (loaded.__post_init__ is not load_strategy(catalog.find_strategy("naive")).__post_init__)


def test_showing_values_imports_no_torch(tmp_path: Path):
    code = "import sys\nfrom clbench.cli import main\ntry: main(['show', 'coco_b40c10'])\n"
    code += "finally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0 and "head_options" in done.stdout, done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "class Mine:\n    weight: float = 1.0\n",
        "class Mine(Strategy):\n    weight: float = 1.0\nclass Other(Strategy):\n    pass\n",
        "class Mine(Strategy):\n    weight: float = 1 / 3\n",
        "class Mine(Strategy):\n    weight: Own = 1.0\n",
        "class Mine(Strategy):\n    weight: int = 1\n    def __post_init__(self):\n        self.weight = 2\n",
        "class Mine(Strategy):\n    weight: int = 1\n    def values(self):\n        return {}\n",
        "import torch\nclass Mine(torch.nn.Module):\n    weight: float = 1.0\n",
        "def made():\n    return Strategy\nclass Mine(made()):\n    weight: float = 1.0\n",
    ],
)
def test_where_only_importing_tells_nothing_is_said(text: str, tmp_path: Path):
    path = tmp_path / "mine.py"
    path.write_text(f'"""Mine."""\nfrom clbench import Strategy\n{text}')
    assert read_kind(catalog.Entry("mine", path, "local", "Mine.", "")) is None


def test_a_field_without_a_default_and_a_named_constant_are_read(tmp_path: Path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from clbench import Replay\nHALF = 0.5\nclass Mine(Replay):\n    weight: float = HALF\n    must: int\n"
    )
    kind = read_kind(catalog.Entry("mine", path, "local", "", ""))
    assert kind is not None
    assert (kind.defaults()["weight"], "must" in kind.defaults(), kind.fields_of()["must"]) == (0.5, False, int)


def test_plans_that_are_only_looked_at_say_the_same_and_refuse_the_same():
    for sets in ([], ["er.memory=40"], ["head=maxpool"]):
        looked, meant = (plan("tiny", strategies=["er", "dlfl"], sets=sets, read_only=only) for only in (True, False))
        assert [all_values(item) for item in looked] == [all_values(item) for item in meant]
    for wrong in ("head=lineer", "er.memory=many", "dlfl.no=1", "train.backbone=clbench_smal"):
        told = []
        for only in (True, False):
            with pytest.raises(UsageError) as error:
                plan("tiny", strategies=["er", "dlfl"], sets=[wrong], read_only=only)
            told.append((error.value.message, error.value.hint))
        assert told[0] == told[1]


def test_the_backbone_that_needs_no_check_is_there():
    assert SMALL == by_name.SMALL
