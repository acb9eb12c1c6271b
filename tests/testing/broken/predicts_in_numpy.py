"""A network that is no tensor."""

import numpy as np
import torch
from torch import Tensor

from clbench import Session, Strategy


class PredictsInNumPy(Strategy):
    """Adds the answers of a second network, which NumPy computes."""

    def begin_session(self, session: Session) -> None:
        super().begin_session(session)
        if session.index == 0:
            self._second = np.zeros((768, 2), dtype=np.float32)

    def logits(self, images: Tensor) -> Tensor:
        logits = super().logits(images)
        logits[:, :2] += torch.tensor((images.flatten(1).numpy() @ self._second).tolist())
        return logits
