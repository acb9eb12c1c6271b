"""What is installed in a year is what was installed when the lock was made."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
INSTALLS = {"requirements.lock": ["", *EXTRAS], "requirements-run.lock": [""]}
PYTHONS = [f"3.{minor}" for minor in range(10, 15)]


def locked(name: str, python: str = "") -> dict[str, str]:
    """Return the versions that a lock has for a Python on Linux."""
    lines = [Requirement(line) for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")]
    full = {"python_version": python, "python_full_version": f"{python}.13"} if python else {}
    found: dict[str, str] = {}
    for line in lines:
        if line.marker is None or line.marker.evaluate(full):
            assert str(line.specifier).startswith("==") and line.name not in found, line
            found[canonicalize_name(line.name)] = str(line.specifier).removeprefix("==")
    return found


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", INSTALLS)
def test_a_lock_has_what_the_project_asks_for(name: str, python: str) -> None:
    versions = locked(name, python)
    for extra in INSTALLS[name]:
        for line in map(Requirement, EXTRAS[extra] if extra else PROJECT["dependencies"]):
            version = versions[canonicalize_name(line.name)]
            assert line.specifier.contains(version, prereleases=True), f"{line}: make lock"


@pytest.mark.parametrize("name", INSTALLS)
def test_a_lock_is_closed(name: str) -> None:
    """What a locked package asks for, as far as it is installed here in that very version, is locked too."""
    versions, seen = locked(name), 0
    for package, version in versions.items():
        try:
            found = distribution(package)
        except PackageNotFoundError:
            continue
        if found.version != version:
            continue
        seen += 1
        for line in map(Requirement, found.requires or []):
            if line.marker is None or line.marker.evaluate({"extra": ""}):
                assert canonicalize_name(line.name) in versions, f"{package} asks for {line}: make lock"
    assert seen >= 20, "few of the locked packages are installed here"


def test_the_locks_agree() -> None:
    for python in PYTHONS:
        whole, part = locked("requirements.lock", python), locked("requirements-run.lock", python)
        assert part.items() <= whole.items() and "ray" in whole.keys() - part.keys()


def test_the_first_commands_and_ci_install_from_a_lock() -> None:
    first, second = re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text(), re.MULTILINE)[:2]
    assert "pip install --no-deps -r requirements-run.lock -e ." in first
    assert 'pip install --no-deps -r requirements.lock -e ".[dev]"' in second
    assert '--no-deps -r requirements.lock -e ".[dev,ray]"' in (ROOT / ".ci" / "run").read_text()
