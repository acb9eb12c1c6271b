"""Pictures where nobody looks."""

from clbench import Session, Strategy

ALBUM = []


class HidesPictures(Strategy):
    """Keeps pictures in its module, which no run saves."""

    def end_session(self, session: Session) -> None:
        ALBUM[:] = [session.images(session.rows[:5])]
