#!/usr/bin/env bash
# Avalanche: EarlyStoppingPlugin says that after training the best model is loaded. It is where patience ends training;
# where the epochs end first, the model of the last epoch stays, however bad, and is what the next experience starts
# from.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python=$("$(dirname "$0")/with.sh" "$place" torch==2.14.1 avalanche-lib==0.6.0)
cd "$place"
"$python" -W ignore - <<'PY'
from importlib.metadata import version

import torch
from avalanche.benchmarks import tensors_benchmark
from avalanche.evaluation.metrics import accuracy_metrics
from avalanche.training.plugins import EarlyStoppingPlugin, EvaluationPlugin, SupervisedPlugin
from avalanche.training.supervised import Naive

print("avalanche-lib", version("avalanche-lib"))
# the training labels are wrong, so that each epoch makes the model, right at first, worse
images = torch.ones(8, 1)
train, test = (images, torch.zeros(8, dtype=torch.long)), (images, torch.ones(8, dtype=torch.long))


def accuracy(metrics):
    return next(value for name, value in metrics.items() if name.startswith("Top1_Acc_Stream/eval_phase/test_stream"))


class Course(SupervisedPlugin):
    def __init__(self):
        super().__init__()
        self.seen = []

    def before_training_epoch(self, strategy, **kwargs):
        self.seen.append(accuracy(strategy.evaluator.get_last_metrics()))


found = {}
for patience in (2, 4):
    model = torch.nn.Linear(1, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0], [0.5]]))
        model.bias.zero_()
    course = Course()
    strategy = Naive(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=1.0),
        criterion=torch.nn.CrossEntropyLoss(),
        train_mb_size=8,
        train_epochs=4,
        eval_every=1,
        plugins=[EarlyStoppingPlugin(patience, "test_stream"), course],
        evaluator=EvaluationPlugin(accuracy_metrics(stream=True), loggers=[]),
    )
    benchmark = tensors_benchmark(train_tensors=[train], test_tensors=[test], task_labels=[0])
    strategy.train(benchmark.train_stream[0], eval_streams=[benchmark.test_stream])
    found[patience] = (max(course.seen), accuracy(strategy.eval(benchmark.test_stream)))
    print(f"patience {patience}, 4 epochs: accuracies {course.seen}, of the model afterwards {found[patience][1]}")
assert found == {2: (1.0, 1.0), 4: (1.0, 0.0)}, "the best model is loaded now"
PY
