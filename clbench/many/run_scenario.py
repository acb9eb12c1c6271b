"""The door for Python: what `clbench run` does on the command line, as one function."""

from __future__ import annotations

import json
import operator
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clbench.errors import ClbenchError, DataError, RunError, UsageError
from clbench.plan.source import stand_in_text
from clbench.records.record import Record, read_record

if TYPE_CHECKING:
    from clbench.many.one import RunOutcome


class StandInWarning(UserWarning):
    """Generated pictures take the place of a data set that is not on this machine."""


class ChangedDataWarning(UserWarning):
    """A record that was there before is of labels or photos that have changed since."""


def run(
    scenario: str | Path,
    *,
    strategies: str | Path | Sequence[str | Path] | None = None,
    seeds: Sequence[int] | None = None,
    orders: int | Sequence[str] | None = None,
    set: Mapping[str, Any] | None = None,
    data: str | Path | None = None,
    results: str | Path = "results",
    device: str = "auto",
    jobs: int = 1,
) -> list[Record]:
    """Train and evaluate strategies on a scenario and return the records, one for each strategy and seed.

    `scenario` and `strategies` are names or paths of files; without `strategies`, `seeds` or `orders` the scenario's
    own are taken. `orders` are class orders: how many, the scenario's own first, or names such as `shuffle:1`. `set`
    changes values: `{"train.epochs": 1}` of the recipe, `{"er.memory": 400}` of one strategy, `{"head": "queries"}` of
    every strategy. `data` is the folder of the data set. Records are written below `results`; a run that is finished
    there is not repeated, and one that was stopped goes on where it was. `device` is `auto`, `cpu`, `cuda` or `cuda:N`.
    With `jobs` above 1 runs are shared between processes, which import the caller's script anew: it must have its calls
    under `if __name__ == "__main__":`. `jobs` moves no number.

    Every strategy runs once before any gets its second seed or order, and the records come in that order. Nothing is
    printed; where generated pictures stand in for the data set, a StandInWarning says so, and where the data of a
    record that was there before have changed since, a ChangedDataWarning. Raises UsageError for names
    or values that cannot be meant, DataError for missing or damaged data, ResultsError where nothing can be written,
    and RunError where runs failed: it names each, the others are finished and kept.

    >>> records = clbench.run("tiny", strategies=["naive"], set={"train.epochs": 1}, results="results")
    >>> records[0].strategy.name, records[0].seed
    ('naive', 0)
    >>> len(records[0].ap.growing), len(records[0].labels)  # the AP matrix: sessions by labels
    (3, 6)
    >>> clbench.run("tiny", strategies=["naiv"])
    Traceback (most recent call last):
      ...
    clbench.errors.UsageError: There is no strategy 'naiv'. Did you mean 'naive'?
    ...
    """
    from clbench.many.buildable import check_buildable
    from clbench.many.here import run_all
    from clbench.plan.place import check_writable
    from clbench.plan.plans import plan
    from clbench.records.data_since import changes_since
    from clbench.train.options import RunOptions

    plans = plan(
        str(scenario),
        strategies=_strategies(strategies),
        seeds=_seeds(seeds),
        orders=_orders(orders),
        sets=_settings(set),
        data=None if data is None else Path(data),
    )
    if plans[0].stand_in:
        text = stand_in_text(plans[0].scenario.dataset, pictures=plans[0].dataset)
        warnings.warn(text, StandInWarning, stacklevel=2)
    options = RunOptions(results=Path(results), device=device)
    if _whole(jobs, least=1) is None:
        raise UsageError(f"jobs: {jobs!r} is not a whole number from 1.")
    check_writable(options.results)
    check_buildable(plans, options)
    outcomes = run_all(plans, options, jobs=jobs)
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if failed:
        told = "\n".join(why_failed(failed))
        kind = kind_of_failure(failed, len(outcomes))
        raise kind(f"{len(failed)} of {len(outcomes)} runs failed.\n{told}") from failed[0].error
    records = [read_record(outcome.record) for outcome in outcomes if outcome.record is not None]
    for told in dict.fromkeys(
        filter(None, changes_since(records, scenario=str(plans[0].scenario_path), data=plans[0].root))
    ):
        warnings.warn(f"{plans[0].scenario.name}: {told}.", ChangedDataWarning, stacklevel=2)
    return records


def why_failed(failed: Sequence[RunOutcome]) -> list[str]:
    """Return what stopped runs, each reason once with the titles of all runs that it stopped."""
    titles: dict[str, list[str]] = {}
    for outcome in failed:
        titles.setdefault(str(outcome.error), []).append(outcome.plan.title)
    return [text if text.startswith(names[0]) else f"{', '.join(names)}: {text}" for text, names in titles.items()]


def kind_of_failure(failed: Sequence[RunOutcome], count: int) -> type[ClbenchError]:
    """Return UsageError or DataError where all `count` runs were refused as that, as a dry run is; else RunError."""
    for kind in (UsageError, DataError):
        if len(failed) == count and all(isinstance(outcome.error, kind) for outcome in failed):
            return kind
    return RunError


def _strategies(asked: object) -> list[str]:
    names = _listed("strategies", [asked] if isinstance(asked, (str, Path)) else asked, such_as="['naive', 'er']")
    for name in names:
        if not isinstance(name, (str, Path)):
            raise UsageError(f"strategies: {name!r} is not a strategy's name or the path of its file.")
    return [str(name) for name in names]


def _seeds(asked: object) -> list[int]:
    found = []
    for number in _listed("seeds", asked, such_as="[0, 1, 2]"):
        if (seed := _whole(number, least=0)) is None:
            raise UsageError(f"seeds: {number!r} is not a whole number from 0.")
        found.append(seed)
    return found


def _orders(asked: object) -> int | list[str]:
    if asked is not None and (count := _whole(asked, least=1)) is not None:
        return count
    names = asked if asked is None or isinstance(asked, (list, tuple)) else [None]
    if names and not all(isinstance(name, str) for name in names):
        raise UsageError(
            f"orders: {asked!r} is neither how many nor a list of names.", hint="Such as 5, or ['shuffle:1']."
        )
    return _listed("orders", names, such_as="['shuffle:1']")


def _listed(name: str, asked: object, *, such_as: str) -> list[Any]:
    """Return what was asked for as a list, which is empty where nothing was; an empty list may not mean everything."""
    if asked is None:
        return []
    if isinstance(asked, (str, Mapping)) or not isinstance(asked, Iterable):
        hint = "Values of a strategy go into set, such as {'er.memory': 400}." if isinstance(asked, Mapping) else ""
        raise UsageError(f"{name}: {asked!r} is no list, such as {such_as}.", hint=hint)
    found = list(asked)
    if not found:
        raise UsageError(f"{name}: the list is empty.", hint="Leave it out, and the scenario's own are taken.")
    return found


def _whole(number: object, *, least: int) -> int | None:
    """Return a whole number of Python or NumPy, or None where it is none or too small."""
    try:
        found = None if isinstance(number, bool) else operator.index(number)  # type: ignore[arg-type]
    except TypeError:
        return None
    return found if found is not None and found >= least else None


def _settings(asked: object) -> list[str]:
    if asked is None:
        return []
    if not isinstance(asked, Mapping):
        raise UsageError(f"set: {asked!r} is no mapping of names to values, such as {{'train.epochs': 1}}.")
    return [_setting(name, value) for name, value in asked.items()]


def _setting(name: object, value: Any) -> str:
    if not isinstance(name, str):
        raise UsageError(f"set: {name!r} is no name of a value, such as 'train.epochs'.")
    try:
        return f"{name}={json.dumps(value, default=_plain)}"
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"set: {name}: {value!r} is of type {type(value).__name__}, which no record can hold.",
            hint="Values are texts, numbers, true or false, None, lists and mappings of them.",
        ) from error


def _plain(value: Any) -> Any:
    """Return a number or an array of NumPy, or a tensor, as Python's own. Raises TypeError for anything else."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError
