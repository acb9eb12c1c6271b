"""Avalanche's own plugins: which work on several labels per image in the shared loop, and what to use instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from clbench.errors import UsageError

Verdict = Literal["works", "fails", "does nothing", "is wrong"]


@dataclass(frozen=True)
class Stock:
    """What becomes of one plugin here: a verdict, why, and what to use instead."""

    verdict: Verdict
    why: str
    instead: str = ""


_ONE_CLASS = "it reads one class per image"
_OF_CLASSES = "it keeps images class by class, one class per image"

STOCK: dict[str, Stock] = {
    "AGEMPlugin": Stock(
        "fails", "it keeps pictures that no memory counts, behind an iterator no state can hold", "`agem`"
    ),
    "BiCPlugin": Stock("fails", _ONE_CLASS, "`bic`"),
    "CWRStarPlugin": Stock("fails", _ONE_CLASS, "`train.freeze: backbone`"),
    "CoPEPlugin": Stock("fails", "it looks for a layer that gives one class per image", "`icarl`"),
    "EWCPlugin": Stock("works", "gradients of whole batches; `ewc` takes one per image"),
    "EarlyStoppingPlugin": Stock(
        "does nothing", "it waits for evaluations that the loop does not make", "`clbench search`"
    ),
    "EvaluationPlugin": Stock(
        "does nothing", "its metrics are of one class per image, and it is asked for none", "the record"
    ),
    "FeatureDistillationPlugin": Stock("fails", "it asks the network for a method of its own", "`podnet`"),
    "FromScratchTrainingPlugin": Stock("fails", "it wants an optimiser with one group", "`begin_session`"),
    "GDumbPlugin": Stock("fails", _OF_CLASSES, "`er`, policy greedy"),
    "GEMPlugin": Stock("is wrong", "it keeps pictures that no memory counts", "`agem`"),
    "GSS_greedyPlugin": Stock("fails", _ONE_CLASS, "`ocdm` or `prs`"),
    "GenerativeReplayPlugin": Stock("fails", "it asks the network for pictures", "`er`"),
    "LFLPlugin": Stock("fails", "it asks the network for a method of its own", "`podnet`"),
    "LRSchedulerPlugin": Stock(
        "does nothing", "its schedule is of an optimiser that is not the loop's", "`train.schedule`"
    ),
    "LwFPlugin": Stock("fails", "it distils one class per image", "`lwf`"),
    "MASPlugin": Stock("works", "gradients of whole batches; `mas` takes one per image"),
    "MIRPlugin": Stock("fails", _OF_CLASSES, "`er`"),
    "RARPlugin": Stock("fails", "it mixes targets of two widths, and its memory is not counted", "`er`"),
    "RWalkPlugin": Stock("works", "with `train.accumulate: 1`: it clears gradients before each step"),
    "ReplayPlugin": Stock("fails", "it mixes targets of two widths, and its memory is not counted", "`er`"),
    "SynapticIntelligencePlugin": Stock(
        "is wrong", "on a CPU its copies of weights are the weights themselves", "`si`"
    ),
    "TrainGeneratorAfterExpPlugin": Stock("does nothing", "it trains a generator of pictures that nobody uses", "`er`"),
}
"""Avalanche 0.6's training plugins by class name."""


def is_stock(plugin: Any) -> bool:
    """Return whether a plugin's class is Avalanche's own."""
    return type(plugin).__module__.startswith("avalanche.")


def refuse_unusable(kind: type[Any], *, accumulate: int = 1) -> None:
    """Raise UsageError for a class of Avalanche's, or one made of it, that cannot be used here; say what can."""
    for base in kind.__mro__:
        found = STOCK.get(base.__name__) if base.__module__.startswith("avalanche.") else None
        if found is None:
            continue
        if found.verdict != "works":
            raise UsageError(
                f"Avalanche's {base.__name__} cannot be used here: {found.why}.",
                hint=f"Use {found.instead.replace('`', '')}. docs/strategy.md lists all of Avalanche's plugins.",
            )
        if base.__name__ == "RWalkPlugin" and accumulate != 1:
            raise UsageError(
                f"Avalanche's RWalkPlugin clears gradients before each step, and train.accumulate is {accumulate}.",
                hint="--set train.accumulate=1",
            )


def table() -> str:
    """Return all plugins as a table in Markdown."""
    lines = ["| plugin | verdict | why, or how | instead |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {one.verdict} | {one.why} | {one.instead or '–'} |" for name, one in STOCK.items()]
    return "\n".join(lines) + "\n"
