"""What a function consists of."""

from clbench import Session, Strategy
from clbench.nn import losses


class ChangesCode(Strategy):
    """Leaves every function where it is and gives one of them another default."""

    def begin_session(self, session: Session) -> None:
        super().begin_session(session)
        losses.asl.__kwdefaults__ = {**losses.asl.__kwdefaults__, "clip": 0.5}
