#!/usr/bin/env bash
# torchmetrics and scikit-learn disagree on the ranking loss of equal scores: scikit-learn counts a tied pair as wrong,
# torchmetrics by the place of the labels, so that turning the columns round changes the loss and constant scores can
# have none.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python=$("$(dirname "$0")/with.sh" "$place" torch==2.14.1 torchmetrics==1.9.0 scikit-learn==1.9.1)
"$python" - <<'PY'
import sklearn
import torch
import torchmetrics
from sklearn.metrics import label_ranking_loss
from torchmetrics.functional.classification import multilabel_ranking_loss

print("torchmetrics", torchmetrics.__version__, "scikit-learn", sklearn.__version__)
scores = torch.full((1, 4), 0.5)
found = {}
for true_label in range(4):
    truth = torch.eye(4, dtype=torch.long)[true_label : true_label + 1]
    one = round(float(multilabel_ranking_loss(scores, truth, num_labels=4)), 4)
    other = float(label_ranking_loss(truth.numpy(), scores.numpy()))
    found[true_label] = (one, other)
    print(f"four equal scores, label {true_label} true: torchmetrics {one}, scikit-learn {other}")
assert found == {0: (1.0, 1.0), 1: (0.6667, 1.0), 2: (0.3333, 1.0), 3: (0.0, 1.0)}, "it is otherwise now"
PY
