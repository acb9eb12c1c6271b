#!/usr/bin/env bash
# torchmetrics: `ignore_index` of the ranking metrics does not leave the unknown entries out, as its documentation says.
# A photo whose labels are all unknown counts as ranked perfectly; one unknown label makes the coverage error that of
# all labels.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python=$("$(dirname "$0")/with.sh" "$place" torch==2.14.1 torchmetrics==1.9.0)
"$python" - <<'PY'
import torch
import torchmetrics
from torchmetrics.functional.classification import multilabel_coverage_error as coverage
from torchmetrics.functional.classification import multilabel_ranking_average_precision as precision
from torchmetrics.functional.classification import multilabel_ranking_loss as loss

print("torchmetrics", torchmetrics.__version__)
UNKNOWN = -1


def measured(scores, truth):
    scores, truth = torch.tensor(scores), torch.tensor(truth)
    return [round(float(metric(scores, truth, 3, ignore_index=UNKNOWN)), 4) for metric in (precision, loss, coverage)]


# the one true label stands second of three: precision 1/2, one of two pairs wrong, two labels to go through
photo = [0.9, 0.8, 0.3]
alone = measured([photo], [[0, 1, 0]])
with_unknown = measured([photo, photo], [[0, 1, 0], [UNKNOWN] * 3])
print("ranking precision, ranking loss, coverage error of one photo:", alone)
print("the same beside a photo of which nothing is known:           ", with_unknown)
assert alone == [0.5, 0.5, 2.0]
assert with_unknown == [0.75, 0.25, 2.5], "what is unknown is left out now"

# of the known labels the true one stands first, so one label is gone through
first = measured([[0.9, 0.2, 0.1]], [[1, 0, UNKNOWN]])
print("true label first, one label unknown:", first)
assert first == [1.0, 0.0, 3.0], "the coverage error is that of the known labels now"

# of the known labels the true one stands last, so the one pair there is is wrong
last = measured([[0.9, 0.8, 0.3]], [[0, 1, UNKNOWN]])
print("true label second of two, one label unknown:", last)
assert last == [0.5, 0.5, 3.0], "the loss is that of the known labels now"
PY
