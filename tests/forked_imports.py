"""What the fork server imports: all that a run, a search and a report need. What is not there is not needed."""

import contextlib
import importlib

import numpy as np
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

with contextlib.suppress(ImportError):
    # what every process works out once: tiny's labels, the shapes that its pictures are made of, versions
    from clbench.data.scenes.scenes import known_scenes
    from clbench.train.environment import describe

    known_scenes(train=200, test=100).render(np.arange(0, 300, 4))
    describe(torch.device("cpu"), threads=1)

torch.set_num_threads(1)
