"""What a strategy's class defines against what the loop calls: a verb that nobody calls would change nothing."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from clbench.errors import UsageError

CLOSE = 0.8
"""Likeness of two names, as difflib has it, from which one is taken for the other misspelt."""
FOREIGN = re.compile(
    r"(before|after)_(training|train_dataset|eval|forward|backward|update)\w*"  # callbacks of Avalanche's plugins
    r"|observe|(begin|end)_(task|epoch)|(training|validation|test)_step|on_train\w*"  # Mammoth, Lightning
)
"""Names by which other frameworks call methods; nobody does here."""


def check_verbs(kind: type, *, base: type) -> None:
    """Raise UsageError where a verb of `base` is defined so that it cannot be called, or under a name near its own.

    A function of another name is the strategy's own, and may be called as it likes, if something in the class calls it.
    """
    verbs = {name: value for name, value in vars(base).items() if not name.startswith("_") and callable(value)}
    own = {name: value for name, value in vars(kind).items() if not name.startswith("_")}
    for name, value in own.items():
        if name in verbs and not callable(value) and not isinstance(value, (staticmethod, classmethod, property)):
            raise UsageError(
                f"{kind.__name__}.{name} is {value!r} and hides the verb '{name}', which the loop calls.",
                hint="Give the value another name; docs/strategy.md lists the verbs.",
            )
        if name in verbs and isinstance(value, FunctionType):
            _check_call(kind, value, verbs[name])
    called = {name for value in vars(kind).values() for code in _codes(value) for name in code.co_names}
    for name, value in own.items():
        if isinstance(value, FunctionType) and not hasattr(base, name) and name not in called:
            _check_name(kind, name, verbs)


def _check_call(kind: type, found: FunctionType, verb: Any) -> None:
    """Refuse a function that cannot be called as the verb is: with as many values, and the same names behind them."""
    asked = inspect.signature(verb)
    here = inspect.signature(found)
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in asked.parameters.values()):
        return
    named = {name: None for name, parameter in asked.parameters.items() if parameter.kind is parameter.KEYWORD_ONLY}
    try:
        here.bind(*[None] * (len(asked.parameters) - len(named)), **named)
    except TypeError:
        raise UsageError(
            f"{kind.__name__}.{found.__name__}({', '.join(here.parameters)}) cannot be called as the loop does it.",
            hint=f"Write def {found.__name__}({', '.join(asked.parameters)}).",
        ) from None


def _check_name(kind: type, name: str, verbs: dict[str, Any]) -> None:
    near = difflib.get_close_matches(name, verbs, n=1, cutoff=CLOSE)
    if near or FOREIGN.fullmatch(name):
        meant = f" Did you mean '{near[0]}'?" if near else ""
        raise UsageError(
            f"{kind.__name__}.{name}: the loop has no verb of this name and nothing here calls it.{meant}",
            hint="docs/strategy.md lists the verbs; Avalanche's plugins are what `plugins` returns. The name of a "
            "function of its own begins with an underscore.",
        )


def _codes(value: Any) -> Iterator[CodeType]:
    """Yield the code of a function, method or property, and of what is defined inside."""
    functions = (value.fget, value.fset) if isinstance(value, property) else (getattr(value, "__func__", value),)
    waiting = [function.__code__ for function in functions if isinstance(function, FunctionType)]
    while waiting:
        code = waiting.pop()
        yield code
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
