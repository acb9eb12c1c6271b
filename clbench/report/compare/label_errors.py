"""How far other test images would move the AP of every label, of records whose score files are here."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from clbench.errors import ClbenchError
from clbench.metrics.jackknife import map_error
from clbench.records.rows import Row
from clbench.report.compare.measured import is_small, last_scores

log = logging.getLogger(__name__)


def label_errors(
    rows: Iterable[Row], *, folders: Sequence[Path], data: Path | None = None
) -> dict[str, dict[str, float]]:
    """Return by content digest and label the standard error of the label's AP after the last session.

    From the test images of the growing test set (infinitesimal jackknife), as fractions. Records that clbench ships,
    whose score files are too large to be read unasked, or whose score files or data are not here, are left out; so are
    labels without a positive.
    """
    found = {}
    for record in (record for row in rows if not row.reference and is_small(row.first) for record in row.records):
        try:
            told = last_scores(record, folders=folders, data=data)
        except ClbenchError as error:
            log.debug("%s: no error from test images. %s", record.scenario.name, error)
            continue
        if told is None:
            continue
        scores, truth, _ = told
        each = {label: map_error(scores[:, [i]], truth[:, [i]]) for i, label in enumerate(record.labels)}
        found[record.content] = {label: error for label, error in each.items() if not math.isnan(error)}
    return found
