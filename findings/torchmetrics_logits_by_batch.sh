#!/usr/bin/env bash
# torchmetrics takes scores for logits, and puts them through a sigmoid, where one of a batch lies outside [0, 1]. It asks
# each batch by itself: a batch whose logits all happen to lie in [0, 1] stays as it is, among others that became
# probabilities. The average precision of the same scores then depends on how they were cut into batches.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python=$("$(dirname "$0")/with.sh" "$place" torch==2.14.1 torchmetrics==1.9.0 scikit-learn==1.9.1)
"$python" - <<'PY'
import torch
import torchmetrics
from sklearn.metrics import average_precision_score
from torchmetrics.classification import MultilabelAveragePrecision

print("torchmetrics", torchmetrics.__version__)
logits = torch.tensor([[-2.0, -1.0], [-0.5, 2.0], [3.0, -3.0], [0.2, 0.6], [0.9, 0.1], [0.4, 0.3]])
truth = torch.tensor([[0, 0], [1, 1], [1, 0], [0, 1], [1, 0], [0, 0]])


def in_batches_of(size: int) -> list[float]:
    metric = MultilabelAveragePrecision(num_labels=2, average=None)
    for begin in range(0, len(logits), size):
        metric.update(logits[begin : begin + size], truth[begin : begin + size])
    return [round(value, 4) for value in metric.compute().tolist()]


found = {size: in_batches_of(size) for size in (6, 3)}
for size, values in found.items():
    print(f"batches of {size}: average precision {values}")
print("scikit-learn:", [round(float(value), 4) for value in average_precision_score(truth, logits, average=None)])
assert found == {6: [0.8667, 1.0], 3: [0.9167, 1.0]}, "it is otherwise now"
PY
