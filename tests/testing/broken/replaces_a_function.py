"""A function of clbench."""

from collections.abc import Sequence
from typing import Any

from clbench import Session, Strategy


class ReplacesAFunction(Strategy):
    """Puts its own function in the place of one that everybody uses."""

    def begin_session(self, session: Session) -> None:
        super().begin_session(session)
        from clbench.metrics import of_session

        original = of_session.average_precisions

        def mine(*arguments: Sequence[Any]) -> Any:
            return original(*arguments)

        if original.__name__ != mine.__name__:
            of_session.average_precisions = mine
