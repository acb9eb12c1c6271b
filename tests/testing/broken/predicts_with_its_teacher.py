"""A second network that passes for a teacher."""

from torch import Tensor

from clbench import Session, Strategy
from clbench.nn.distil import frozen


class PredictsWithItsTeacher(Strategy):
    """Adds something of a frozen copy, whose parameters do not count."""

    def begin_session(self, session: Session) -> None:
        super().begin_session(session)
        self.teacher = frozen(self.net)

    def scores(self, images: Tensor) -> Tensor:
        return (self.net(images).float() + 0.0 * self.teacher(images).float().sum()).sigmoid()
