"""What a record says of the machine and of the libraries that a run used."""

from __future__ import annotations

from importlib.metadata import version

import torch

from clbench.train.environment import describe


def test_the_environment_names_what_touches_pixels_numbers_weights_and_trials() -> None:
    found = describe(torch.device("cpu"), threads=1)
    for package in ("torch", "torchvision", "timm", "numpy", "scipy", "pillow", "safetensors"):
        assert found[package] == version(package)
    assert {"torchcodec", "optuna", "jpeg_decoder", "cpu_capability"} <= set(found)
    assert found["numpy_kernels"], "NumPy chooses its sort by what the processor can do"
