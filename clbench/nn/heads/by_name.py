"""The heads by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import get_type_hints

import torch

from clbench.errors import UsageError, suggest
from clbench.files.field_words import choices, may_be
from clbench.nn.heads.base import Head, LabelwiseHead
from clbench.nn.heads.csra import CSRAHead
from clbench.nn.heads.graphs.cigcn import CIGCNHead
from clbench.nn.heads.graphs.gcn import GCNHead
from clbench.nn.heads.ml_decoder import MLDecoderHead
from clbench.nn.heads.mmdsr import MMDSRHead
from clbench.nn.heads.network import Network
from clbench.nn.heads.pooled import LinearHead, MaxPoolHead
from clbench.nn.heads.queries import QueriesHead
from clbench.nn.heads.query2label import Query2LabelHead
from clbench.nn.heads.tokens.ica import ICAHead
from clbench.nn.heads.tokens.joint import JointHead
from clbench.nn.sadcl import SARLHead

__all__ = ["HEADS", "CSRAHead", "Head", "LabelwiseHead", "LinearHead", "MLDecoderHead", "MMDSRHead", "MaxPoolHead",
           "Network", "QueriesHead", "Query2LabelHead", "SARLHead",
           "build_head", "check_head", "head_options"]  # fmt: skip

HEADS: dict[str, type[Head]] = {
    "linear": LinearHead,
    "maxpool": MaxPoolHead,
    "queries": QueriesHead,
    "q2l": Query2LabelHead,
    "mldecoder": MLDecoderHead,
    "csra": CSRAHead,
    "sarl": SARLHead,
    "mmdsr": MMDSRHead,
    "ica": ICAHead,
    "cigcn": CIGCNHead,
    "joint": JointHead,
    "gcn": GCNHead,
}


def head_options(name: str) -> dict[str, object]:
    """Return the options of the head `name` with their defaults. Raises UsageError for an unknown name."""
    if name not in HEADS:
        raise UsageError(
            f"head '{name}' is unknown.{suggest(name, HEADS)}", hint=f"Use one of: {', '.join(sorted(HEADS))}."
        )
    parameters = inspect.signature(HEADS[name].__init__).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in ("self", "width")}


def build_head(name: str, *, width: int, options: Mapping[str, object]) -> Head:
    """Return the head `name` for feature maps with `width` channels; it knows no label yet.

    Raises UsageError for an unknown name, an unknown option, or a value whose type is not the default's.
    """
    defaults, types = head_options(name), get_type_hints(HEADS[name].__init__)
    for option, value in options.items():
        if option not in defaults:
            raise UsageError(
                f"head_options.{option} is not an option of head '{name}'.{suggest(option, defaults)}",
                hint=f"Options: {', '.join(defaults) or 'none'}.",
            )
        few = choices(types[option])
        if few and not isinstance(defaults[option], bool) and value not in few:
            raise UsageError(
                f"head_options.{option} of head '{name}' is {value!r}.{suggest(str(value), few)}",
                hint=may_be(types[option], defaults[option]),
            )
        expected = type(defaults[option])
        fits = type(value) is expected or (expected is float and type(value) is int)
        if not fits:
            raise UsageError(
                f"head_options.{option} of head '{name}' is {value!r}, expected {expected.__name__}.",
                hint=may_be(types[option], defaults[option]),
            )
    kind: type[Head] = HEADS[name]
    return kind(width=width, **options)


def check_head(name: str, options: Mapping[str, object]) -> None:
    """Raise the UsageError that `build_head` would, without any memory and without a random number drawn."""
    with torch.device("meta"):
        build_head(name, width=64, options=options)
