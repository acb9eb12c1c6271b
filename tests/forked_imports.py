"""What the fork server imports: all that a run, a search and a report need. What is not there is not needed."""

import contextlib
import importlib

import torch

for name in (
    "clbench.cli.verbs.run",
    "clbench.cli.verbs.report",
    "clbench.train.run",
    "clbench.train.loop",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "optuna",
    "pandas",
    "scipy.sparse",
    "timm",
):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)

torch.set_num_threads(1)
