"""Labels of a stream that no measure can be taken of."""

from __future__ import annotations

import numpy as np

from clbench.stream.stream import Stream, positives


def without_positives(stream: Stream) -> list[str]:
    """Return the labels, in arrival order, that no image of the fixed test set is known to have: they have no AP."""
    missing = np.flatnonzero(positives(stream.read_truth(stream.test_rows)) == 0)
    return [stream.labels[column] for column in missing.tolist()]
