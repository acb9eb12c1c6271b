"""What can be said of a strategy without running it."""

from __future__ import annotations

import json

from clbench.testing.examined import Examined
from clbench.testing.outcome import Failed
from clbench.testing.subject import Subject

LONGEST = 120


def file_holds_one_strategy(subject: Subject) -> None:
    """The file can be imported, prints nothing, and defines exactly one strategy."""
    subject.ask(_nothing)


def docstring_is_one_sentence(subject: Subject) -> None:
    """The class has a docstring of its own whose first line is one plain sentence."""
    subject.ask(_docstring)


def constructs_with_its_defaults(subject: Subject) -> None:
    """Called without arguments the class constructs, and two objects share no mutable default."""
    subject.ask(_construction)


def fields_survive_json(subject: Subject) -> None:
    """Every field has a type, and a value that comes back from JSON as the same value of the same type."""
    subject.ask(_fields)


def _nothing(examined: Examined) -> None:
    """To import it is all."""


def _docstring(examined: Examined) -> None:
    text = examined.kind.__dict__.get("__doc__") or ""
    first = text.strip().partition("\n")[0].strip()
    # dataclasses write a signature where there is no docstring
    if not first or first.startswith(f"{examined.kind.__name__}("):
        found = "the class has no docstring"
    elif not first.endswith("."):
        found = f"the first line does not end with a full stop: {first!r}"
    elif len(first) > LONGEST:
        found = f"the first line has {len(first)} characters, more than {LONGEST}"
    else:
        return
    raise Failed(found, verb="class", mend="Say in one sentence what the method does; lists and tables show it.")


def _construction(examined: Examined) -> None:
    try:
        first, second = examined.kind(), examined.kind()
    except Exception as error:
        raise Failed(
            f"{examined.kind.__name__}() raised {type(error).__name__}: {error}",
            verb="__post_init__",
            mend="Give every field a default; what depends on the scenario goes to `build` or `begin_session`.",
        ) from error
    for name in examined.kind.fields_of():
        value = getattr(first, name)
        if isinstance(value, (dict, list)) and value is getattr(second, name):
            raise Failed(
                f"two objects share the {type(value).__name__} of the field '{name}'",
                verb="class",
                mend="Use dataclasses.field(default_factory=...).",
            )


def _fields(examined: Examined) -> None:
    fresh = examined.kind()
    try:
        values = fresh.values()
        again = examined.kind.configured(json.loads(json.dumps(values, allow_nan=False)), source="JSON")
    except Exception as error:
        raise Failed(
            f"the fields do not go through JSON: {' '.join(str(error).split()) or type(error).__name__}",
            verb="class",
            mend="Fields are numbers, texts, truth values, and lists and mappings of them, annotated with their type.",
        ) from error
    for name in values:
        before, after = getattr(fresh, name), getattr(again, name)
        if before != after or type(before) is not type(after):
            raise Failed(
                f"the field '{name}' is {before!r} and comes back from JSON as {after!r}",
                verb="class",
                mend="Annotate the field with the type of its default.",
            )
