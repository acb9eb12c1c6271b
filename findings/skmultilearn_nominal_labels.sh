#!/usr/bin/env bash
# scikit-multilearn-ng: load_from_arff gives a label the place of its value among the declared ones, not the value.
# Where a file declares {1,0} and not {0,1} the whole label matrix is turned over, though it is said to be one of zeros
# and ones.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python=$("$(dirname "$0")/with.sh" "$place" scikit-multilearn-ng==0.0.8 liac-arff==2.5.0 numpy==2.4.6 scipy==1.17.1)
cd "$place"
"$python" - <<'PY'
from importlib.metadata import version

from scipy.io.arff import loadarff
from skmultilearn.dataset import load_from_arff

print("scikit-multilearn-ng", version("scikit-multilearn-ng"))
found = {}
for declared in ("{0,1}", "{1,0}"):
    with open("photos.arff", "w") as file:
        file.write("@relation photos\n@attribute size numeric\n")
        file.write(f"@attribute cat {declared}\n@attribute dog {declared}\n@data\n8,1,0\n9,0,0\n7,1,1\n")
    labels = load_from_arff("photos.arff", label_count=2, label_location="end")[1].toarray().tolist()
    names = [[int(row["cat"]), int(row["dog"])] for row in loadarff("photos.arff")[0]]
    print(f"labels declared {declared}: load_from_arff {labels}, scipy {names}")
    found[declared] = (labels, names)
truth = [[1, 0], [0, 0], [1, 1]]
assert found["{0,1}"] == (truth, truth)
assert found["{1,0}"] == ([[0, 1], [1, 1], [0, 0]], truth), "the values are read now"
PY
