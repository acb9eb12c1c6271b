"""Query2Label: a transformer decoder whose queries are labels."""

from __future__ import annotations

from torch import Tensor, nn

from clbench.errors import UsageError
from clbench.nn.heads.base import LabelwiseHead
from clbench.nn.heads.cross_attention import Attention, check_heads, feed_forward, tokens
from clbench.nn.heads.growing_blocks import Blocks, normal, uniform
from clbench.nn.heads.positions import Positional, check_positional, sine


class EncoderLayer(nn.Module):
    """Self-attention of positions and a perceptron, each with residual, dropout and layer normalisation after it."""

    def __init__(self, d: int, *, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(d, heads=heads, dropout=dropout)
        self.ffn = feed_forward(d, hidden=hidden, dropout=dropout)
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        """Return the positions [B, N, d] after one layer; `position` is added to queries and keys."""
        placed = x + position
        x = self.norm1(x + self.drop(self.attention(placed, placed, x)[0]))
        encoded: Tensor = self.norm2(x + self.drop(self.ffn(x)))
        return encoded


class DecoderLayer(nn.Module):
    """Labels look at each other (optional), then at the map, then pass a perceptron.

    The label embedding joins the queries and keys of every attention and never the stream of values.
    """

    def __init__(self, d: int, *, heads: int, hidden: int, dropout: float, self_attention: bool) -> None:
        super().__init__()
        self.own = Attention(d, heads=heads, dropout=dropout) if self_attention else None
        self.own_norm = nn.LayerNorm(d) if self_attention else None
        self.cross = Attention(d, heads=heads, dropout=dropout)
        self.ffn = feed_forward(d, hidden=hidden, dropout=dropout)
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, label: Tensor, keys: Tensor, values: Tensor, *, maps: bool) -> tuple[Tensor, Tensor]:
        """Return (label features [B, M, d], attention over positions or empty)."""
        if self.own is not None and self.own_norm is not None:
            x = self.own_norm(x + self.drop(self.own(x + label, x + label, x)[0]))
        found, attention = self.cross(x + label, keys, values, maps=maps)
        x = self.norm1(x + self.drop(found))
        return self.norm2(x + self.drop(self.ffn(x))), attention


class Query2LabelHead(LabelwiseHead):
    """Encoder and decoder of a transformer with one learnable query per label.

    Query2Label (Liu et al., arXiv 2107.10834, section 3): the decoder starts from zero and the label embedding is added
    to the queries of every layer; one encoder layer goes before it. One feature for one label (OFOL).

    With `self_attention` labels attend to each other, so growing changes old logits even with every weight fixed;
    without it (SARL of SADCL, ECAI 2023) it does not. Options: `d`, `heads`, `hidden` width of the perceptrons,
    `encoders` and `decoders` layers, `dropout`, `positional`. Deviation: the published widths are d 2048, hidden 8192;
    queries and classifier rows grow in blocks.
    """

    def __init__(
        self,
        *,
        width: int,
        d: int = 512,
        heads: int = 4,
        hidden: int = 2048,
        encoders: int = 1,
        decoders: int = 2,
        dropout: float = 0.1,
        self_attention: bool = True,
        positional: Positional = "sine",
    ) -> None:
        super().__init__(width=width)
        check_heads(d=d, heads=heads)
        check_positional(positional, d=d)
        if encoders < 0 or decoders < 1 or not 0 <= dropout < 1:
            raise UsageError(
                f"head_options: encoders is {encoders}, decoders {decoders}, dropout {dropout};"
                " expected encoders >= 0, decoders >= 1, 0 <= dropout < 1.",
                hint="Query2Label uses encoders=1 decoders=2 dropout=0.1.",
            )
        self.d = d
        self.positional = positional
        self.entangled = self_attention
        self.projection = nn.Linear(width, d)
        self.encoder = nn.ModuleList(
            EncoderLayer(d, heads=heads, hidden=hidden, dropout=dropout) for _ in range(encoders)
        )
        self.decoder = nn.ModuleList(
            DecoderLayer(d, heads=heads, hidden=hidden, dropout=dropout, self_attention=self_attention)
            for _ in range(decoders)
        )
        self.norm = nn.LayerNorm(d)
        self.queries = Blocks(d, init=normal(1.0))
        self.weight = Blocks(d, init=uniform(d))
        self.bias = Blocks(init=uniform(d))

    def decode(self, features: Tensor, *, maps: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Return the label features [B, seen, d] and, with `maps`, the attention of every decoder layer."""
        h, w = features.shape[2:]
        x = self.projection(tokens(features))
        position = x.new_zeros(1)
        if self.positional == "sine":
            position = sine(h, w, d=self.d, device=x.device).to(x.dtype)
        for layer in self.encoder:
            x = layer(x, position)
        label = self.queries().unsqueeze(0)
        # in training each image needs a dropout mask of its own
        found = x.new_zeros(()).expand(x.shape[0] if self.training else 1, *label.shape[1:])
        attentions = []
        for layer in self.decoder:
            found, attention = layer(found, label, x + position, x, maps=maps)
            attentions.append(attention)
        return self.norm(found), attentions if maps else []

    def label_features(self, features: Tensor) -> Tensor:
        """Return each label's own feature, [B, seen, d]."""
        return self.decode(features)[0]

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return (weight [seen, d], bias [seen])."""
        return self.weight(), self.bias()

    def attention(self, features: Tensor) -> Tensor:
        """Return where each label looks in the last decoder layer: [B, heads, seen, N]."""
        return self.decode(features, maps=True)[1][-1]
