"""What a typed field may be, in words: its choices or its kind, and its default."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct

NO_DEFAULT: Any = NODEFAULT


def choices(kind: Any) -> tuple[str, ...]:
    """Return the values of a type that has few, as they are typed; those of a list's items for a list.

    >>> choices(Literal["mean", "sum"]), choices(bool), choices(list[Literal["a"]]), choices(int)
    (('mean', 'sum'), ('true', 'false'), ('a',), ())
    """
    if kind is bool:
        return ("true", "false")
    inner = get_args(kind)
    if get_origin(kind) is Literal:
        return tuple(str(value) for value in inner)
    if get_origin(kind) in (Annotated, list):
        return choices(inner[0])
    return tuple(choice for option in inner for choice in choices(option)) if _is_union(kind) else ()


def described(kind: Any) -> str:
    """Return what a value of the type `kind` is.

    >>> described(Annotated[int, Meta(ge=1)]), described(list[str]), described(Literal["mean", "sum"])
    ('a whole number, at least 1', 'a list: text', 'mean or sum')
    """
    origin, inner = get_origin(kind), get_args(kind)
    if few := choices(kind):
        words = f"{', '.join(few[:-1])} or {few[-1]}" if few[1:] else few[0]
        return f"a list: {words}" if origin is list else words
    if origin is Annotated:
        return described(inner[0]) + "".join(_limits(meta) for meta in inner[1:])
    if origin is list:
        return f"a list: {described(inner[0])}"
    if origin is dict or kind is dict:
        return f"a mapping to {described(inner[1])}" if inner and inner[1] is not Any else "a mapping"
    if _is_union(kind):
        return " or ".join(described(option) for option in inner if option is not types.NoneType)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return f"a mapping of {', '.join(field.name for field in msgspec.structs.fields(kind))}"
    return {int: "a whole number", float: "a number", str: "text"}.get(kind, "a value")


def shown(value: Any) -> str:
    """Return a default as it would be typed; empty where there is none, or it has fields of its own."""
    if value is NO_DEFAULT or isinstance(value, Struct):
        return ""
    if isinstance(value, (str, bool, type(None))):
        return {True: "true", False: "false", None: "none", "": "empty"}.get(value, str(value))
    return msgspec.json.encode(value).decode()


def may_be(kind: Any, default: Any) -> str:
    """Return the hint of a message about a value that cannot be: what it may be, and the default.

    >>> may_be(Literal["mean", "sum"], "mean")
    'It can be: mean, sum. The default is mean.'
    """
    few = choices(kind)
    told = f"It can be: {', '.join(few)}." if few else f"Expected {described(kind)}."
    return f"{told} The default is {shown(default)}." if shown(default) else told


def in_words(message: str) -> str:
    """Return what msgspec says of a value, as it is said here; where the value stands is named from the file's top."""
    return message.replace("$.", "").replace(" - at `$`", "").replace("Invalid enum value", "There is no choice")


def field_at(kind: Any, path: str) -> tuple[Any, Any] | None:
    """Return type and default of the field at a dotted path below a struct, such as `labels.order`.

    Places in lists, as in `labels.sessions[0]`, are those of the list; `[*]` is any value of a mapping. None where the
    path leads through what has no fields.
    """
    default = NO_DEFAULT
    for part in path.split("."):
        options = [kind, *(get_args(kind) if _is_union(kind) else ())]
        structs = [option for option in options if isinstance(option, type) and issubclass(option, Struct)]
        fields = {field.name: field for struct in structs for field in msgspec.structs.fields(struct)}
        found = fields.get(part.partition("[")[0])
        if found is None:
            return None
        kind = _of_value(found.type) if part.endswith("[*]") else found.type
        made = found.default_factory is not NODEFAULT
        default = found.default_factory() if made else found.default
    return kind, default


def structs_in(kind: Any) -> Iterator[type[Struct]]:
    """Yield the structs that a type is made of, such as those of a mapping's values."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield kind
    for inner in get_args(kind):
        yield from structs_in(inner)


def _of_value(kind: Any) -> Any:
    """Return the type of a mapping's values."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return get_args(kind)[1] if get_origin(kind) is dict else kind


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def _limits(meta: Any) -> str:
    if not isinstance(meta, Meta):
        return ""
    told = {"at least": meta.ge, "above": meta.gt, "at most": meta.le, "below": meta.lt}
    limits = "".join(f", {words} {limit:g}" for words, limit in told.items() if limit is not None)
    return limits + (", not empty" if meta.min_length else "")
