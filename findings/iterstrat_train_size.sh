#!/usr/bin/env bash
# iterative-stratification: MultilabelStratifiedShuffleSplit hands out all rows whatever `train_size` is; where both
# sizes are given it keeps their ratio alone. scikit-learn's splitters, whose words its documentation uses, leave the
# other rows out. Known since 2021: https://github.com/trent-b/iterative-stratification/issues/15
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python=$("$(dirname "$0")/with.sh" "$place" iterative-stratification==0.1.9 numpy==2.4.6 scikit-learn==1.9.1)
"$python" - <<'PY'
from importlib.metadata import version

import numpy as np
from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit
from sklearn.model_selection import ShuffleSplit

print("iterative-stratification", version("iterative-stratification"))
labels = (np.random.default_rng(0).random((1000, 5)) < 0.3).astype(int)
rows = np.zeros((1000, 1))
found = {}
for train, test in ((0.2, 0.2), (100, 300), (0.1, 0.4)):
    for splitter in (ShuffleSplit, MultilabelStratifiedShuffleSplit):
        parts = next(splitter(n_splits=1, train_size=train, test_size=test, random_state=0).split(rows, labels))
        found[train, test, splitter.__name__] = [len(part) for part in parts]
        print(f"train_size={train}, test_size={test}: {splitter.__name__} gives {[len(part) for part in parts]}")
for train, test in ((0.2, 0.2), (100, 300), (0.1, 0.4)):
    wanted = [round(size * 1000) if size < 1 else size for size in (train, test)]
    assert found[train, test, "ShuffleSplit"] == wanted
    sizes = found[train, test, "MultilabelStratifiedShuffleSplit"]
    assert sum(sizes) == 1000 and abs(sizes[0] - 1000 * train / (train + test)) < 20, "the sizes are kept now"
PY
