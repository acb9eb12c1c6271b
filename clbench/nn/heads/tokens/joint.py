"""Label tokens and image tokens in one self-attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.errors import UsageError
from clbench.nn.heads.base import LabelwiseHead
from clbench.nn.heads.cross_attention import Attention, check_heads, feed_forward, tokens
from clbench.nn.heads.growing_blocks import Blocks, normal, uniform

WIDEST = 256


class JointHead(LabelwiseHead):
    """One learned token per label attends together with the image's positions; a label is read from its own token.

    HFP of KBK (arXiv 2608.30316, eq. 1-3): F = F_deep + G1(pool(F_mid)) + G2(F_deep) with perceptrons G, then blocks of
    self-attention over [F; S]. With `mid` False it is the head of HCP (AAAI 2025). Labels and positions all see each
    other, so growing moves old logits; with `isolated` a label's token is seen by itself alone and they stay.

    Options: `d` width, 0 for that of the map but at most 256; `heads`; `layers`, 0 for none (the paper: 1 for COCO, 3
    for VOC); `mid` adds the maps of the stage before the last; `isolated`.
    """

    def __init__(
        self, *, width: int, d: int = 0, heads: int = 4, layers: int = 1, mid: bool = True, isolated: bool = False
    ) -> None:
        super().__init__(width=width)
        d = d or min(width, WIDEST)
        check_heads(d=d, heads=heads)
        if layers < 0:
            raise UsageError(f"head_options.layers is {layers}, expected zero or more blocks.")
        self.wants_stages = self.mid = mid
        self.entangled = layers > 0 and not isolated
        self.isolated, self.d = isolated, d
        self.project = nn.Linear(width, d)
        self.deep = feed_forward(d, hidden=d) if mid else None
        self.early: nn.Module | None = None
        self.attention_blocks = nn.ModuleList(_Block(d, heads=heads) for _ in range(layers))
        self.queries = Blocks(d, init=normal(0.02))
        self.weight, self.bias = Blocks(d, init=uniform(d)), Blocks(init=uniform(d))

    def attach(self, shapes: Sequence[tuple[int, int, int]]) -> None:
        """Take the channels of the stage before the last. Raises UsageError where there is one stage alone."""
        if len(shapes) < 2:
            raise UsageError(
                "head 'joint' adds the maps of the stage before the last, and the backbone has one stage.",
                hint="Use head_options.mid=false.",
            )
        self.early = nn.Sequential(nn.Linear(shapes[-2][0], self.d), nn.ReLU(), nn.Linear(self.d, self.d))

    def positions(self, features: Tensor | Sequence[Tensor]) -> Tensor:
        """Return F [B, N, d]."""
        deep = features if isinstance(features, Tensor) else features[-1]
        f: Tensor = self.project(tokens(deep))
        if self.early is None or self.deep is None or isinstance(features, Tensor):
            return f
        middle = functional.adaptive_avg_pool2d(features[-2], (deep.shape[2], deep.shape[3]))
        richer: Tensor = f + self.early(tokens(middle)) + self.deep(f)
        return richer

    def label_features(self, features: Tensor) -> Tensor:
        """Return o_j of every label, [B, seen, d]."""
        image = self.positions(features)
        label: Tensor = self.queries().to(image.dtype).expand(image.shape[0], -1, -1)
        if not self.attention_blocks:
            # no token has met the image: what is left is each label's product with the mean position
            return label * image.mean(1, keepdim=True)
        for block in self.attention_blocks:
            image, label = block(image, label, isolated=self.isolated)
        return label

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return (weight [seen, d], bias [seen])."""
        return self.weight(), self.bias()


class _Block(nn.Module):
    def __init__(self, d: int, *, heads: int) -> None:
        super().__init__()
        self.norm, self.mlp_norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attention = Attention(d, heads=heads)
        self.mlp = feed_forward(d, hidden=2 * d)

    def forward(self, image: Tensor, label: Tensor, *, isolated: bool) -> tuple[Tensor, Tensor]:
        """Return both kinds of tokens after they looked at [image; label], or with `isolated` at image and self."""
        if not isolated:
            x = torch.cat([image, label], dim=1)
            x = self._finished(x, self.attention(*[self.norm(x)] * 3)[0])
            return x[:, : image.shape[1]], x[:, image.shape[1] :]
        seen = self.norm(image)
        looked = [self._alone(part, seen) for part in torch.split(label, 1, dim=1)]
        return self._finished(image, self.attention(seen, seen, seen)[0]), torch.cat(looked, dim=1)

    def _alone(self, label: Tensor, image: Tensor) -> Tensor:
        own = self.norm(label)
        both = torch.cat([image, own], dim=1)
        return self._finished(label, self.attention(own, both, both)[0])

    def _finished(self, x: Tensor, attended: Tensor) -> Tensor:
        x = x + attended
        result: Tensor = x + self.mlp(self.mlp_norm(x))
        return result
