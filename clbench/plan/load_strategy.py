"""Importing a strategy's file, with every way in which that can go wrong told in one sentence."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import traceback
from collections import defaultdict
from pathlib import Path
from types import ModuleType

from clbench.errors import UsageError
from clbench.files.roots import BESIDE, strategy_folders
from clbench.method.strategy import Strategy
from clbench.plan.catalog import Entry

PACKAGE = "clbench.strategies"

_read: dict[Path, str] = {}
"""The sha256 of each strategy's file as it was when Python read it."""


def load_strategy(entry: Entry) -> type[Strategy]:
    """Import the strategy's file and return its class.

    Raises UsageError when the file cannot be imported, prints while it is imported, leaves the interpreter, or does not
    define exactly one public subclass of Strategy.
    """
    if entry.problem:
        raise UsageError(f"{entry.path}: {entry.problem}.")
    _make_findable(entry)
    module = _imported(entry)
    _refuse_ambiguous_helpers()
    own = {value for value in vars(module).values() if _is_own(value, module)}
    if len(own) != 1:
        names = ", ".join(sorted(kind.__name__ for kind in own)) or "none"
        raise UsageError(
            f"{entry.path}: one strategy per file, found {names}.",
            hint="Derive one public class from clbench.Strategy; names of helper classes begin with an underscore.",
        )
    kind: type[Strategy] = own.pop()
    return kind


def _is_own(value: object, module: ModuleType) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, Strategy)
        and value.__module__ == module.__name__
        and not value.__name__.startswith("_")
    )


def _make_findable(entry: Entry) -> None:
    """Let Python find the file as `clbench.strategies.<stem>`, here and in processes started from here."""
    import clbench.strategies as package

    folders = [str(path) for path in strategy_folders()]
    folder = str(entry.path.parent)
    if folder not in folders:
        # at the end of the path, so that a file given by its path can add a name and never take one
        os.environ[BESIDE] = os.pathsep.join(filter(None, [os.environ.get(BESIDE, ""), folder]))
        folders.append(folder)
    package.__path__[:] = folders
    importlib.invalidate_caches()


def _imported(entry: Entry) -> ModuleType:
    name = f"{PACKAGE}.{entry.name}"
    loaded = sys.modules.get(name)
    if loaded is not None and not _lies_at(loaded, entry.path):
        del sys.modules[name]
        loaded = None
    printed = io.StringIO()
    try:
        if loaded is None:
            digest = entry.sha256()
        with contextlib.redirect_stdout(printed):
            module = importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except UsageError as error:
        raise UsageError(f"{_place(entry, error)}: {error.message}", hint=error.hint) from error
    except SystemExit as error:
        raise UsageError(f"{_place(entry, error)}: calls sys.exit while it is imported.") from error
    except BaseException as error:
        missing = (getattr(error, "name", None) or "").partition(".")[0]
        absent = isinstance(error, ModuleNotFoundError) and missing not in ("", "clbench")
        text = str(error).partition("\n")[0]
        raise UsageError(
            f"{_place(entry, error)}: cannot be imported: {type(error).__name__}: {text}",
            hint=f"pip install {missing}" if absent else "",
        ) from error
    if printed.getvalue():
        del sys.modules[name]
        start = printed.getvalue().strip()[:60]
        raise UsageError(
            f"{entry.path}: prints while it is imported: {start!r}.",
            hint="Output belongs to clbench; remove the print or use the logging module.",
        )
    if loaded is None:
        _read[entry.path.resolve()] = digest
    return module


def digest_read(entry: Entry) -> str:
    """Return the sha256 of the strategy's file as it was imported here, else as it is: it may be edited meanwhile."""
    return _read.get(entry.path.resolve()) or entry.sha256()


def _lies_at(module: ModuleType, path: Path) -> bool:
    return module.__file__ is not None and Path(module.__file__).resolve() == path.resolve()


def _place(entry: Entry, error: BaseException) -> str:
    """Return the file with the last of its lines that took part in the error."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(entry.path)]
    return f"{entry.path}, line {lines[-1]}" if lines else str(entry.path)


def _refuse_ambiguous_helpers() -> None:
    """Refuse when a module that was imported from one folder has a different namesake in another."""
    files: dict[str, list[Path]] = defaultdict(list)
    for folder in strategy_folders():
        for path in folder.glob("*.py"):
            files[path.stem].append(path)
    for name in [name for name in sys.modules if name.startswith(f"{PACKAGE}.")]:
        first, *others = files.get(name.removeprefix(f"{PACKAGE}."), [Path()])
        for other in others:
            if first.read_bytes() != other.read_bytes():
                raise UsageError(f"{first}: {other} has the same name and different content; rename one of them.")
