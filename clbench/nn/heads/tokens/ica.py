"""One knowledge-transfer token that asks the image once per session."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.nn.heads.base import LabelwiseHead
from clbench.nn.heads.cross_attention import check_heads, tokens
from clbench.nn.heads.growing_blocks import Blocks, normal, uniform, zeros
from clbench.nn.heads.positions import Positional, check_positional, sine

WIDEST = 384


class ICAHead(LabelwiseHead):
    """One token shared by all sessions attends to the image beside a token of each session; a classifier per session.

    ICA of KRT (Dong et al., ICCV 2023, section 3.3): for session i the sequence [k, r_i, positions] goes through one
    shared class-attention block whose only query is k; the result e_i, normalised, meets the session's classifier. The
    logits of session i depend on k, r_i, the block and that classifier alone. All labels of a session share e_i.

    Options: `d` width, 0 for that of the map but at most 384 (COCO; the paper has 768 for VOC); `heads`; `positional`
    "sine" or "none". Deviation: sine encodings in place of learned ones, which would need the size of the map.
    """

    def __init__(self, *, width: int, d: int = 0, heads: int = 8, positional: Positional = "sine") -> None:
        super().__init__(width=width)
        d = d or min(width, WIDEST)
        check_heads(d=d, heads=heads)
        check_positional(positional, d=d)
        self.d, self.heads, self.positional = d, heads, positional
        self.sizes: list[int] = []
        self.asked = nn.Identity()
        """Passes the session tokens on unchanged: a place to look at them from outside."""
        self.project = nn.Linear(width, d)
        self.transfer = nn.Parameter(nn.init.trunc_normal_(torch.empty(d), std=0.02))
        self.norm, self.mlp_norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.q, self.k, self.v = (nn.Linear(d, d, bias=False) for _ in range(3))
        self.out = nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))
        for linear in (module for module in self.modules() if isinstance(module, nn.Linear)):
            nn.init.xavier_uniform_(linear.weight)
        self.retention = Blocks(d, init=normal(0.02))
        self.scale, self.shift = Blocks(d, init=nn.init.ones_), Blocks(d, init=zeros)
        self.weight, self.bias = Blocks(d, init=uniform(d)), Blocks(init=uniform(d))

    def rows_for(self, k: int, table: Blocks) -> int:
        """Return one row for the tables of sessions, one per label for the classifiers."""
        return k if table in (self.weight, self.bias) else 1

    def grow(self, k: int) -> None:
        """Add a session of `k` labels: its retention token, norm and classifier."""
        super().grow(k)
        self.sizes.append(k)

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.heads, -1).transpose(-2, -3)

    def session_tokens(self, features: Tensor) -> Tensor:
        """Return e_i of every session, [B, sessions, d], before the session's norm."""
        x = self.project(tokens(features))
        if self.positional == "sine":
            x = x + sine(*features.shape[2:], d=self.d, device=x.device).to(x.dtype)
        image = self.norm(x)
        keys, values = self._split(self.k(image)), self._split(self.v(image))
        own = self.norm(self.transfer[None])
        query = self._split(self.q(own)) * (self.d // self.heads) ** -0.5
        found = [self._asked(block, own, query, keys, values) for block in self.retention.blocks]
        return torch.cat(found, dim=1)

    def _asked(self, retention: Tensor, own: Tensor, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        # session by session: a product over all of them may round otherwise when one is added
        beside = torch.cat([own, self.norm(retention)])
        all_keys, all_values = (
            torch.cat([self._split(linear(beside)).expand(keys.shape[0], -1, -1, -1), image], dim=2)
            for linear, image in ((self.k, keys), (self.v, values))
        )
        attended = functional.scaled_dot_product_attention(
            query.expand(keys.shape[0], -1, -1, -1), all_keys, all_values, scale=1.0
        )
        e = self.transfer + self.out(attended.transpose(1, 2).flatten(2))
        result: Tensor = e + self.mlp(self.mlp_norm(e))
        return result

    def label_features(self, features: Tensor) -> Tensor:
        """Return what each label is decided on, [B, seen, d]: the normalised token of its session."""
        e = functional.layer_norm(self.asked(self.session_tokens(features)), (self.d,))
        named = [
            (e[:, i : i + 1] * scale + shift).expand(-1, k, -1)
            for i, (scale, shift, k) in enumerate(zip(self.scale.blocks, self.shift.blocks, self.sizes, strict=True))
        ]
        return torch.cat(named, dim=1)

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return (weight [seen, d], bias [seen])."""
        return self.weight(), self.bias()


def session_features(head: LabelwiseHead, features: Tensor) -> Tensor:
    """Return what `head` is held by, [B, n, d]: a token per session, or the feature of each label."""
    return head.session_tokens(features) if isinstance(head, ICAHead) else head.label_features(features)
