"""torch's compiler while nobody compiles: what torch itself asks of it then costs no import of it.

torch wraps parts of its optimisers in `torch._dynamo.disable` and calls `graph_break` at every step, and for these two
imports the whole compiler, with sympy and the distributed tensors. Neither does anything until something is compiled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from clbench.imports.deferred import is_deferred

DYNAMO = "torch._dynamo"


def disable(
    fn: Callable[..., Any] | None = None, recursive: bool = True, *, reason: str | None = None, wrapping: bool = True
) -> Callable[..., Any]:
    """Return `fn` as torch's own `disable` gives it, once the compiler is there; until then a call is a plain call."""
    if fn is None:
        return functools.partial(disable, recursive=recursive, reason=reason, wrapping=wrapping)

    @functools.cache
    def real() -> Callable[..., Any]:
        import torch._dynamo

        theirs: Callable[..., Any] = torch._dynamo.disable
        return theirs(fn, recursive, reason=reason, wrapping=wrapping)  # type: ignore[no-any-return]

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs) if is_deferred(DYNAMO) else real()(*args, **kwargs)

    return call


def graph_break(msg: str = "") -> None:
    """Do nothing, as torch's own does where nothing is traced."""
