"""Which files an option names with `{000..099}`, `{train,test}` and `*`, as WebDataset's users write them."""

from __future__ import annotations

import re
from pathlib import Path

from clbench.errors import DataError, UsageError

MOST = 100_000
"""Files that one name may stand for."""
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_SHOWN = 3


def expanded(named: str) -> list[str]:
    """Return the names that `named` stands for, in their order.

    >>> expanded("{train,test}-{08..10}.tar")[:4]
    ['train-08.tar', 'train-09.tar', 'train-10.tar', 'test-08.tar']

    Raises UsageError for a range that falls, braces that hold neither a range nor a list, and more than 100,000 names.
    """
    found = _BRACES.search(named)
    if found is None:
        return [named]
    before, after = named[: found.start()], named[found.end() :]
    words = found[1].split(",")
    if match := _RANGE.fullmatch(found[1]):
        first, last = int(match[1]), int(match[2])
        if first > last or last - first >= MOST:
            raise UsageError(f"'{named}': {{{found[1]}}} stands for no range of at most {MOST:,} files.")
        words = [f"{number:0{len(match[1])}d}" for number in range(first, last + 1)]
    elif len(words) < 2:
        raise UsageError(
            f"'{named}': {{{found[1]}}} is neither a range nor a list.", hint="{000..099} or {train,test} are."
        )
    rest = expanded(after)
    if len(words) * len(rest) > MOST:
        raise UsageError(f"'{named}' stands for more than {MOST:,} files.")
    return [f"{before}{word}{tail}" for word in words for tail in rest]


def matching(root: Path, named: str, *, what: str) -> list[Path]:
    """Return the files below `root` whose names `named` fits, where a `*` stands for characters of one name, sorted.

    `what` is what messages call the option. A folder called `**` stands for folders at any depth. Raises UsageError for
    a path from the root of the file system and for any other `**`: Python before 3.13 refuses it where later ones read
    it, hidden files too.
    """
    *folders, file = Path(named).parts
    if Path(named).is_absolute() or "**" in file or any("**" in folder and folder != "**" for folder in folders):
        raise UsageError(
            f"{what} is '{named}', in which {'`**` means nothing' if '**' in named else 'the path is from the root'}.",
            hint="A * stands for characters of one file's name, below the table's folder: x-*.npy, parts/x-*.npy",
        )
    return sorted(root.glob(named))


def files_named(root: Path, named: str, *, what: str) -> list[Path]:
    """Return the files that `named` means from the folder `root`; those of a `*` in the order of their names.

    `what` is what messages call the option. Raises DataError where one is not there: a range tells how many there are.
    """
    found: list[Path] = []
    absent: list[str] = []
    names = expanded(named)
    for name in names:
        path = root / name
        if "*" in path.name:
            met = matching(path.parent, path.name, what=what) if path.parent.is_dir() else []
        else:
            met = [path] if path.is_file() else []
        found += met
        absent += [] if met else [name]
    if absent:
        told = f"{len(absent):,} of {len(names):,} are not there: " if len(names) > 1 else "there is no "
        shown = ", ".join(absent[:_SHOWN]) + (", ..." if len(absent) > _SHOWN else "")
        raise DataError(
            f"{what} is '{named}', and in {root} {told}{shown}.",
            hint="Fetch what is missing, or name those that are there: every file of a range has to be.",
        )
    if len(set(found)) < len(found):
        twice = next(path for place, path in enumerate(found) if path in found[:place])
        raise UsageError(f"{what} is '{named}', which names {twice} twice.")
    return found
