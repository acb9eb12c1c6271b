"""What clbench knows of a data set: its reader, its options, where it comes from and how it must lie on disk."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from clbench.data.table import LabelTable
from clbench.errors import UsageError, suggest


@dataclass(frozen=True)
class Option:
    """A named choice of a reader. `allowed` lists the values of a "choice"; the other kinds check their form."""

    name: str
    default: str
    help: str
    allowed: tuple[str, ...] = ()
    kind: Literal["choice", "fraction", "count", "text"] = "choice"
    content: bool = True
    """Whether the choice can change the table, so that it belongs to its revision."""


@dataclass(frozen=True)
class Source:
    """One file of an official release, put into the data folder under the path `file`.

    `urls` are tried in order. `checksum` is "md5:..." or "sha256:..." where one is known, else empty; `bytes` is 0
    where the length is not known. With `unpack` the file is an archive, whose content goes into the folder `into`; a
    data folder where all of `makes` exist has it already.
    """

    file: str
    urls: tuple[str, ...]
    bytes: int = 0
    checksum: str = ""
    unpack: bool = False
    into: str = ""
    makes: tuple[str, ...] = ()


class Reader(Protocol):
    """Opens the table of a data set."""

    def __call__(self, root: Path, *, name: str, options: Mapping[str, str], photos: bool = True) -> LabelTable:
        """Return the table of data set `name` below `root`; with `photos` False nobody looks for its photos."""
        ...


@dataclass(frozen=True)
class Dataset:
    """One row of `clbench data list`."""

    name: str
    title: str
    read: Reader | None = None
    """Opens the table; None where there are only files to fetch."""
    options: tuple[Option, ...] = ()
    folders: tuple[str, ...] = ()
    """Names its folder may have below CLBENCH_DATA; `data get` uses the last, where related data sets share photos."""
    layout: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    by_hand: tuple[str, ...] = ()
    """What a person must do where no program may: forms to sign, drives to click through."""
    size: str = ""
    terms: str = ""
    homepage: str = ""

    @property
    def folder(self) -> str:
        """The folder name that `data get` uses."""
        return self.folders[-1] if self.folders else self.name


def resolve_options(name: str, options: Sequence[Option], given: Mapping[str, str]) -> dict[str, str]:
    """Return a value for every option of data set `name`. Raises UsageError for an unknown option or value."""
    known = {option.name: option for option in options}
    for key in given:
        if key not in known:
            listed = f"It takes: {', '.join(known)}." if known else "It takes no options."
            raise UsageError(f"{name}: there is no option '{key}'.{suggest(key, known)}", hint=listed)
    return {option.name: _checked(name, option, str(given.get(option.name, option.default))) for option in options}


def revision(name: str, options: Sequence[Option], values: Mapping[str, str]) -> str:
    """Return the name together with every choice that can change the table: "coco2014 crowd=membership ..."."""
    return " ".join([name, *(f"{option.name}={values[option.name]}" for option in options if option.content)])


def _checked(name: str, option: Option, value: str) -> str:
    if option.kind == "choice" and value not in option.allowed:
        raise UsageError(
            f"{name}: option {option.name} is '{value}'.{suggest(value, option.allowed)}",
            hint=f"It can be: {', '.join(option.allowed)}. The default is {option.default}.",
        )
    if option.kind == "fraction":
        return _number(name, option, value, limit=1.0)
    if option.kind == "count":
        if re.fullmatch(r"[0-9]+(_[0-9]+)*", value) is None:
            raise UsageError(f"{name}: option {option.name} is '{value}', expected a whole number from 0.")
        return str(int(value))
    return value


def _number(name: str, option: Option, value: str, *, limit: float) -> str:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number <= limit:
        raise UsageError(f"{name}: option {option.name} is '{value}', expected a number from 0 to {limit:g}.")
    return f"{number:g}"
