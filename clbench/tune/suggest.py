"""Suggestions of settings to try, by Optuna's samplers or one after the other: a function of what was tried before."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from clbench.errors import UsageError
from clbench.seeds import derive
from clbench.tune.space import Dimension, Range

Sampler = Literal["tpe", "random", "grid"]


def check_grid(dims: Sequence[Dimension], *, trials: int, source: str) -> None:
    """Raise UsageError where the combinations of all choices are fewer than `trials`, or cannot be counted."""
    for dim in dims:
        if isinstance(dim.domain, Range):
            raise UsageError(
                f"{source}: space.{dim.name} is a range, of which a grid has no end.",
                hint="List the values to try, or take the sampler tpe or random.",
            )
    size = math.prod(len(dim.domain) for dim in dims if not isinstance(dim.domain, Range))
    if trials > size:
        raise UsageError(
            f"{source}: trials is {trials}, and {', '.join(dim.name for dim in dims)} have {size} combinations.",
            hint=f"A grid tries each of them once: write trials: {size}, or fewer.",
        )


def import_optuna() -> Any:
    """Return the module; raises UsageError where it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise UsageError(
            f"A search needs Optuna, which is not installed ({error}).",
            hint='pip install -e ".[search]", in the checkout',
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def optuna_version() -> str:
    """Return the version of Optuna that suggests here. Raises UsageError where there is none."""
    return str(import_optuna().__version__)


def suggest(
    dims: Sequence[Dimension],
    *,
    past: Sequence[tuple[Mapping[str, Any], float]],
    count: int,
    sampler: Sampler,
    seed: int,
) -> list[dict[str, Any]]:
    """Return `count` settings to try at once after `past`, the settings tried before with what they reached.

    The same arguments give the same suggestions, in every process: nothing is remembered between calls. A grid goes
    through the combinations of all choices, the last name of the space fastest, and has fewer where it ends.
    """
    if sampler == "grid":
        choices = [[] if isinstance(dim.domain, Range) else dim.domain for dim in dims]
        combinations = itertools.islice(itertools.product(*choices), len(past), len(past) + count)
        return [{dim.name: value for dim, value in zip(dims, found, strict=True)} for found in combinations]
    optuna = import_optuna()
    number = derive("search", sampler, seed, len(past)) % 2**32
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the options below were called experimental in some versions
        if sampler == "random":
            chosen = optuna.samplers.RandomSampler(seed=number)
        else:
            # those suggested in one batch are kept apart: without the liar they would all be the same guess
            chosen = optuna.samplers.TPESampler(seed=number, multivariate=True, constant_liar=True)
        study = optuna.create_study(direction="maximize", sampler=chosen)
        known = {dim.name: _distribution(optuna, dim) for dim in dims}
        for settings, value in past:
            told = {dim.name: _told(dim, settings[dim.name]) for dim in dims}
            study.add_trial(optuna.trial.create_trial(params=told, distributions=known, value=value))
        asked = [study.ask(known).params for _ in range(count)]
    return [{dim.name: _meant(dim, params[dim.name]) for dim in dims} for params in asked]


def _distribution(optuna: Any, dim: Dimension) -> Any:
    if not isinstance(dim.domain, Range):
        return optuna.distributions.CategoricalDistribution(range(len(dim.domain)))
    low, high, log, step = dim.domain.low, dim.domain.high, dim.domain.log, dim.domain.step
    if dim.whole:
        return optuna.distributions.IntDistribution(int(low), int(high), log=log, step=int(step or 1))
    return optuna.distributions.FloatDistribution(float(low), float(high), log=log, step=step)


def _told(dim: Dimension, value: Any) -> Any:
    """Return a value as the sampler knows it: of choices, which may be of any kind, the place."""
    return value if isinstance(dim.domain, Range) else dim.domain.index(value)


def _meant(dim: Dimension, value: Any) -> Any:
    return dim.tidy(value) if isinstance(dim.domain, Range) else dim.domain[value]
