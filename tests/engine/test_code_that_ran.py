"""What a record says of the code that ran, also where git cannot be asked."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import clbench
from clbench.records.schema import CodePart
from clbench.train import environment


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout with a package in it."""
    folder = tmp_path / "clbench"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.setattr(clbench, "__file__", str(folder / "__init__.py"))
    environment.code.cache_clear()
    yield folder
    environment.code.cache_clear()


def asked() -> CodePart:
    environment.code.cache_clear()
    return environment.code()


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_dirty_is_what_git_says_and_unknown_where_it_says_nothing(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked().dirty is False and asked().commit == "", "an installed package is no checkout"
    git(package.parent, "init", "-q")
    assert asked().dirty is False and asked().commit == "", "nor is one in somebody else's repository"
    git(package.parent, "add", "clbench")
    git(package.parent, "commit", "-qm", "all of it")
    assert asked().dirty is False and len(asked().commit) == 40
    (package / "__init__.py").write_text("changed = True")
    assert asked().dirty is True
    with monkeypatch.context() as without_git:
        without_git.setenv("PATH", str(package))
        assert asked().dirty is None and asked().commit == ""
    (package.parent / ".git" / "HEAD").write_text("damaged")
    assert asked().dirty is None, "git is there and refuses"
