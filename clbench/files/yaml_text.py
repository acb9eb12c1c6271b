"""YAML and typed values: read, converted, refused with the place of the mistake."""

from __future__ import annotations

import copy
import functools
import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec

from clbench.errors import UsageError, suggest
from clbench.files.field_words import described, field_at, in_words, may_be, structs_in
from clbench.files.given import LARGEST_TEXT, read_given

# some fields hold "a strategy's name or a mapping": msgspec reads plain values and `entries` makes sense of them
Yaml = Any


def digest(value: Yaml) -> str:
    """Return the sha256 (hexadecimal) of a plain value's canonical JSON: sorted keys, shortest numbers, UTF-8."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def read_mapping(path: Path, *, what: str, hint: str) -> dict[str, Yaml]:
    """Return the mapping in a YAML file; `what` it is and the `hint` are for messages. Raises UsageError."""
    try:
        content = read_given(path, largest=LARGEST_TEXT)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}).", hint=hint) from error
    raw = read_yaml(content, source=str(path))
    if not isinstance(raw, dict):
        raise UsageError(f"{path}: {what} is a mapping of names to values, not {type(raw).__name__}.")
    return raw


DEEPEST = 40
"""How far YAML may be nested; the parser in C would overflow its stack where this one stops."""


def read_yaml(text: str | bytes, *, source: str, limit: int = 1 << 20) -> Yaml:
    """Return the plain value of a YAML text: safe loader, no anchors or tags, little nesting, at most `limit` bytes.

    Numbers are what they look like: 010 is 10, 1_000 is 1000, 1e-2 is 0.01; 1:30 is a text. Raises UsageError naming
    the line.
    """
    import yaml

    if len(text) > limit:
        raise UsageError(f"{source}: {len(text):,} bytes; a YAML file here has at most {limit:,}.")
    loader = _loader()
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            refused = ""
            # refused before anything is built: nested aliases expand a short file to gigabytes
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                refused = "anchors and aliases are"
            elif tag := getattr(event, "tag", None):
                refused = f"the tag {str(tag)[:60]} is"
            elif depth > DEEPEST:
                refused = f"nesting deeper than {DEEPEST} is"
            if refused:
                line = event.start_mark.line + 1 if event.start_mark else 0
                raise UsageError(f"{source}: line {line}: {refused} not read here.", hint="Write the value out.")
        return yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader by construction
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UsageError(f"{source}: {where}not readable as YAML: {problem}.") from error
    except (RecursionError, ValueError, UnicodeDecodeError) as error:
        raise UsageError(f"{source}: not readable as YAML: {error}.") from error


@functools.cache
def _loader() -> Any:
    """Return a safe loader whose numbers are decimal; YAML 1.1 has octal ones and ones of base 60, and 1e3 a text."""
    import yaml

    class Decimal(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                if (name := str(key.value)) in seen:  # YAML forbids it, and the library takes the last one
                    raise yaml.constructor.ConstructorError(None, None, f"{name!r} stands here twice", key.start_mark)
                seen.add(name)
            return super().construct_mapping(node, deep=deep)

    numbers = {f"tag:yaml.org,2002:{kind}": form for kind, form in _NUMBERS.items()}
    Decimal.yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in found if tag not in numbers]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for tag, form in numbers.items():
        Decimal.add_implicit_resolver(tag, form, list("-+.0123456789"))
    Decimal.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))
    return Decimal


def yaml_text(value: Any) -> str:
    """Return YAML for plain values that `read_yaml` reads as they are: what it takes for a number is quoted as a text.

    >>> yaml_text({"title": "1e3", "lr": 0.25})
    "title: '1e3'\\nlr: 0.25\\n"
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        yaml_implicit_resolvers = _loader().yaml_implicit_resolvers

    return yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True)


_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_NUMBERS = {
    "int": re.compile(rf"[-+]?{_DIGITS}\Z"),
    "float": re.compile(
        rf"[-+]?(?:(?:{_DIGITS}\.(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][-+]?[0-9]+)?|{_DIGITS}[eE][-+]?[0-9]+|\.inf|\.Inf|\.INF)\Z"
        r"|\.(?:nan|NaN|NAN)\Z"
    ),
}


def convert(raw: Yaml, kind: Any, *, source: str) -> Any:
    """Return `raw` as the struct `kind`; errors name the field and suggest the nearest known name.

    Raises UsageError.
    """
    try:
        # lax: YAML reads `1e-3` as text, and a number written that way is still meant as one
        return msgspec.convert(raw, kind, strict=False)
    except msgspec.ValidationError as error:
        message = str(error)
        told = _with_key(message, raw, kind)
        hint = ""
        # a value of a mapping is at `[...]`, whose dots part no names
        place = (
            message.rsplit("`", 2)[1].replace("[...]", "[*]").removeprefix("$").strip(".")
            if " - at `" in message
            else ""
        )
        if "unknown field" in message:
            names = field_names(kind, place)
            hint = suggest(message.split("`")[1], names).strip() or f"Known here: {', '.join(names)}."
        elif "missing required field" in message:
            missing = message.split("`")[1]
            field = field_at(kind, f"{place}.{missing}".lstrip("."))
            hint = f"Write `{missing}:` and {described(field[0])}." if field else ""
        elif place and (field := field_at(kind, place)):
            hint = may_be(*field)
        raise UsageError(f"{source}: {in_words(told)}.", hint=hint) from error


def _with_key(message: str, raw: Yaml, kind: Any) -> str:
    """Return msgspec's message with the key of a mapping's value, for which it writes `[...]`."""
    if "[...]" not in message:
        return message
    whole = copy.deepcopy(raw)
    found: Any = whole
    for index, name in re.findall(r"\[(\d+|\.\.\.)\]|([^.\[\]]+)", message.rsplit("`", 2)[1].removeprefix("$")):
        if index == "...":
            break
        found = found[int(index)] if index else found[name]
    if not isinstance(found, dict):
        return message
    for key, value in list(found.items()):
        found.clear()
        found[key] = value
        try:
            msgspec.convert(whole, kind, strict=False)
        except msgspec.ValidationError as error:
            if str(error) == message:
                return message.replace("[...]", f".{key}", 1)
    return message


def field_names(kind: Any, where: str = "") -> list[str]:
    """Return the field names of the struct `kind`, or of the struct at the dotted path `where` below it."""
    for part in filter(None, where.split(".")):
        inner = {f.name: f.type for f in msgspec.structs.fields(kind)}.get(part.split("[")[0])
        found = next(structs_in(inner), None)
        if found is None:
            return []
        kind = found
    return [f.name for f in msgspec.structs.fields(kind)]
