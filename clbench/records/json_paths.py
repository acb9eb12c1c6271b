"""How a place inside a record is written (`ap.fixed[3]`), and which place a byte of its text belongs to."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^\s{}\[\],:"]+')


def join(path: str, key: str | int) -> str:
    """Return the path of `key` below `path`: a dot before words, brackets around indices and odd keys."""
    if isinstance(key, str) and _WORD.match(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{key}]"


def path_at(text: bytes, offset: int) -> str:
    """Return the path of the value or key at a byte of a JSON text, which may be malformed from there on."""
    # one frame per open container: None before a dict's first key, else its current key; a list's current index
    frames: list[str | int | None] = []
    key = b""
    for token in _TOKEN.finditer(text):
        start, word = token.start(), token.group()
        if start > offset:
            break
        if word == b"{":
            frames.append(None)
        elif word == b"[":
            frames.append(0)
        elif word in (b"}", b"]"):
            if frames:
                frames.pop()
        elif word == b"," and frames and isinstance(frames[-1], int):
            frames[-1] += 1
        elif word == b":" and frames:
            frames[-1] = key.decode("utf-8", "replace").strip('"')
        elif word.startswith(b'"'):
            key = word
            if frames and not isinstance(frames[-1], int) and token.end() > offset and _is_key(text, token.end()):
                frames[-1] = word.decode("utf-8", "replace").strip('"')
    path = ""
    for frame in frames:
        if frame is not None:
            path = join(path, frame)
    return path


def _is_key(text: bytes, end: int) -> bool:
    return text[end : end + 20].lstrip().startswith(b":")
