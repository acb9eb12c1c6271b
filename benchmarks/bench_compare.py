"""Average precision on resampled test images beside scikit-learn's in a loop, at the size of MS-COCO.

    python benchmarks/bench_compare.py [--quick]

40,137 images and 80 labels (a fifth of the images with --quick). Both get the same weights; their values are compared.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import numpy as np
from sklearn.metrics import average_precision_score

from clbench.cli.comparison import Comparison, main
from clbench.metrics.resample import draw_images, resampled_precisions


def measure(quick: bool) -> Iterator[Comparison]:
    images, labels, resamples = 40_137 // (5 if quick else 1), 80, 96 if quick else 1000
    rng = np.random.default_rng(0)
    truth = (rng.random((images, labels)) < 0.036).astype(np.int8)
    scores = (truth + rng.normal(size=truth.shape)).astype(np.float32)
    weights = draw_images(images, resamples, seed=0)
    ours, theirs = [], []
    for turn in range(3):
        start = time.process_time()
        found = resampled_precisions(scores, truth, weights)
        ours.append((time.process_time() - start) / (resamples * labels))
        start = time.process_time()
        peer = [average_precision_score(truth[:, k], scores[:, k], sample_weight=weights[:, turn]) for k in range(8)]
        theirs.append((time.process_time() - start) / 8)
        assert np.allclose(found[turn, :8], peer, rtol=1e-9)
    yield Comparison(
        "AP of a label on a resample",
        statistics.median(theirs) / statistics.median(ours),
        baseline="faster than scikit-learn's average_precision_score",
        at_least=20,
        detail=f"{1000 * statistics.median(ours):.3f} ms and {1000 * statistics.median(theirs):.2f} ms of CPU",
    )
    seconds = statistics.median(ours) * labels * 1000 * 10
    yield Comparison("ten rows, 1,000 resamples", seconds, unit="s", at_most=60, detail="CPU time of one core")


if __name__ == "__main__":
    main(measure, doc=__doc__)
