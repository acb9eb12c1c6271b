"""The wheel holds what the checkout holds, under one name, and works in a folder that knows nothing of either."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHIPPED = {"strategies": "*.py", "scenarios": "*", "results": "reference/**/*.json"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def call(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        words, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done


def copy(target: Path) -> Path:
    """Copy the tree as a clone has it: no build products, and a record with a work folder beside it."""
    for name in ("clbench", "strategies", "scenarios", "results"):
        ignored = shutil.ignore_patterns("__pycache__", "seed?", "*.lock", *(["report"] if name == "results" else []))
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target / name)
    for folder in (target / "results", target / "results" / "reference"):
        run = folder / "tiny.v1" / "naive" / "01234567"
        (run / "seed77").mkdir(parents=True)
        (run / "seed77.json").write_text("{}")
        (run / "seed77" / "state.json").write_text("{}")
    return target


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """(tree, wheel, sdist); the wheel is made from the sdist, as an index would do it."""
    tree = copy(tmp_path_factory.mktemp("tree"))
    out = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(tree), cwd=tree)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return tree, wheel, sdist


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    words = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    call(sys.executable, *words, "--target", str(target), str(built[1]), cwd=target)
    return target


def expected(tree: Path) -> set[str]:
    """The names that the wheel must have: the whole package, and the shipped folders below it."""
    package = {path.relative_to(tree).as_posix() for path in (tree / "clbench").rglob("*") if path.is_file()}
    shipped = {
        f"clbench/_shipped/{path.relative_to(tree).as_posix()}"
        for folder, pattern in SHIPPED.items()
        for path in (tree / folder).glob(pattern)
        if not path.parent.name.startswith("seed")
    }
    return package | shipped


def test_the_wheel_holds_everything_and_nothing_beside_it(built: tuple[Path, Path, Path]):
    tree, wheel, _ = built
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = next(name for name in archive.namelist() if name.endswith("METADATA"))
        text = archive.read(metadata).decode()
    assert expected(tree) <= names
    extra = {name for name in names - expected(tree) if not name.endswith(("README.md", "config.yaml"))}
    assert extra == set()
    assert {name.partition("/")[0] for name in names} == {"clbench"}
    seed = "tiny.v1/naive/01234567/seed77.json"
    assert f"clbench/_shipped/results/reference/{seed}" in names, "what is shipped travels"
    assert f"clbench/_shipped/results/{seed}" not in names, "one's own runs do not"
    assert not any("seed77/" in name for name in names), "work folders do not"
    assert "Requires-Dist: avalanche-lib==0.6.0" in text


def test_the_sdist_builds_without_the_repository(built: tuple[Path, Path, Path]):
    with tarfile.open(built[2]) as archive:
        tops = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert {"clbench", "strategies", "scenarios", "results", "pyproject.toml", "README.md", "LICENSE"} <= tops
    assert "tests" not in tops


def test_nothing_lands_beside_other_peoples_packages(installed: Path):
    names = {path.name for path in installed.iterdir()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"bin", "clbench"}


def clbench(installed: Path, folder: Path, *words: str) -> str:
    """Run the installed command from a foreign folder; its own copy comes first on the path."""
    script = installed / "bin" / "clbench"
    return call(sys.executable, str(script), *words, cwd=folder, PYTHONPATH=str(installed)).stdout


def test_the_installed_command_lists_what_the_checkout_lists(installed: Path, tmp_path: Path):
    plain = json.loads(clbench(installed, tmp_path, "list", "--json"))
    for kind, pattern in (("strategies", "*.py"), ("scenarios", "*.yaml")):
        assert [item["name"] for item in plain[kind]] == sorted(path.stem for path in (ROOT / kind).glob(pattern))
        for item in plain[kind]:
            assert (item["origin"], item["problem"]) == ("shipped", "")
            assert Path(item["path"]).is_relative_to(installed)


def test_the_installed_command_shows_and_runs(installed: Path, tmp_path: Path):
    shown = clbench(installed, tmp_path, "show", "tiny", "--strategy", "naive")
    assert str(installed) in shown
    assert "<- scenarios/tiny.yaml" in shown
    clbench(installed, tmp_path, "run", "tiny", "--strategy", "naive", "--set", "train.epochs=1")
    (record,) = tmp_path.glob("results/tiny.v1/naive/*/seed0.json")
    plain = json.loads(record.read_text())
    assert plain["strategy"]["origin"] == "shipped"
    assert plain["code"]["commit"] == ""
    assert "1 of 1 records are re-scored" in clbench(installed, tmp_path, "verify", "--scores")


def test_a_strategy_in_a_foreign_folder_uses_the_installed_ones(installed: Path, tmp_path: Path):
    (tmp_path / "strategies").mkdir()
    text = "from .naive import Naive\n\n\nclass Mine(Naive):\n    '''Inherits.'''\n"
    (tmp_path / "strategies" / "mine.py").write_text(text)
    plain = json.loads(clbench(installed, tmp_path, "show", "tiny", "--strategy", "mine", "--json"))
    assert "mine.unknown" in plain[0]["values"]


def test_importing_the_installed_package_says_nothing(installed: Path, tmp_path: Path):
    code = "import clbench, sys; sys.stdout.write(clbench.__file__)"
    done = call(sys.executable, "-W", "always", "-c", code, cwd=tmp_path, PYTHONPATH=str(installed))
    assert (done.stdout, done.stderr) == (str(installed / "clbench" / "__init__.py"), "")
