"""Where strategies and scenarios lie: the ordered roots, and what is in them."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from clbench.errors import UsageError, suggest
from clbench.files.given import LARGEST_ANY, open_given
from clbench.files.roots import roots

LARGEST = 1 << 20
"""No strategy or scenario file is longer than this many bytes."""


@dataclass(frozen=True)
class Entry:
    """A strategy or scenario file. `title` is its first line of description, `problem` why it cannot be used or ""."""

    name: str
    path: Path
    origin: str
    title: str = ""
    problem: str = ""

    def sha256(self) -> str:
        """Return the sha256 (hexadecimal) of the file's content."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


# ---------------------------------------------------------------------- listing


def strategies() -> list[Entry]:
    """Return every strategy file by name. Files are read, never imported; what cannot be used says why."""
    return _entries("strategies", {".py"}, _describe_strategy)


def scenarios() -> list[Entry]:
    """Return every scenario file by name; what cannot be used says why."""
    return _entries("scenarios", {".yaml", ".yml"}, _describe_scenario)


def _entries(
    kind: str, suffixes: set[str], describe: Callable[[Path], tuple[str, str]], *, only: str = ""
) -> list[Entry]:
    """Return the entries of all roots by name, or the one called `only`: a command that names it reads no other."""
    found: dict[str, list[Entry]] = {}
    for root in roots():
        folder = root.path / kind
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            usable = path.suffix in suffixes and not path.name.startswith(("_", "."))
            if usable and only in ("", path.stem) and path.is_file():
                title, problem = describe(path)
                found.setdefault(path.stem, []).append(Entry(path.stem, path, root.origin, title, problem))
    return [_one_of(found[name]) for name in sorted(found)]


def _one_of(same_name: list[Entry]) -> Entry:
    """Return the first of the files with one name; a copy is no conflict, a different file is."""
    first, *others = same_name
    for other in others:
        if not _same_content(first.path, other.path):
            problem = f"the name is taken twice, by different files: {first.path} and {other.path}"
            return replace(first, problem=problem)
    return first


def _same_content(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b) or a.read_bytes() == b.read_bytes()
    except OSError:
        return False


def _describe_strategy(path: Path) -> tuple[str, str]:
    if not path.stem.isidentifier():
        name = re.sub(r"\W", "_", path.stem)
        return "", f"the file's name is no Python name; rename it, for example to {name}.py"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in a plugin is the plugin's affair
            tree = ast.parse(_read(path))
    except SyntaxError as error:
        return "", f"line {error.lineno}: {error.msg}"
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return "", f"cannot be read: {error}"
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    if not classes:
        return "", "no class in it; a strategy is one class that derives from clbench.Strategy"
    text = next(filter(None, map(ast.get_docstring, classes)), None) or ast.get_docstring(tree) or ""
    return text.partition("\n")[0].strip(), ""


def _describe_scenario(path: Path) -> tuple[str, str]:
    from clbench.files.yaml_text import read_yaml

    if path.suffix != ".yaml":
        return "", f"scenario files end in .yaml; rename it to {path.stem}.yaml"
    try:
        raw = read_yaml(_read(path), source=path.name)
    except UsageError as error:
        return "", error.message.removeprefix(f"{path.name}: ").rstrip(".")
    except (OSError, ValueError) as error:
        return "", f"cannot be read: {error}"
    if not isinstance(raw, dict):
        return "", "not a mapping of names to values"
    if raw.get("name") != path.stem:
        return "", f"name: {raw.get('name')!r}, but the file is called {path.name}; the two must agree"
    return str(raw.get("title", "")), ""


def _read(path: Path) -> bytes:
    with open_given(path, largest=LARGEST_ANY) as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise ValueError(f"longer than {LARGEST:,} bytes")
    return text


# ---------------------------------------------------------------------- finding


def find_strategy(name_or_path: str) -> Entry:
    """Return the strategy with this name, or in the file at this path. Raises UsageError."""
    return _find(name_or_path, "strategy", "strategies", {".py"}, _describe_strategy)


def find_scenario(name_or_path: str) -> Entry:
    """Return the scenario with this name, or in the file at this path. Raises UsageError.

    A name that no root knows may be that of a file in the current folder: a run of `mine.yaml` leaves records of
    `mine`, which are exported, explained and scored again there by that name.
    """
    return _find(name_or_path, "scenario", "scenarios", {".yaml", ".yml"}, _describe_scenario)


def _find(wanted: str, what: str, kind: str, suffixes: set[str], describe: Callable[[Path], tuple[str, str]]) -> Entry:
    path = Path(wanted)
    by_path = path.suffix in suffixes or "/" in wanted or os.sep in wanted
    named = _entries(kind, suffixes, describe, only=path.stem if by_path else wanted) if wanted else []
    if by_path and path.is_file():
        found = _at_path(path.resolve(), named[0] if named else None, describe)
    elif named and not by_path:
        found = named[0]
    elif kind == "scenarios" and not by_path and wanted and Path(f"{wanted}.yaml").is_file():
        return _find(f"{wanted}.yaml", what, kind, suffixes, describe)
    else:
        near = suggest(path.stem if by_path else wanted, [entry.name for entry in _entries(kind, suffixes, describe)])
        if by_path:
            raise UsageError(f"{path}: there is no such {what} file.{near}")
        raise UsageError(
            f"There is no {what} '{wanted}'.{near}",
            hint=f"clbench list {kind} shows what there is; the path of a file works too.",
        )
    if found.problem:
        raise UsageError(f"{found.path}: {found.problem}.")
    return found


def _at_path(path: Path, known: Entry | None, describe: Callable[[Path], tuple[str, str]]) -> Entry:
    if known is not None:
        # a copy of a known file is that file, and says so in the record
        if _same_content(known.path, path):
            return known
        return replace(known, problem=f"the name is taken twice, by different files: {known.path} and {path}")
    return Entry(path.stem, path, "local", *describe(path))
