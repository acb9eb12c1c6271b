"""The walks of docs/architecture.md lead through files and functions that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PARAGRAPHS = [part for part in TEXT.split("\n\n") if "`" in part and not part.startswith("|")]


def test_every_place_that_is_named_is_there():
    named = re.findall(r"`((?:clbench|tests|strategies|scenarios)/[\w/.]*)`", TEXT)
    assert len(set(named)) > 40
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_folder_of_the_package_is_in_the_table():
    folders = {path.parent.name for path in (ROOT / "clbench").glob("*/__init__.py")}
    listed = set(re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in TEXT.splitlines() if line[:1] == "|")))
    assert folders <= listed, "docs/architecture.md"


@pytest.mark.parametrize("paragraph", PARAGRAPHS, ids=lambda text: re.sub(r"\W+", " ", text)[:30])
def test_every_function_that_is_named_is_in_a_file_of_its_paragraph(paragraph: str):
    files = [ROOT / name for name in re.findall(r"`(clbench/[\w/]+\.py)`", paragraph)]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    called = re.findall(r"`(\w+)\(\)`", paragraph)
    assert [name for name in called if not re.search(rf"^\s*def {name}\(", code, re.MULTILINE)] == []
