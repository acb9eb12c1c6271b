"""What the verbs of a strategy return, looked at where the loop takes it: whose line it was is known only there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from clbench.errors import ClbenchError, RunError
from clbench.nn.exemplars import Exemplars, as_exemplars

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


def exemplars(strategy: Strategy, verb: str, value: Exemplars | None, *, seen: int) -> Exemplars | None:
    """Return what `rehearse` or `recall` returned, in the types of exemplars, for a network of `seen` labels.

    Raises WrongAnswerError also for shapes that do not fit each other, more labels than were seen, and values that are
    no labels.
    """
    if answer(strategy, verb, value) is None:
        return None
    assert value is not None
    try:
        found = as_exemplars(value.rows, value.targets, value.logits)
    except ClbenchError as error:
        raise WrongAnswerError(f"{_place(strategy, verb)}: {error.message}", hint=error.hint) from error
    if found.targets.shape[1] > seen:
        raise WrongAnswerError(
            f"{_place(strategy, verb)} returned targets of {found.targets.shape[1]} labels; {seen} have been seen."
        )
    return found


def check_logits(strategy: Strategy, logits: object, *, shape: torch.Size) -> None:
    """Raise WrongAnswerError where the network gives a batch other than logits [B, seen]."""
    if not isinstance(logits, Tensor) or logits.shape != shape:
        told = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise WrongAnswerError(
            f"{type(strategy).__name__}: the network gave {told} for {shape[0]} images and {shape[1]} labels.",
            hint="begin_session grows the head to session.seen: super().begin_session(session) does it.",
        )


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
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return number and bool(0 <= value < float("inf"))  # type: ignore[operator]


def _are_plugins(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(map(_is_plugin, value))


def _is_plugin(value: object) -> bool:
    """Whether it is an object, and no class, that Avalanche's loop finds something to call of."""
    callbacks = (name for name in dir(value) if name.startswith(("before_", "after_")))
    return not isinstance(value, type) and any(callbacks)


_EXEMPLARS = (_are_exemplars, "clbench.Exemplars, such as a memory's, or None")
_EXPECTED: dict[str, tuple[Callable[[object], bool], str]] = {
    "loss": (_is_objective, "one number as a tensor that gradients flow through"),
    "rehearse": _EXEMPLARS,
    "recall": _EXEMPLARS,
    "trains": (_is_truth, "True or False"),
    "score_cost": (_is_number, "a number from 0"),
    "plugins": (_are_plugins, "a list of Avalanche's plugins, objects and no classes,"),
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
