"""What a cell with labels says. Several labels in one cell are told apart by a mark that is certain, or not at all.

`;` or `|` separate labels wherever the column holds one of them. A comma does only where every cell can be such a list,
which is then said. White space does between positions in a vocabulary; between names only when it is asked for. Lists
that a program printed are read when they are asked for, since some of them are ambiguous.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from clbench.data.datasets.dataset import Option
from clbench.data.own_table import printed_lists
from clbench.errors import DataError, UsageError, suggest

SEPARATORS = {"semicolon": ";", "bar": "|", "comma": ",", "tab": "\t", "newline": "\n", "slash": "/", "blank": " "}
OPTIONS = (
    Option(
        "separator",
        "auto",
        "what separates the labels of a cell: `auto` (`;` or `|`, else commas where every cell allows them), `none`, "
        f"{', '.join(f'`{name}`' for name in SEPARATORS)}, or the mark itself",
        kind="text",
    ),
    Option(
        "cells",
        "auto",
        "what a cell holds: `text`, a printed `list`, or `onehot` (1, 0 and -1 in the order of classes.json); `auto` "
        "is text, and refuses what looks like a list",
        ("auto", "text", "list", "onehot"),
    ),
)
CUT = "is a list cut short (`...`); the rest of it is lost", "Write the lists out in full."
_NUMBERS = re.compile(r"\d+(?:[\s,]+\d+)+,?")


@dataclass(frozen=True)
class Cell:
    """A cell, and where it stands: "labels.csv, line 3"."""

    place: str
    text: str


@dataclass
class Labels:
    """The labels of each cell, by name, those it calls unknown, and what must be said of how it was read."""

    positive: list[list[str]] = field(default_factory=list)
    unknown: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_cells(
    cells: Sequence[Cell], *, names: Sequence[str] = (), separator: str = "auto", form: str = "auto"
) -> Labels:
    """Return the labels of every cell of a column; `names` is the vocabulary, empty where there is none.

    With a vocabulary a cell holds names, or positions from 0 if every entry is a number and not all are names. Raises
    DataError for a cell that could mean two things or holds a label that is not in the vocabulary.
    """
    found = Labels()
    if form == "onehot":
        _onehot(cells, names, found)
        return found
    mark = _mark(separator)
    for cell in cells:
        if printed_lists.is_cut(cell.text):
            _refuse(cell, *CUT)
    if form == "list":
        words = [_items(cell) for cell in cells]
    else:
        chosen = [_choices(cell.text) for cell in cells]
        plain = [cell for cell, listed in zip(cells, chosen, strict=True) if listed is None]
        fitting = _fitting(plain, names) if mark is None else None
        if form == "auto" and fitting is None:
            _refuse_printed([(cell, cell.text) for cell in plain], names)
        mark = mark if fitting is None else fitting
        if mark is None:  # Label Studio writes a single choice as its plain text, whatever is in it
            mark = _find_mark(cells, names, found) if len(plain) == len(cells) else ""
        words = [
            _split(cell.text, mark) if listed is None else listed for cell, listed in zip(cells, chosen, strict=True)
        ]
        if form == "auto" and mark:
            _refuse_printed([(cell, word) for cell, listed in zip(cells, words, strict=True) for word in listed], names)
    for cell, listed in zip(cells, words, strict=True):
        if not {"...", "…"}.isdisjoint(listed):
            _refuse(cell, *CUT)
    found.positive = _named([[word for word in listed if word] for listed in words], cells, names)
    found.unknown = [[] for _ in cells]
    return found


def _mark(separator: str) -> str | None:
    """Return the mark that the option `separator` means, "" for none, None where it is to be found out."""
    if separator in ("auto", ""):
        return None
    if separator == "none":
        return ""
    mark = SEPARATORS.get(separator, separator)
    if len(mark) > 3 or re.search(r"[\w'\"\[\]{}]", mark):
        raise UsageError(
            f"option separator is '{separator}'.{suggest(separator, SEPARATORS)}",
            hint=f"It can be auto, none, {', '.join(SEPARATORS)}, or the mark itself.",
        )
    return mark


def _split(text: str, mark: str) -> list[str]:
    words = text.split() if mark == " " else text.split(mark) if mark else [text]
    return [word.strip() for word in words]


def _fitting(cells: Sequence[Cell], names: Sequence[str]) -> str | None:
    """Return the mark with which every cell holds names of the vocabulary and nothing else, None where none does."""
    known = {*names, ""}
    for mark in ("", ";", "|") if names else ():
        if all(word in known for cell in cells for word in _split(cell.text, mark)):
            return mark
    return None


def _find_mark(cells: Sequence[Cell], names: Sequence[str], found: Labels) -> str:
    """Return the mark that separates labels in the column; refuse where it cannot be told."""
    filled = [cell for cell in cells if cell.text]
    known = set(names)
    marks = [mark for mark in (";", "|") if any(mark in cell.text for cell in filled)]
    if len(marks) > 1:
        cell = next(cell for cell in filled if marks[1] in cell.text)
        _refuse(
            cell,
            'holds "|", and another holds ";"',
            'Say which separates labels with the option separator=";" or separator="|".',
        )
    if marks:
        _refuse_commas_beside(filled, marks[0], known)
        return marks[0]
    numbers = [cell for cell in filled if _NUMBERS.fullmatch(cell.text)]
    if numbers and not known:
        _refuse(
            numbers[0],
            "is a row of numbers",
            "Positions need a classes.json beside the table that names the labels. If it is a 1 or 0 for each label, "
            "set the option cells=onehot too; if the numbers are names, separator=blank or separator=comma.",
        )
    if any("," in cell.text for cell in filled):
        return _comma(filled, known, found)
    if numbers and all(word.isdigit() for cell in filled for word in cell.text.split()):
        return " "
    for cell in filled:
        for name in ("tab", "newline"):
            if SEPARATORS[name] in cell.text:
                _refuse(cell, f"holds a {name}", f"If it separates labels, set the option separator={name}.")
    texts = {cell.text for cell in filled}
    times = Counter(word for text in texts for word in text.split())
    shared = sorted(text for text in texts - known if " " in text and any(times[word] > 1 for word in text.split()))
    if shared and not known:
        found.notes.append(
            f"{len(shared)} labels hold blanks, such as {shared[0][:60]!r}, and share words with others; each is one "
            "label. If blanks separate labels, set the option separator=blank"
        )
    return ""


def _comma(filled: Sequence[Cell], known: set[str], found: Labels) -> str:
    """Return "," where every cell can be a list with commas, "" where the vocabulary has names with commas."""
    for cell in filled:
        words = _listed(cell.text)
        if known:
            fits = all(word in known or word.isdigit() for word in words)
            if any("," in name for name in known) and (cell.text in known or not fits):
                return ""
        elif "" in words or len(set(words)) < len(words):
            _refuse(
                cell,
                "holds commas and is no list of labels: an entry is empty or there twice",
                "If commas separate labels, set the option separator=comma; if they are part of names, separator=none.",
            )
    found.notes.append(
        f"labels are taken to be separated by commas, as in {next(c.text for c in filled if ',' in c.text)[:60]!r}; "
        "if commas are part of names, set the option separator=none"
    )
    return ","


def _listed(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    return words[:-1] if len(words) > 1 and not words[-1] else words


def _refuse_commas_beside(filled: Sequence[Cell], mark: str, known: set[str]) -> None:
    """Refuse a cell that may be a list with commas in a column whose lists have another mark."""
    words = {word for cell in filled if mark in cell.text for word in _split(cell.text, mark)} | known
    words |= {cell.text for cell in filled if mark not in cell.text and "," not in cell.text}
    for cell in filled:
        for word in _split(cell.text, mark):
            if "," in word and word not in known and (word not in words or words.issuperset(_listed(word))):
                _refuse(
                    cell,
                    f'holds a comma, and labels are separated by "{mark}"',
                    f'If the comma is part of a name, set the option separator="{mark}"; else write "{mark}" for it.',
                )


def _refuse_printed(texts: Sequence[tuple[Cell, str]], names: Sequence[str]) -> None:
    known = set(names)
    seen: dict[str, Cell] = {}
    for cell, text in texts:
        seen.setdefault(text, cell)
    for text, cell in seen.items():
        if text not in known and (form := printed_lists.form(text)):
            _refuse(
                cell,
                f"holds {form}, as a program prints it",
                "Write the labels that it means, with ; between them; if it is a name, cells=text."
                if form == "a Python object"
                else "Read lists with the option cells=list, rows of 1 and 0 with cells=onehot (both can need a "
                "classes.json that names the labels); if it is a name, cells=text.",
            )


def _choices(text: str) -> list[str] | None:
    """Return the labels in Label Studio's form of several choices, {"choices": ["cat", "dog"]}."""
    if not text.startswith("{") or "choices" not in text:
        return None
    try:
        chosen = json.loads(text)
    except (ValueError, RecursionError):
        return None
    listed = chosen.get("choices") if isinstance(chosen, dict) and len(chosen) == 1 else None
    return listed if isinstance(listed, list) and all(isinstance(one, str) for one in listed) else None


def _items(cell: Cell) -> list[str]:
    if not cell.text:
        return []
    try:
        return printed_lists.items(cell.text)
    except (ValueError, SyntaxError) as error:
        raise DataError(
            f"{cell.place}: {cell.text[:80]!r} is not read as a list: {error}.",
            hint="Write the labels of the cell with ; between them.",
        ) from error


def _named(words: list[list[str]], cells: Sequence[Cell], names: Sequence[str]) -> list[list[str]]:
    """Return the words as label names, positions being looked up; refuse what is in no vocabulary."""
    every = {word for listed in words for word in listed}
    numeric = bool(every) and all(word.isascii() and word.isdigit() for word in every)
    pairs = all(len(listed) in (0, 2) for listed in words) and every <= {"0", "1"}
    flags = next((i for i, x in enumerate(words) if len(set(x)) < len(x) or (pairs and x == ["1", "0"])), None)
    truths = next(
        (i for i, cell in enumerate(cells) if words[i] and re.search(r"(?i)\b(true|false)\b", cell.text)), None
    )
    flags = flags if truths is None else truths
    if numeric and not every <= set(names) and flags is not None:
        _refuse(
            cells[flags],
            "looks like a 1 or 0 for each label, not like a list of positions",
            "Set the option cells=onehot, with a classes.json beside the table that names the labels in order.",
        )
    if not names:
        return words
    known = set(names)
    if numeric and not every <= known:
        # also "007": positions are numbers, whatever their zeros
        place = {word: names[int(word)] for word in every if int(word) < len(names)}
    else:
        place = {word: word for word in every & known}
    for cell, listed in zip(cells, words, strict=True):
        for word in listed:
            if word not in place:
                raise DataError(
                    f"{cell.place}: unknown label {word!r}.{suggest(word, names)}",
                    hint=f"The vocabulary has {len(names)} labels. A separator other than ; and | must be named: "
                    "separator=blank.",
                )
    return [[place[word] for word in listed] for listed in words]


def _onehot(cells: Sequence[Cell], names: Sequence[str], found: Labels) -> None:
    if not names:
        raise DataError(
            f"{cells[0].place if cells else 'the table'}: cells=onehot needs the names of the labels in their order.",
            hint='Write them into a classes.json beside the table: ["sky", "water", ...]',
        )
    for cell in cells:
        values = _items(cell) if cell.text[:1] in ("[", "(") or "," in cell.text else _split(cell.text, " ")
        if any(value not in ("1", "0", "-1") for value in values) or len(values) not in (0, len(names)):
            _refuse(cell, f"is not a row of {len(names)} times 1, 0 or -1", "Each label has its place in classes.json.")
        found.positive.append([name for name, value in zip(names, values, strict=False) if value == "1"])
        found.unknown.append([name for name, value in zip(names, values, strict=False) if value == "-1"])


def _refuse(cell: Cell, what: str, cure: str) -> NoReturn:
    raise DataError(f"{cell.place}: {cell.text[:80]!r} {what}.", hint=cure)
