"""SADCL's semantic-aware label representations and their projection."""

from __future__ import annotations

from torch import nn

from clbench.nn.heads.positions import Positional
from clbench.nn.heads.query2label import Query2LabelHead


class SARLHead(Query2LabelHead):
    """Encoder and decoder whose labels look at the image but never at each other: SADCL's label representations.

    SARL of SADCL (ECAI 2023), confirmed in the authors' code: one encoder layer over the positions, two decoder layers
    without self-attention whose target starts at zero, label embeddings added to the queries and never to the stream of
    values, one classifier row per label. One feature for one label (OFOL), so growing leaves old labels alone.

    Options as for `q2l`; `encoders=0` is the variant SARL* of its ablation. Deviation: the published widths are d 2048,
    hidden 8192 without a projection of the map; the defaults here are small (reconstructed).
    """

    def __init__(
        self,
        *,
        width: int,
        d: int = 256,
        heads: int = 4,
        hidden: int = 1024,
        encoders: int = 1,
        decoders: int = 2,
        dropout: float = 0.1,
        positional: Positional = "sine",
    ) -> None:
        super().__init__(
            width=width,
            d=d,
            heads=heads,
            hidden=hidden,
            encoders=encoders,
            decoders=decoders,
            dropout=dropout,
            self_attention=False,
            positional=positional,
        )


def projection(d: int, *, out: int) -> nn.Sequential:
    """Return the map that features, bank and prototypes pass before they are contrasted: d to d to `out`.

    Confirmed in SADCL's code, at widths of 2048 and 1024.
    """
    return nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, out))
