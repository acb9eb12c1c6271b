"""A mark that is there only when somebody asks beforehand."""

import torch
from torch import Tensor

from clbench import Batch, Strategy


class SaysLeakEarly(Strategy):
    """Says `leak` as long as no network is built, and never once it takes hidden labels."""

    def marks(self) -> list[str]:
        return [] if hasattr(self, "net") else ["leak"]

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        assert self.session is not None
        table = self.session._source.table.y[batch.rows.numpy()][:, : logits.shape[1]]
        hidden = torch.from_numpy(table).float().clamp(min=0)
        return self.classification(logits, torch.where(batch.known, batch.targets, hidden))
