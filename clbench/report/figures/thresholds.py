"""CP, CR and CF1 over the threshold, from score files; a record alone holds two thresholds only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from clbench.metrics.f1 import cf1_harmonic, counts, cp, cr
from clbench.report.figures.curves import Line

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
FIGURES = {"CP": cp, "CR": cr, "CF1": cf1_harmonic}


def threshold_curves(
    scores: Mapping[tuple[str, str, int], Sequence[npt.NDArray[np.float32]]], *, truth: npt.NDArray[np.int8]
) -> dict[str, list[Line]]:
    """Return a list of lines for CP, CR and CF1 over `THRESHOLDS`.

    scores: (name, strategy, variant), as `curves.names` gives them, -> one matrix [n, K] per seed, probabilities after
    the last session; truth int8 [n, K] in {1, 0, -1}, in the same order.
    """
    found: dict[str, list[Line]] = {figure: [] for figure in FIGURES}
    for (name, strategy, variant), seeds in scores.items():
        decided = [[counts(matrix, truth, threshold=threshold) for threshold in THRESHOLDS] for matrix in seeds]
        for figure, compute in FIGURES.items():
            values = np.array([[compute(c) for c in row] for row in decided])
            std = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(len(THRESHOLDS), np.nan)
            found[figure].append(Line(name, strategy, variant, values.mean(axis=0), std, len(values)))
    return found
