"""Lists as programs print them into one cell: Python's, NumPy's, JSON's."""

from __future__ import annotations

import ast
import json
import re

CLOSING = {"[": "]", "{": "}", "(": ")"}
_CALL = re.compile(
    r"(?:np\.|numpy\.|pd\.)?(array|Array|Index|tensor|set|frozenset|list|tuple)\((.*?)(,\s*dtype=.*)?\)", re.S
)
_SCALAR = re.compile(r"(?:np|numpy)\.\w+\(([^()]*)\)")  # NumPy 2 prints np.str_('cat')
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.S)
_NUMBER = re.compile(r"-?\d+(?:\.0*)?")
_FLAGS = {"true": "1", "false": "0"}
_NOTHING = ("none", "nan", "null", "<na>")


def form(text: str) -> str:
    """Return what printed the cell `text`, such as "a Python list", or "" where it looks like nothing that was printed.

    >>> form("['cat' 'dog']"), form("hot dog")
    ('a NumPy array', '')
    """
    call = _CALL.fullmatch(text)
    inside = call.group(2).strip() if call else text
    first, last = inside[:1], inside[-1:]
    if is_cut(text):
        return "a list cut short"
    if first == "<" and last == ">" and re.search(r"[\s:]", inside):
        return "a Python object"
    if call:
        return "a Python call"
    if first in "'\"" and first == last and len(text) > 1:
        return "a quoted text"
    if first not in CLOSING or last != CLOSING[first]:
        return "a piece of a list" if first in ("[", "{") or (last in ("]", "}") and not _balanced(text)) else ""
    if first == "(":
        return "a Python tuple" if re.search("[,'\"]", inside) else ""
    if first == "{":
        return "a mapping" if ":" in _QUOTED.sub("", inside) else "a set"
    bare = _QUOTED.sub("q", inside[1:-1]).strip()
    if re.search(r"[\w.]\s+[\w.]", bare) and "," not in bare:
        return "a NumPy array"
    return "a JSON list" if _json(text) is not None and '"' in text else "a Python list"


def is_cut(text: str) -> bool:
    """Say whether a printed list leaves items out, as NumPy and pandas print long ones."""
    return (
        text[:1] in (*CLOSING, "a")
        and re.search(r"(^|[\s,\[({])(\.\.\.|…)([\s,\])}]|$)", _QUOTED.sub("q", text)) is not None
    )


def items(text: str) -> list[str]:
    """Return the items of a printed list: texts without their quotes, whole numbers as digits.

    Raises ValueError saying what cannot be told. Python itself would join the texts of `['cat' 'dog']` into one.

    >>> items("['cat' 'hot dog']"), items("[0. 2.]"), items("[]")
    (['cat', 'hot dog'], ['0', '2'], [])
    """
    if is_cut(text):
        raise ValueError("it is cut short, and what stood in place of the dots is lost")
    plain = _json(text)
    if isinstance(plain, list) and all(isinstance(item, (str, int)) and not isinstance(item, bool) for item in plain):
        return [str(item).strip() for item in plain]
    call = _CALL.fullmatch(text)
    text = _SCALAR.sub(r"\1", call.group(2).strip() if call else text)
    if text[:1] in CLOSING and text[-1:] == CLOSING[text[:1]]:
        text = text[1:-1].strip()
    outside = _QUOTED.sub("", text)
    if ":" in outside:
        raise ValueError("it is a mapping, not a list")
    if re.search(r"[\[\](){}]", outside):
        raise ValueError("there is a list inside the list")
    if outside != text:
        if outside.strip(" ,\t\r\n"):
            raise ValueError(f"beside quoted names it holds {outside.strip(' ,')[:40]!r}")
        return [str(ast.literal_eval(found)).strip() for found in _QUOTED.findall(text)]
    words = [word.strip() for word in text.split(",")] if "," in text else text.split()
    words = words[:-1] if len(words) > 1 and not words[-1] else words
    if "," not in text and len(words) > 1 and not all(_NUMBER.fullmatch(x) or x.lower() in _FLAGS for x in words):
        raise ValueError("without quotes and commas nobody can tell where a name ends")
    for word in words:
        if not word or word.lower() in _NOTHING:
            raise ValueError(f"one of its items is {word or 'empty'}")
    if words and all(word.lower() in _FLAGS for word in words):
        return [_FLAGS[word.lower()] for word in words]
    return [str(int(float(word))) if _NUMBER.fullmatch(word) else word for word in words]


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _balanced(text: str) -> bool:
    return all(text.count(opening) == text.count(closing) for opening, closing in CLOSING.items())
