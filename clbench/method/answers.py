"""What the verbs of a strategy return, looked at where the loop takes it: whose line it was is known only there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from clbench.errors import RunError
from clbench.nn.exemplars import Exemplars

if TYPE_CHECKING:
    from clbench.method.strategy import Strategy

T = TypeVar("T")


class WrongAnswerError(RunError):
    """A verb returned something that the loop cannot use, such as nothing."""


def answer(strategy: Strategy, verb: str, value: T) -> T:
    """Return what `verb` returned. Raises WrongAnswerError where it is of no use, with the line of the verb."""
    fits, expected = _EXPECTED[verb]
    if not fits(value):
        raise WrongAnswerError(f"{_place(strategy, verb)} returned {_told(value)}; {expected} was expected.")
    return value


def check_built(strategy: Strategy) -> None:
    """Raise WrongAnswerError where `build` made no network."""
    if not isinstance(getattr(strategy, "net", None), nn.Module):
        raise WrongAnswerError(
            f"{_place(strategy, 'build')} makes no network self.net, which the loop trains.",
            hint="super().build(backbone, labels) makes one of the backbone and the head.",
        )


def _is_objective(value: object) -> bool:
    return isinstance(value, Tensor) and value.numel() == 1 and value.requires_grad


def _are_exemplars(value: object) -> bool:
    return value is None or isinstance(value, Exemplars)


def _is_truth(value: object) -> bool:
    return isinstance(value, (bool, np.bool_))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


_EXEMPLARS = (_are_exemplars, "clbench.Exemplars, such as a memory's, or None")
_EXPECTED: dict[str, tuple[Callable[[object], bool], str]] = {
    "loss": (_is_objective, "one number as a tensor that gradients flow through"),
    "rehearse": _EXEMPLARS,
    "recall": _EXEMPLARS,
    "trains": (_is_truth, "True or False"),
    "score_cost": (_is_number, "a number"),
    "plugins": (lambda value: isinstance(value, (list, tuple)), "a list"),
}


def _place(strategy: Strategy, verb: str) -> str:
    kind = next(kind for kind in type(strategy).__mro__ if verb in vars(kind))
    code = getattr(vars(kind)[verb], "__code__", None)
    where = f"{code.co_filename}, line {code.co_firstlineno}: " if code else ""
    return f"{where}{type(strategy).__name__}.{verb}"


def _told(value: Any) -> str:
    if value is None:
        return "nothing (None)"
    if isinstance(value, Tensor):
        shape = tuple(value.shape)
        flows = "" if value.requires_grad or not torch.is_grad_enabled() else " without a gradient"
        return f"a tensor of shape {shape}{flows}"
    return f"{value!r:.60} ({type(value).__name__})"
