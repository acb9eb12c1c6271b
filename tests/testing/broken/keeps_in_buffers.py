"""Pictures as a buffer."""

import torch

from clbench import Session, Strategy


class KeepsInBuffers(Strategy):
    """Registers the pictures of a session as if they were statistics, scaled and flat."""

    def begin_session(self, session: Session) -> None:
        super().begin_session(session)
        if session.index == 0:
            self.register_buffer("statistics", torch.zeros(5, 768, dtype=torch.float16))

    def end_session(self, session: Session) -> None:
        self.statistics.copy_(session.images(session.rows[:5]).flatten(1) / 255 - 0.5)
