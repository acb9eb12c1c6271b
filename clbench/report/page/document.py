"""The page as a file: template, style, scripts and values in one text that asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from clbench.errors import ResultsError

HERE = Path(__file__).parent
SCRIPTS = (
    "dom",
    "numbers",
    "state",
    "board",
    "which",
    "details",
    "chart",
    "scatter",
    "curves",
    "tradeoffs",
    "heads",
    "labels",
    "compare",
    "later",
    "gallery",
    "live",
    "app",
)
"""Files of the script, in the order in which they are joined."""

_MARKER = re.compile(r"\{\{(\w+)\}\}")


def document(model: dict[str, Any], *, title: str = "clbench results", live: str = "") -> str:
    """Return the page of a model (see `model.page_model`) as HTML.

    `live` is the address, on the same server, at which the page asks what has changed; without it the page may
    not reach anything. A policy inside the page allows its own script and style, known by their digests, and nothing
    else, so that a text which became markup could still not run.
    """
    style, script = _style(), _script()
    values = {
        "title": html.escape(title),
        "policy": html.escape(_policy(style, script, live=bool(live))),
        "live": html.escape(live, quote=True),
        "style": style,
        "script": script,
        "data": inline_json(model),
    }
    return _MARKER.sub(lambda match: values[match[1]], (HERE / "page.html").read_text(encoding="utf-8"))


def inline_json(value: Any) -> str:
    """Return JSON that can stand inside a script element: no character of it can end the element or begin another."""
    text = msgspec.json.encode(value).decode()
    # these occur in JSON's strings only, where the escape means the same
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def write_page(model: dict[str, Any], path: Path, *, title: str = "clbench results") -> Path:
    """Write the page and return its path. Raises ResultsError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document(model, title=title), encoding="utf-8")
    except OSError as error:
        raise ResultsError(
            f"{path}: the page cannot be written ({error.strerror}).", hint="Name another file with --out."
        ) from error
    return path


@cache
def _style() -> str:
    return (HERE / "page.css").read_text(encoding="utf-8")


@cache
def _script() -> str:
    parts = [(HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return "\n".join(["(() => {", '"use strict";', *parts, "})();"])


def _policy(style: str, script: str, *, live: bool) -> str:
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_digest(script)}'",
            f"style-src '{_digest(style)}'",
            "img-src data:",
            f"connect-src {chr(39)}{'self' if live else 'none'}{chr(39)}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
