"""Lanes beside a frozen transformer, one per session: class tokens that attend to a few summaries of the patches.

Selectors never see an image, and summaries are means of tokens: their keys and values are the means of the tokens' own.
So a lane costs about one token of the transformer. All lanes go through a block together, and products are arranged so
that no lane's numbers depend on how many there are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.errors import UsageError
from clbench.nn.backbones.transformer import HINT, embedded, in_heads, projected, queries_keys_values, transformer_of
from clbench.nn.heads.base import Head
from clbench.nn.heads.growing_blocks import Blocks, uniform
from clbench.nn.heads.network import Network


class LaneHead(Head):
    """A linear classifier per lane on the lane's own feature [B, T, D]; labels of lanes not given get 0."""

    def __init__(self, *, width: int) -> None:
        super().__init__(width=width)
        self.weight = Blocks(width, init=uniform(width))
        self.bias = Blocks(init=uniform(width))

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits [B, seen]."""
        rows = list(zip(self.weight.blocks, self.bias.blocks, strict=True))
        given = rows[-features.shape[1] :]
        logits = [functional.linear(features[:, t], *given[t]) for t in range(len(given))]
        return torch.cat([logits[0].new_zeros(len(features), self.seen - sum(len(w) for w, _ in given)), *logits], 1)

    def label_features(self, features: Tensor) -> Tensor:
        """Return the feature of each label's lane, [B, seen, D]; all lanes must be given."""
        sizes = torch.tensor([len(rows) for rows in self.weight.blocks], device=features.device)
        return features.repeat_interleave(sizes, dim=1)

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return (weight [seen, D], bias [seen])."""
        return self.weight(), self.bias()


class LaneNetwork(Network):
    """A frozen transformer with a lane per session: `selectors` [S, D] and prefixes [blocks, 2, P, D] each.

    In training the newest lane alone runs. The head is given unit vectors [B, T, D], the lanes' class tokens after the
    last norm. A lane starts with the transformer's own class token, without its position. Raises UsageError for other
    backbones.
    """

    inside_backbone = True

    def __init__(self, backbone: nn.Module, *, selectors: int, prompts: int, blocks: int) -> None:
        from clbench.imports.models import mlp

        model = transformer_of(backbone)
        if any(not isinstance(b.attn.k_norm, nn.Identity) or type(b.mlp) is not mlp.Mlp for b in model.blocks):
            raise UsageError("lanes know plain keys and plain hidden layers; this transformer has others.", hint=HINT)
        super().__init__(backbone.requires_grad_(False), LaneHead(width=int(backbone.width)))  # type: ignore[arg-type]
        self.shapes = (selectors, model.embed_dim), (min(blocks, len(model.blocks)), 2, prompts, model.embed_dim)
        self.selectors = nn.ParameterList()
        self.prefixes = nn.ParameterList()

    def grow(self) -> None:
        """Add a lane that starts as the last one; the first has orthonormal rows. Earlier ones stand still."""
        for kept, shape in zip((self.selectors, self.prefixes), self.shapes, strict=True):
            new = kept[-1].detach().clone() if len(kept) else _orthogonal(*shape)
            kept.requires_grad_(False)
            kept.append(nn.Parameter(new))

    def cost(self) -> float:
        """Return what scoring costs in passes through the backbone, by tokens: one, and S + 1 tokens for each lane."""
        model: Any = self.backbone.body.model  # type: ignore[union-attr]
        tokens = model.num_prefix_tokens + model.patch_embed.num_patches
        return 1.0 + len(self.selectors) * (self.shapes[0][0] + 1) / float(tokens)

    def maps(self, images: Tensor) -> Tensor:
        """Return the lanes' features [B, T, D], those of the newest lane alone in training."""
        model: Any = self.backbone.body.model  # type: ignore[union-attr]
        first = len(self.selectors) - 1 if self.training else 0
        selectors = torch.stack(list(self.selectors)[first:])
        prefixes = torch.stack(list(self.prefixes)[first:])
        with torch.no_grad():
            x = embedded(model, self.backbone.normalise(images))  # type: ignore[operator]
        c = model.cls_token.detach().expand(len(selectors), len(x), -1)
        for i, block in enumerate(model.blocks):
            with torch.no_grad():
                normed = block.norm1(x)
                q, k, v = queries_keys_values(block.attn, normed)
            prefix = prefixes[:, i] if i < prefixes.shape[1] else x.new_empty(len(c), 2, 0, x.shape[-1])
            c, selectors = lanes_after_block(block, c, selectors, normed=normed, k=k, v=v, prefix=prefix)
            if i + 1 < len(model.blocks):  # nobody looks at what the last block makes of the patches
                with torch.no_grad():
                    x = x + block.ls1(projected(block.attn, functional.scaled_dot_product_attention(q, k, v)))
                    x = x + block.ls2(block.mlp(block.norm2(x)))
        return functional.normalize(model.norm(c), dim=-1).transpose(0, 1)

    def features(self, images: Tensor) -> Tensor:
        """Return what the head takes, [B, T, D]."""
        return self.maps(images)


def lanes_after_block(
    block: Any, c: Tensor, s: Tensor, *, normed: Tensor, k: Tensor, v: Tensor, prefix: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the class tokens [T, B, D] and the selectors [T, S, D] of all lanes after a block.

    `normed` [B, N, D] are the tokens of the frozen stream that enter its attention, `k` and `v` [B, heads, N, D/heads]
    its keys and values, `prefix` [T, 2, P, D] the lanes' keys and values. Class tokens attend to prefix, to themselves
    and to summaries m_j = sum_i A_ji x_i, A = softmax(s x^T / sqrt(D)). What attention makes of summaries is dropped.
    """
    attention = block.attn
    heads, lanes, (batch, tokens, width) = attention.num_heads, len(c), normed.shape
    scores = torch.bmm(normed.reshape(1, -1, width).expand(lanes, -1, -1), block.norm1(s).transpose(1, 2))
    means = (scores.reshape(lanes, batch, tokens, -1) / width**0.5).softmax(dim=2)  # [T, B, N, S], transposed A
    qkv = _linear(attention.qkv, block.norm1(c)).reshape(lanes, batch, 3, heads, -1)
    own_q, own_k, own_v = qkv.unbind(2)  # [T, B, heads, D/heads]
    own_q = attention.q_norm(own_q) * attention.scale
    # laid out afresh, since a product's rounding depends on how its factors lie in memory
    prefix_k, prefix_v = in_heads(prefix, heads=heads).contiguous().unbind(1)  # [T, heads, P, D/heads]
    at_tokens = torch.stack([(k @ q.unsqueeze(-1)).squeeze(-1) for q in own_q])  # [T, B, heads, N]
    at_prefix = (own_q.transpose(1, 2).contiguous() @ prefix_k.transpose(2, 3).contiguous()).transpose(1, 2)
    at_own = (own_q * own_k).sum(-1, keepdim=True)
    weight = torch.cat([at_prefix, at_own, at_tokens @ means], dim=-1).softmax(-1)
    on_prefix, on_own, on_summaries = torch.split(weight, [prefix.shape[2], 1, means.shape[-1]], dim=-1)
    on_tokens = on_summaries @ means.transpose(2, 3)
    mixed = (on_prefix.transpose(1, 2).contiguous() @ prefix_v.contiguous()).transpose(1, 2) + on_own * own_v
    mixed = mixed + torch.stack([(part.unsqueeze(-2) @ v).squeeze(-2) for part in on_tokens])
    c = c + block.ls1(_linear(attention.proj, mixed.flatten(2)))
    s = s + block.ls1(block.norm1(s))
    return c + block.ls2(_mlp(block.mlp, block.norm2(c))), s + block.ls2(_mlp(block.mlp, block.norm2(s)))


def _linear(layer: Any, lanes: Tensor) -> Tensor:
    """Return a linear layer of [T, n, D] as one product per lane, all of one shape."""
    result = torch.bmm(lanes, layer.weight.T.expand(len(lanes), -1, -1))
    return result if layer.bias is None else result + layer.bias


def _mlp(mlp: Any, lanes: Tensor) -> Tensor:
    return _linear(mlp.fc2, mlp.norm(mlp.act(_linear(mlp.fc1, lanes))))


def _orthogonal(*shape: int) -> Tensor:
    """Return a tensor whose rows, all axes but the last flattened, are orthonormal where there is room."""
    rows = torch.empty(shape).flatten(0, -2)
    nn.init.orthogonal_(rows)
    return rows.reshape(shape)
