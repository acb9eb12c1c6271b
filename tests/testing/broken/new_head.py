"""Growth that throws away what was learned."""

from clbench import Session, Strategy
from clbench.nn.heads.by_name import build_head


class NewHead(Strategy):
    """Starts each session with a fresh head for all labels."""

    def begin_session(self, session: Session) -> None:
        self.net.head = build_head(self.head, width=self.net.backbone.width, options=self.head_options)
        self.net.head.grow(session.seen)
