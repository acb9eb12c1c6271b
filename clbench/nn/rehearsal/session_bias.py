"""Two numbers per session that put the logits of its labels on one scale with the others."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clbench.nn.heads.growing_blocks import Blocks, zeros
from clbench.nn.losses import bce


class SessionBias(nn.Module):
    """z_j -> exp(a) z_j + b with one pair (a, b) for all labels of a session; a new pair is the identity, exactly.

    BiC (Wu et al., CVPR 2019, eq. 7) with alpha = exp(a): a negative alpha would turn every ranking of the session's
    labels around. A positive one leaves each label's average precision exactly as it was.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pairs = Blocks(2, init=zeros, trainable=False)
        self.sizes: list[int] = []

    def grow(self, k: int) -> None:
        """Add a pair for `k` new labels."""
        self.pairs.grow(1)
        self.sizes.append(k)

    def forward(self, logits: Tensor) -> Tensor:
        """Return the corrected logits [B, L] of the labels that have a pair."""
        parts = torch.split(logits, self.sizes, dim=1)
        corrected = [part * pair[0, 0].exp() + pair[0, 1] for part, pair in zip(parts, self.pairs.blocks, strict=True)]
        return torch.cat(corrected, dim=1)

    def fit(self, logits: Tensor, targets: Tensor, *, steps: int = 100) -> None:
        """Fit the newest pair to raw logits [n, L] and targets [n, L] in {0, 1, NaN} of held-out images.

        Minimises the binary cross-entropy of the newest labels' known entries; with none, or one kind only, the pair
        stays the identity, since its best values would be infinite.
        """
        z = logits[:, -self.sizes[-1] :].detach().double()
        y = targets[:, -self.sizes[-1] :].to(z)
        if not bool((y == 1).any() and (y == 0).any()):
            return
        pair = torch.zeros(2, dtype=torch.float64, device=z.device, requires_grad=True)
        optimizer = torch.optim.LBFGS([pair], max_iter=steps, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = bce(z * pair[0].exp() + pair[1], y, reduction="mean")
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        with torch.enable_grad():
            optimizer.step(closure)  # type: ignore[no-untyped-call]
        if bool(torch.isfinite(pair).all()):
            self.pairs.blocks[-1].data.copy_(pair.detach()[None])
