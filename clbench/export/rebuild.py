"""From a description to the strategy that gives the scores, made by clbench's own code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from clbench.errors import ClbenchError, DataError
from clbench.export.description import Description
from clbench.export.tensors import KEPT, together
from clbench.method.strategy import Strategy, overrides
from clbench.nn.distil import drop_teachers
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy
from clbench.train.resume.finished import backbone_of
from clbench.train.resume.state import load_kept_values
from clbench.train.resume.structure import bare_sessions, grown_again


def shipped_kind(name: str) -> type[Strategy]:
    """Return the class of a strategy that clbench ships, the base class for "". Raises DataError for another."""
    if not name:
        return Strategy
    entry = next((one for one in catalog.strategies() if one.name == name and one.origin == "shipped"), None)
    if entry is None:
        raise DataError(f"model.json: strategy: '{name}' is none that clbench ships.", hint="Install a newer clbench.")
    return load_strategy(entry)


def rebuilt(kind: type[Strategy], description: Description) -> Strategy:
    """Return a strategy with the structure of the described model; its weights are anything, on the current device.

    Torch's global generator is left as it was. Raises ClbenchError for values that cannot be meant.
    """
    train = description.train
    _refuse_files(kind, description.fields)
    with torch.random.fork_rng(devices=[]):
        strategy = kind.configured(description.fields, source="model.json")
        strategy._train = train
        strategy.build(backbone_of(train), tuple(description.labels))
        sessions = bare_sessions(description.labels, new=description.new, all_seen=description.all_seen)
        for _ in grown_again(strategy, sessions, seed=0, device=torch.empty(0).device):
            pass
    drop_teachers(strategy)
    return strategy.eval()


def expected_shapes(kind: type[Strategy], description: Description) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of the described model, for which no memory is taken. Raises DataError."""
    try:
        with torch.device("meta"):
            return {name: tuple(tensor.shape) for name, tensor in scoring_state(rebuilt(kind, description)).items()}
    except ClbenchError as error:
        raise DataError(f"model.json: {error.message}", hint=error.hint) from error
    except (RuntimeError, ValueError, TypeError, OverflowError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"model.json: describes no model ({reason}).") from error


def own_scores(strategy: Strategy) -> bool:
    """Return whether scores need more of a strategy than its network."""
    return overrides(strategy, "scores") or overrides(strategy, "logits")


def scoring_state(strategy: Strategy) -> dict[str, Tensor]:
    """Return the tensors that scores follow from: the network's, or all where a strategy has scores of its own."""
    own = own_scores(strategy)
    return {name: tensor for name, tensor in strategy.state_dict().items() if own or name.startswith("net.")}


def put_in(strategy: Strategy, tensors: Mapping[str, Tensor], kept: Mapping[str, Any]) -> None:
    """Put tensors, and what is kept beside them, into a rebuilt strategy. Raises DataError where they do not fit."""
    state = {name: tensor for name, tensor in tensors.items() if not name.startswith(KEPT)}
    try:
        strategy.load_state_dict(state, strict=False)
        load_kept_values(strategy, together(dict(kept), tensors))
    except (RuntimeError, KeyError, AttributeError, TypeError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"model.json: kept: does not fit the strategy ({reason}).") from error


def _refuse_files(kind: type[Strategy], fields: Mapping[str, Any]) -> None:
    """Raise DataError for a field of free text: it may name a file, which is not in the folder."""
    for name, annotation in kind.fields_of().items():
        if annotation is str and name != "head" and fields.get(name):
            raise DataError(
                f"strategy '{kind.__name__}': {name} is '{fields[name]}'; what it names does not go with the model.",
                hint="Only models that consist of their tensors can be exported.",
            )
