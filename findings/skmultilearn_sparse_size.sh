#!/usr/bin/env bash
# scikit-multilearn-ng: load_from_arff with load_sparse=True takes the size of the table from its last written entry.
# Where no photo has the last label, the label columns slide into the features; photos at the end with nothing written
# are lost.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python=$("$(dirname "$0")/with.sh" "$place" scikit-multilearn-ng==0.0.8 liac-arff==2.5.0 numpy==2.4.6 scipy==1.17.1)
cd "$place"
"$python" - <<'PY'
from importlib.metadata import version

from scipy.sparse import csr_matrix
from skmultilearn.dataset import load_from_arff, save_to_arff

print("scikit-multilearn-ng", version("scikit-multilearn-ng"))
features, labels = [[5, 7], [4, 3], [0, 0]], [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
save_to_arff(csr_matrix(features), csr_matrix(labels), label_location="end", save_sparse=True, filename="photos.arff")
found = {}
for sparse in (False, True):
    tables = load_from_arff("photos.arff", label_count=3, label_location="end", load_sparse=sparse)
    found[sparse] = [table.toarray().tolist() for table in tables]
    print(f"load_sparse={sparse}: features {found[sparse][0]}, labels {found[sparse][1]}")
assert found[False] == [features, labels]
assert found[True] == [[[5], [4]], [[7, 1, 0], [3, 0, 1]]], "the declared size is kept now"
PY
