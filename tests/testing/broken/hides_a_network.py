"""A network that nobody counts."""

from torch import Tensor, nn

from clbench import Session, Strategy


class HidesANetwork(Strategy):
    """Adds the answers of a second network, which is no part of it."""

    def begin_session(self, session: Session) -> None:
        super().begin_session(session)
        if session.index == 0:
            self._second = [nn.Linear(768, 2, bias=False)]
            self._second[0].weight.data.zero_()

    def scores(self, images: Tensor) -> Tensor:
        logits = self.net(images).float()
        logits[:, :2] += self._second[0](images.flatten(1).float())
        return logits.sigmoid()
