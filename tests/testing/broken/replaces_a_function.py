"""A function of clbench."""

from collections.abc import Sequence
from typing import Any

from clbench import Session, Strategy


class ReplacesAFunction(Strategy):
    """Puts its own function in the place of one that everybody uses."""

    def begin_session(self, session: Session) -> None:
        super().begin_session(session)
        from clbench.train import evaluate

        original = evaluate.average_precisions

        def mine(*arguments: Sequence[Any]) -> Any:
            return original(*arguments)

        if original.__name__ != mine.__name__:
            evaluate.average_precisions = mine
