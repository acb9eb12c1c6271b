"""What is taken of large packages, and where it lies in them; the rest of each is imported when it is used.

Avalanche's packages import everything it has, and with it wandb, torchmetrics, scipy and torchvision: more than torch
itself costs, for nothing that the loop uses. torchvision's import its models, and for one operator torch's compiler;
timm's import torchvision's and data sets of their own. A test holds each place against what the packages' own
`__init__` gives.
"""

from clbench.imports.deferred import Place
from clbench.imports.torch_compiler import disable, graph_break

LOOP = ("torch._dynamo", "avalanche.training.templates", "avalanche.benchmarks.scenarios.dataset_scenario")
"""Modules of the shared loop, in the order in which they are imported."""
PICTURES = ("torch._dynamo", "torchvision.transforms.v2.functional")
"""Modules with which pictures are resized and cut."""
MODELS = ("torch._dynamo", "timm")
"""Modules with the backbones."""
NAMED = {"matplotlib.axes": ("Axes",), "matplotlib.figure": ("Figure",)}
"""Classes that modules of the shared loop name in the types of what they might log."""

_SCENARIOS: dict[str, Place] = {
    "CLExperience": ".generic_scenario",
    "CLScenario": ".generic_scenario",
    "CLStream": ".generic_scenario",
    "DatasetExperience": ".dataset_scenario",
    "OnlineCLExperience": ".online",
}

_NORMS = [f"{kind}_{of}" for kind in ("IMAGENET_DEFAULT", "IMAGENET_DPN", "IMAGENET_INCEPTION", "OPENAI_CLIP")
          for of in ("MEAN", "STD")]  # fmt: skip
"""How pixels were normalised, by the names that timm's models ask its data for."""

PLACES: dict[str, dict[str, Place]] = {
    "avalanche": {},
    "avalanche.benchmarks": {
        "AvalancheDataset": ".utils.data",
        **{name: f".scenarios{place}" for name, place in _SCENARIOS.items()},
    },
    "avalanche.benchmarks.scenarios": _SCENARIOS,
    "avalanche.benchmarks.utils": {
        "AvalancheDataset": ".data",
        "ConstantSequence": ".flat_data",
        "TaskAwareSupervisedClassificationDataset": ".classification_dataset",
        "TaskLabels": ".data_attribute",
        "_make_taskaware_classification_dataset": ".classification_dataset",
    },
    "avalanche.evaluation": {
        "GenericPluginMetric": ".metric_definitions",
        "Metric": ".metric_definitions",
        "PluginMetric": ".metric_definitions",
    },
    "avalanche.evaluation.metrics": {"accuracy_metrics": ".accuracy", "loss_metrics": ".loss"},
    "avalanche.logging": {
        "BaseLogger": ".base_logger",
        "InteractiveLogger": ".interactive_logging",
        "TextLogger": ".text_logging",
    },
    "avalanche.models": {"MultiTaskModule": ".dynamic_modules", "avalanche_forward": ".utils"},
    "avalanche.training": {"LearningWithoutForgetting": ".regularization"},
    "avalanche.training.plugins": {
        "EWCPlugin": ".ewc",
        "EvaluationPlugin": ".evaluation",
        "LwFPlugin": ".lwf",
        "MASPlugin": ".mas",
        "SupervisedPlugin": ".strategy_plugin",
        "SynapticIntelligencePlugin": ".synaptic_intelligence",
    },
    "matplotlib": {},
    "matplotlib.pyplot": {},
    "timm.data": dict.fromkeys((*_NORMS, "DEFAULT_CROP_PCT"), ".constants"),
    "torch._dynamo": {"disable": disable, "graph_break": graph_break},
    "torchvision": {},
    "torchvision.io": {"decode_jpeg": ".image", "encode_jpeg": ".image"},
    "torchvision.models": {},
    "torchvision.ops": {},
    "torchvision.transforms": {"Compose": ".transforms", "InterpolationMode": ".functional"},
    "torchvision.transforms.v2": {},
}
