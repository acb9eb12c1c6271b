"""Records as one pandas table: a row for each number, or a column for each measure."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from clbench.errors import ResultsError, UsageError, suggest
from clbench.files.user_folders import cache_folder
from clbench.metrics.continual import session_maps
from clbench.records.orders import shown_order
from clbench.records.record import Record
from clbench.records.store import record_scenario_id
from clbench.records.verify.findings import Verification
from clbench.records.verify.known_whole import Verdicts
from clbench.records.verify.verify import verify_all

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

RUN = ("scenario", "table", "order", "strategy", "head", "configuration", "settings", "seed", "marks", "trust")
"""The columns that say which run a number belongs to."""
PLACE = ("session", "label")
"""The columns that say where in a run: `session` is missing for the whole run, `label` for all labels together."""


def load_results(
    results: str | Path = "results", *, scenario: str = "", shape: Literal["long", "wide"] = "long"
) -> pd.DataFrame:
    """Return the records below the folder `results` as one table, each verified as it is read.

    Every row says of which run it is: `scenario`; `table`, the folder of results (rows of two tables may not be
    compared); `order`, the class order; `strategy`, `head`, `configuration` (eight digits of its digest), `settings`
    (what differs from the defaults), `seed`, `marks`, and `trust` (`consistent` or `unverified`, whose findings are
    logged).

    `session` counts from 0 and is missing (`<NA>`) where a number is of the whole run; `label` is missing where it is
    of all labels together. With `shape="long"` a row is one number, `measure` and `value`; numbers that are not defined
    have none. With `shape="wide"` a row is a run, session and label, with a column for each measure:

    - of a label after a session: `ap` (growing test set), `ap_fixed`, and `tp@0.5`, `fp@0.5`, … for each decision rule;
    - of a session: `session_map`, `session_map_fixed`, `images_seen`, `steps`, `stored_images`, `train_seconds`, …;
    - of a run: `average_map`, `last_map`, `forgetting`, `bwt`, `of1@0.5`, …, as `clbench.metrics.NAMES` defines them.

    AP, mAP and F1 are fractions, bytes and seconds say so in their names. `scenario` keeps the records of one scenario.
    Raises ResultsError where there are no records, UsageError for a scenario without any.

    >>> records = clbench.run("tiny", strategies=["naive"], set={"train.epochs": 1}, results="results")
    >>> frame = clbench.load_results("results", scenario="tiny")
    >>> curve = frame[frame.measure == "session_map"]
    >>> curve.session.tolist()
    [0, 1, 2]
    >>> wide = clbench.load_results("results", shape="wide")
    >>> run = wide[wide.session.isna()].iloc[0]
    >>> bool(run.last_map == records[0].summary["last_map"])
    True
    """
    if shape not in ("long", "wide"):
        raise UsageError(f"shape is {shape!r}; 'long' or 'wide' was expected.")
    folder = Path(results)
    verdicts = Verdicts(cache_folder() / "verdicts")
    found = verify_all(folder, check=verdicts.check)
    verdicts.save()
    if not found:
        raise ResultsError(f"{folder}: there are no records.", hint="Run something first: clbench run tiny")
    for outcome in found:
        for finding in outcome.findings[:3]:
            log.warning("%s: %s", outcome.path, finding)
    names = {outcome.record.scenario.name for outcome in found if outcome.record}
    if scenario and scenario not in names:
        raise UsageError(f"{folder}: there are no records of '{scenario}'.{suggest(scenario, names)}")
    wide = _wide(item for item in found if item.record and scenario in ("", item.record.scenario.name))
    if shape == "wide":
        return wide
    return wide.melt([*RUN, *PLACE], var_name="measure", value_name="value").dropna(subset="value", ignore_index=True)


def _wide(outcomes: Iterable[Verification]) -> pd.DataFrame:
    import pandas as pd

    blocks: list[pd.DataFrame] = []
    for outcome in outcomes:
        if outcome.record is None:
            continue
        run = _run(outcome.record) | {"trust": outcome.level}
        for block in (_of_labels(outcome.record), _of_sessions(outcome.record), _of_run(outcome.record)):
            blocks.append(pd.DataFrame(run | block))
    whole = pd.concat(blocks, ignore_index=True)
    return whole[[*RUN, *PLACE, *(name for name in whole.columns if name not in (*RUN, *PLACE))]]


def _run(record: Record) -> dict[str, Any]:
    changed = record.strategy.changed
    return {
        "scenario": record.scenario.name,
        "table": record_scenario_id(record),
        "order": shown_order(record),
        "strategy": record.strategy.name,
        "head": record.strategy.head,
        "configuration": record.configuration[:8],
        "settings": ", ".join(f"{name}={msgspec.json.encode(value).decode()}" for name, value in changed.items()),
        "seed": record.seed,
        "marks": ", ".join(record.marks),
    }


def _of_labels(record: Record) -> dict[str, Any]:
    sessions, labels = len(record.ap.growing), len(record.labels)
    matrices = {"ap": record.ap.growing, "ap_fixed": record.ap.fixed} | {
        f"{name}@{rule}": getattr(counts, name) for rule, counts in record.counts.items() for name in ("tp", "fp", "fn")
    }
    place = {"session": _sessions(np.repeat(np.arange(sessions), labels)), "label": record.labels * sessions}
    return place | {name: np.array(matrix, dtype=np.float64).ravel() for name, matrix in matrices.items()}


def _array(matrix: object) -> npt.NDArray[np.float64]:
    return np.array(matrix, dtype=np.float64)


def _of_sessions(record: Record) -> dict[str, Any]:
    sessions = len(record.ap.growing)
    found: dict[str, Any] = {"session": _sessions(np.arange(sessions)), "label": None}
    found |= {
        "session_map": session_maps(_array(record.ap.growing)),
        "session_map_fixed": session_maps(_array(record.ap.fixed)),
    }
    for parts in (record.costs, record.times.sessions):
        rows = [{k: v for k, v in msgspec.to_builtins(part).items() if k != "session"} for part in parts]
        for name in dict.fromkeys(name for row in rows for name in row):
            found[name] = np.array([row.get(name) for row in rows], dtype=np.float64)
    return found


def _of_run(record: Record) -> dict[str, Any]:
    numbers = record.summary | {"total_seconds": record.times.total_seconds}
    place: dict[str, Any] = {"session": _sessions([None]), "label": None}
    return place | {name: np.array([value], dtype=np.float64) for name, value in numbers.items()}


def _sessions(values: Any) -> Any:
    import pandas as pd

    return pd.array(values, dtype="Int64")
