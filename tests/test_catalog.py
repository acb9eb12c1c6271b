"""Roots, listing, shadowing and loading of strategy and scenario files."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clbench
from clbench.errors import UsageError
from clbench.files import roots
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy

CHECKOUT = Path(clbench.__file__).resolve().parent.parent
MINE = '''
from clbench import Strategy

class Mine(Strategy):
    """A method of mine.

    With more to say.
    """
    weight: float = 1.0
'''
SCENARIO = "name: {name}\nversion: 1\ntitle: {title}\ndataset: scenes\n"

Put = Callable[[str, str], Path]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder; nothing a test loads is found by the next."""
    monkeypatch.setenv(roots.BESIDE, "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def put(here: Path) -> Put:
    def write(name: str, text: str) -> Path:
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


def named(entries: list[catalog.Entry], name: str) -> catalog.Entry:
    return next(entry for entry in entries if entry.name == name)


# ---------------------------------------------------------------------- roots and listing


def test_the_shipped_root_comes_first_and_the_current_folder_last(
    here: Path, put: Put, monkeypatch: pytest.MonkeyPatch
):
    put("strategies/mine.py", MINE)
    put("elsewhere/strategies/other.py", MINE)
    monkeypatch.setenv("CLBENCH_PATH", str(here / "elsewhere"))
    found = roots.roots()
    assert found[0].origin == "shipped"
    assert [root.path for root in found[-2:]] == [here / "elsewhere", here]


def test_a_root_that_is_reached_twice_counts_once(here: Path, put: Put, monkeypatch: pytest.MonkeyPatch):
    put("strategies/mine.py", MINE)
    monkeypatch.setenv("CLBENCH_PATH", os.pathsep.join([str(here), str(here / "strategies" / "..")]))
    assert [root.path for root in roots.roots()].count(here) == 1


def test_a_folder_without_strategies_and_scenarios_is_no_root(here: Path):
    assert here not in [root.path for root in roots.roots()]


def test_a_missing_folder_in_the_search_path_is_an_error(here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLBENCH_PATH", str(here / "nowhere"))
    with pytest.raises(UsageError, match=r"CLBENCH_PATH: .*nowhere is not a folder"):
        roots.roots()


def test_a_file_is_described_by_the_first_line_of_its_class(put: Put):
    put("strategies/mine.py", MINE)
    entry = named(catalog.strategies(), "mine")
    assert (entry.title, entry.origin, entry.problem) == ("A method of mine.", "local", "")


def test_listing_never_runs_a_file(here: Path, put: Put):
    put("strategies/mine.py", "raise SystemExit('ran')\nclass Mine:\n    '''Fine.'''\n")
    assert named(catalog.strategies(), "mine").title == "Fine."


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("broken.py", "class Broken(:\n", "line 1"),
        ("empty.py", "", "no class in it"),
        ("null.py", "x = '\0'\n", "null"),
        ("my-method.py", MINE, "rename it, for example to my_method.py"),
    ],
)
def test_a_file_that_cannot_be_used_is_listed_with_the_reason(put: Put, name: str, text: str, problem: str):
    put(f"strategies/{name}", text)
    put("strategies/mine.py", MINE)
    entries = catalog.strategies()
    assert problem in named(entries, Path(name).stem).problem
    assert named(entries, "mine").problem == ""


def test_helper_files_are_not_strategies(put: Put):
    put("strategies/_helper.py", MINE)
    put("strategies/.hidden.py", MINE)
    assert not {"_helper", ".hidden"} & {entry.name for entry in catalog.strategies()}


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("mine.yaml", SCENARIO.format(name="other", title="T"), "the two must agree"),
        ("mine.yaml", "- 1\n", "not a mapping"),
        ("mine.yaml", "a: [1\n", "line 2"),
        ("mine.yaml", "a: &x 1\nb: *x\n", "anchors"),
        ("mine.yml", SCENARIO.format(name="mine", title="T"), "rename it to mine.yaml"),
    ],
)
def test_a_scenario_file_that_cannot_be_used_is_listed_with_the_reason(put: Put, file: str, text: str, problem: str):
    put(f"scenarios/{file}", text)
    assert problem in named(catalog.scenarios(), "mine").problem


def test_scenarios_are_described_by_their_title(put: Put):
    put("scenarios/mine.yaml", SCENARIO.format(name="mine", title="All of it."))
    assert named(catalog.scenarios(), "mine").title == "All of it."


def test_every_shipped_file_can_be_used():
    entries = [*catalog.strategies(), *catalog.scenarios()]
    assert entries
    assert [entry for entry in entries if entry.problem or not entry.title] == []


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_no_file_content_breaks_the_listing(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    folder = tmp_path_factory.mktemp("root")
    for place in ("strategies/x.py", "scenarios/x.yaml"):
        (folder / place).parent.mkdir()
        (folder / place).write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLBENCH_PATH", str(folder))
        assert named(catalog.strategies(), "x").path == folder / "strategies" / "x.py"
        assert named(catalog.scenarios(), "x").path == folder / "scenarios" / "x.yaml"


# ---------------------------------------------------------------------- one name, two files


def test_a_copy_of_a_shipped_file_is_that_file(put: Put):
    shipped = catalog.find_strategy("naive")
    copy = put("strategies/naive.py", "")
    copy.write_bytes(shipped.path.read_bytes())
    assert catalog.find_strategy("naive") == shipped
    assert catalog.find_strategy(str(copy)) == shipped


def test_a_different_file_with_a_taken_name_is_refused_naming_both(put: Put):
    mine = put("strategies/naive.py", MINE)
    shipped = CHECKOUT / "strategies" / "naive.py"
    for name in ("naive", str(mine), "strategies/naive.py"):
        with pytest.raises(UsageError) as caught:
            catalog.find_strategy(name)
        assert str(mine) in str(caught.value)
        assert str(shipped) in str(caught.value)


def test_a_path_cannot_take_a_shipped_name(put: Put):
    put("naive.py", MINE)
    with pytest.raises(UsageError, match="taken twice"):
        catalog.find_strategy("naive.py")


def test_a_scenario_that_shadows_another_is_refused(put: Put):
    put("scenarios/tiny.yaml", SCENARIO.format(name="tiny", title="Another"))
    with pytest.raises(UsageError, match="taken twice"):
        catalog.find_scenario("tiny")


def test_a_helper_that_means_two_files_is_refused(here: Path, put: Put, monkeypatch: pytest.MonkeyPatch):
    put("strategies/mine.py", "from ._part import X\n" + MINE)
    put("strategies/_part.py", "X = 1\n")
    other = put("other/strategies/_part.py", "X = 2\n")
    monkeypatch.setenv("CLBENCH_PATH", str(here / "other"))
    with pytest.raises(UsageError, match=r"_part\.py has the same name and different content"):
        load_strategy(catalog.find_strategy("mine"))
    other.write_text("X = 1\n")
    sys.modules.pop("clbench.strategies.mine")
    assert load_strategy(catalog.find_strategy("mine")).__name__ == "Mine"


# ---------------------------------------------------------------------- finding


def test_a_misspelt_name_gets_a_suggestion():
    with pytest.raises(UsageError, match="Did you mean 'naive'"):
        catalog.find_strategy("naiv")
    with pytest.raises(UsageError, match="Did you mean 'tiny'"):
        catalog.find_scenario("tinny")


def test_the_scenario_of_a_file_in_the_current_folder_is_found_by_its_name_and_no_strategy_is(put: Put):
    mine = put("mine.yaml", SCENARIO.format(name="mine", title="Here"))
    put("other.py", MINE)
    assert catalog.find_scenario("mine").path == mine.resolve()
    put("tiny.yaml", SCENARIO.format(name="tiny", title="Not the shipped one"))
    assert catalog.find_scenario("tiny").origin == "shipped", "a name that is known means what it meant"
    with pytest.raises(UsageError, match="There is no strategy 'other'"):
        catalog.find_strategy("other")


def test_a_path_to_nothing_is_an_error(here: Path):
    with pytest.raises(UsageError, match=r"nothing\.py: there is no such strategy file"):
        catalog.find_strategy("nothing.py")


def test_the_path_of_a_shipped_file_is_the_shipped_entry(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(CHECKOUT)
    assert catalog.find_scenario("scenarios/tiny.yaml") == catalog.find_scenario("tiny")


# ---------------------------------------------------------------------- loading


def test_a_file_outside_every_root_loads_by_its_path(put: Put):
    entry = catalog.find_strategy(str(put("deep/down/mine.py", MINE)))
    kind = load_strategy(entry)
    assert entry.origin == "local"
    assert kind.__module__ == "clbench.strategies.mine"
    assert "weight" in kind.fields_of()


def test_siblings_import_each_other(put: Put):
    put("strategies/mine.py", MINE)
    put("strategies/heir.py", "from .mine import Mine\n\nclass Heir(Mine):\n    '''Inherits.'''\n")
    kind = load_strategy(catalog.find_strategy("heir"))
    assert [base.__name__ for base in kind.__mro__[:2]] == ["Heir", "Mine"]


def test_a_local_file_imports_a_shipped_one(put: Put):
    put("strategies/heir.py", "from clbench.strategies.naive import Naive\n\nclass Heir(Naive):\n    '''Inherits.'''\n")
    assert load_strategy(catalog.find_strategy("heir")).__mro__[1].__name__ == "Naive"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "import nonesuch_module\n" + MINE,
            "line 1: cannot be imported: ModuleNotFoundError.*\n.*pip install nonesuch_module",
        ),
        ("1 / 0\n" + MINE, "line 1: cannot be imported: ZeroDivisionError"),
        ("import sys\nsys.exit(0)\n" + MINE, "line 2: calls sys.exit"),
        ("print('hello')\n" + MINE, "prints while it is imported: 'hello'"),
        ("from clbench import Strategi\n" + MINE, "cannot be imported: ImportError|AttributeError"),
        ("class Mine:\n    '''Not one.'''\n", "one strategy per file, found none"),
        (MINE + "\nclass Other(Mine):\n    '''Too many.'''\n", "one strategy per file, found Mine, Other"),
        ("raise BaseException('odd')\n" + MINE, "cannot be imported: BaseException: odd"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_where_and_why(put: Put, text: str, message: str):
    put("strategies/mine.py", text)
    with pytest.raises(UsageError, match=message):
        load_strategy(catalog.find_strategy("mine"))


def test_a_private_base_class_is_no_second_strategy(put: Put):
    put(
        "strategies/mine.py",
        "from clbench import Strategy\nclass _Base(Strategy):\n    pass\nclass Mine(_Base):\n    '''One.'''\n",
    )
    assert load_strategy(catalog.find_strategy("mine")).__name__ == "Mine"


def test_a_corrected_file_loads_after_a_failure(put: Put):
    put("strategies/mine.py", "1 / 0\n")
    with pytest.raises(UsageError):
        load_strategy(catalog.Entry("mine", Path.cwd() / "strategies" / "mine.py", "local"))
    put("strategies/mine.py", MINE)
    assert load_strategy(catalog.find_strategy("mine")).__name__ == "Mine"


def test_every_shipped_strategy_loads():
    for entry in catalog.strategies():
        kind = load_strategy(entry)
        assert (kind.__doc__ or "").startswith(entry.title)


def test_classes_from_any_place_survive_spawn(put: Put):
    kind = load_strategy(catalog.find_strategy(str(put("away/mine.py", MINE))))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        # the worker finds the class and sends it back; nothing of this process's modules helps it
        assert pool.submit(pickle.loads, pickle.dumps(kind)).result(timeout=60) is kind


# ---------------------------------------------------------------------- distributions


def announce(folder: Path, value: str) -> None:
    info = folder / "fake_methods-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-methods\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[clbench.roots]\nfake = {value}\n")


def test_an_installed_distribution_can_be_a_root(here: Path, put: Put, monkeypatch: pytest.MonkeyPatch):
    put("site/fake_methods/__init__.py", "raise RuntimeError('listing may not run me')\n")
    put("site/fake_methods/strategies/theirs.py", MINE)
    announce(here / "site", "fake_methods")
    monkeypatch.syspath_prepend(str(here / "site"))
    entry = catalog.find_strategy("theirs")
    assert entry.origin == "dist:fake-methods 1.2"
    assert load_strategy(entry).__name__ == "Mine"


def test_a_root_inside_a_package_is_found_without_importing_it(here: Path, put: Put, monkeypatch: pytest.MonkeyPatch):
    put("site/outer/__init__.py", "raise RuntimeError('listing may not run me')\n")
    put("site/outer/inner/scenarios/theirs.yaml", SCENARIO.format(name="theirs", title="T"))
    announce(here / "site", "outer.inner")
    monkeypatch.syspath_prepend(str(here / "site"))
    assert catalog.find_scenario("theirs").origin == "dist:fake-methods 1.2"


def test_a_distribution_that_announces_nothing_real_breaks_no_listing(here: Path, monkeypatch: pytest.MonkeyPatch):
    announce(here / "site", "no_such_package.at_all")
    monkeypatch.syspath_prepend(str(here / "site"))
    assert named(catalog.strategies(), "naive")


# ---------------------------------------------------------------------- weight


def test_listing_imports_neither_torch_nor_numpy():
    code = (
        "import sys; from clbench.plan import catalog; catalog.strategies(); catalog.scenarios(); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "avalanche"} & set(loaded)
