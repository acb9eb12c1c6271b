#!/usr/bin/env bash
# continuum: the release's backward transfer and forgetting leave out the task learnt just before, so that after two
# tasks both are 0 though the first is forgotten wholly; its forward transfer measures tasks already learnt. The
# development version differs, no release does: https://github.com/Continvvm/continuum/issues/291
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python=$("$(dirname "$0")/with.sh" "$place" numpy==2.4.6)
python3 -m pip install --quiet --disable-pip-version-check --no-deps --target "$place/peer" continuum==1.2.7
"$python" - "$place/peer/continuum/metrics/metrics.py" <<'PY'
import importlib.util
import sys

import numpy as np

# the metrics alone: the package asks for torch and much else before it gives them
place = importlib.util.spec_from_file_location("metrics", sys.argv[1])
metrics = importlib.util.module_from_spec(place)
place.loader.exec_module(metrics)
print("continuum 1.2.7")


def measured(matrix):
    """The metrics of a matrix of accuracies, whose row is the task trained last, by a hundred photos a task."""
    count = len(matrix)
    tasks = [np.repeat(np.arange(count), 100)] * count
    truth = [np.ones(100 * count)] * count
    said = [np.concatenate([np.arange(100) < 100 * share for share in row]).astype(float) for row in matrix]
    names = ("backward_transfer", "forgetting", "forward_transfer")
    return {name: round(float(getattr(metrics, name)(said, truth, tasks)), 4) for name in names}


# the mean of (later accuracy - accuracy when just learnt) is -1, of (best earlier - last accuracy) 1
two = measured([[1.0, 0.0], [0.0, 1.0]])
print("first of two tasks forgotten wholly:", two)
assert two == {"backward_transfer": 0.0, "forgetting": 0.0, "forward_transfer": 0.0}, "it is seen now"

# -0.5, -1 and -0.75 make -0.75; 1 and 0.75 make 0.875
three = measured([[1.0, 0.0, 0.0], [0.5, 1.0, 0.0], [0.0, 0.25, 1.0]])
print("three tasks, -0.75 and 0.875 by hand:", three)
assert three["backward_transfer"] == -0.3333 and three["forgetting"] == 0.5, "all are counted now"

# nothing is known of a task before it is learnt, nothing is lost after it
kept = measured([[1.0, 0.0], [1.0, 1.0]])
print("nothing known before, nothing lost after:", kept)
assert kept["forward_transfer"] == 1.0, "forward transfer looks forward now"
PY
