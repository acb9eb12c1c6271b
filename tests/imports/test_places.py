"""The loop imports what it needs of Avalanche, and everybody else still gets all of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LIGHT = """
import sys
import clbench.train.run, clbench.train.loop, clbench.imports.picture_functions
heavy = ["wandb", "torchmetrics", "scipy", "sklearn", "timm", "torchvision.models", "torchvision.ops", "sympy",
         "torch._dynamo.eval_frame", "avalanche.benchmarks.classic", "qpsolvers", "matplotlib.cbook"]
print(*(name for name in heavy if name in sys.modules))
"""

MODELS = """
import sys
from clbench.imports.models import timm
heavy = ["torchvision.models.resnet", "torchvision.ops.roi_align", "timm.data.dataset", "torch._dynamo.eval_frame"]
assert not [name for name in heavy if name in sys.modules]
assert timm.create_model("resnet10t", num_classes=3).num_classes == 3
"""

TRAINED = """
import torch
from clbench.imports.deferred import is_deferred
linear = torch.nn.Linear(2, 1)
optimiser = torch.optim.Adam(linear.parameters(), lr=0.1)
def step():
    linear(torch.ones(3, 2)).sum().backward()
    optimiser.step()
step()
assert is_deferred("torch._dynamo")
from clbench import builtin
plugin = builtin("EWCPlugin", options={"ewc_lambda": 1.0})
builtin("MASPlugin", options={"lambda_reg": 1.0})
assert is_deferred("avalanche.training.plugins") and is_deferred("torchvision")
"""

REAL = """
import importlib, pickle
from clbench.imports.deferred import is_deferred
from clbench.imports.places import PLACES
found = {(package, name): getattr(importlib.import_module(package), name)
         for package in PLACES for name in PLACES[package] if package != "torch._dynamo"}
for package in PLACES:
    dir(importlib.import_module(package))
    assert not is_deferred(package), package
for (package, name), value in found.items():
    assert getattr(importlib.import_module(package), name) is value, (package, name)
from matplotlib.figure import Figure
assert Figure.__module__ == "matplotlib.figure" and Figure().subplots()
from avalanche.training.plugins import EWCPlugin, ReplayPlugin
assert type(plugin) is EWCPlugin and type(pickle.loads(pickle.dumps(plugin))) is EWCPlugin
from avalanche.training.templates import SupervisedTemplate
from clbench.train.loop import SharedLoop, training_plugins
assert issubclass(SharedLoop, SupervisedTemplate) and training_plugins()["ReplayPlugin"] is ReplayPlugin
import timm.data, torchmetrics, torchvision, wandb
assert timm.data.ImageDataset and timm.data.create_transform(8) and torchvision.models.resnet18
from timm.models import create_feature_extractor
assert create_feature_extractor(timm.create_model("resnet10t"), ["layer1"])
assert torchmetrics.Accuracy and wandb.init
box = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
assert torchvision.ops.nms(box, torch.ones(1), 0.5).tolist() == [0]
picture, places = torch.ones(1, 3, 8, 8, device="meta"), torch.ones(1, 5, device="meta")
assert torch.ops.torchvision.roi_align(picture, places, 1.0, 2, 2, -1, False).shape == (1, 3, 2, 2)
step()
compiled = torch.compile(linear, backend="eager", fullgraph=True)
assert torch.equal(compiled(torch.ones(3, 2)), linear(torch.ones(3, 2)))
torch.compile(step, backend="eager")()
"""


def python(code: str, *, cwd: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_loop_imports_nothing_that_it_does_not_use(tmp_path: Path):
    assert python(LIGHT, cwd=tmp_path) == ""


def test_a_backbone_is_built_without_what_stands_beside_it(tmp_path: Path):
    python(MODELS, cwd=tmp_path)


def test_what_a_plugin_or_a_strategy_uses_is_the_real_thing(tmp_path: Path):
    python(LIGHT + MODELS + TRAINED + REAL, cwd=tmp_path)
