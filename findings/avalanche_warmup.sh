#!/usr/bin/env bash
# Avalanche: LRSchedulerPlugin says that it resets the scheduler and the learning rate after each experience, but gives
# back the rate that the optimizer was made with, not the schedule's first: from the second experience on a warm-up
# starts at the full rate. LinearLR, which multiplies, goes on from there to ten times the full rate and stays there.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python=$("$(dirname "$0")/with.sh" "$place" torch==2.14.1 avalanche-lib==0.6.0)
cd "$place"
"$python" -W ignore - <<'PY'
from importlib.metadata import version

import torch
from avalanche.benchmarks import tensors_benchmark
from avalanche.training.plugins import EvaluationPlugin, LRSchedulerPlugin, SupervisedPlugin
from avalanche.training.supervised import Naive
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR

print("avalanche-lib", version("avalanche-lib"))
tasks = [(torch.zeros(4, 2), torch.zeros(4, dtype=torch.long))] * 3
makers = {
    "CosineAnnealingLR": lambda optimizer: CosineAnnealingLR(optimizer, T_max=4),
    "LambdaLR, warm-up": lambda optimizer: LambdaLR(optimizer, lambda epoch: min(1, (epoch + 1) / 4)),
    "LinearLR, warm-up": lambda optimizer: LinearLR(optimizer, start_factor=0.1, total_iters=3),
}


class Rates(SupervisedPlugin):
    def __init__(self):
        super().__init__()
        self.seen = []

    def before_training_epoch(self, strategy, **kwargs):
        self.seen.append(round(strategy.optimizer.param_groups[0]["lr"], 4))


found = {}
for name, make in makers.items():
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    rates = Rates()
    strategy = Naive(
        model=model,
        optimizer=optimizer,
        criterion=torch.nn.CrossEntropyLoss(),
        train_mb_size=4,
        train_epochs=4,
        plugins=[LRSchedulerPlugin(make(optimizer)), rates],
        evaluator=EvaluationPlugin(loggers=[]),
    )
    for experience in tensors_benchmark(train_tensors=tasks, test_tensors=tasks, task_labels=[0] * 3).train_stream:
        strategy.train(experience)
    found[name] = [rates.seen[start : start + 4] for start in (0, 4, 8)]
    print(f"{name}, rates of three experiences of four epochs: {found[name]}")
cosine = [0.1, 0.0854, 0.05, 0.0146]
assert found["CosineAnnealingLR"] == [cosine] * 3
raised, multiplied = [0.1, 0.05, 0.075, 0.1], [0.1, 0.4, 0.7, 1.0]
assert found["LambdaLR, warm-up"] == [[0.025, 0.05, 0.075, 0.1], raised, raised], "it warms up again now"
assert found["LinearLR, warm-up"] == [[0.01, 0.04, 0.07, 0.1], multiplied, multiplied], "it warms up again now"
PY
