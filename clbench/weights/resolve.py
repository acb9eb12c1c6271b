"""From what `train.weights` says to what a configuration and a record call it, and to the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from clbench.errors import DataError, UsageError
from clbench.weights import hub
from clbench.weights.known_files import file_with, sha256_of, weights_folder
from clbench.weights.packages import PACKAGES, PREFIX, in_package
from clbench.weights.stand_in import STAND_IN

SHA256 = "sha256:"


@dataclass(frozen=True)
class Weights:
    """Weights that were looked for: what they are called, where they lie, their digest.

    `name` is "" for random weights, `hub` for the published ones of the backbone, `package:NAME`, whose file is known
    by its digest, `stand-in`, or `sha256:DIGEST` for any other file. `path` is None for random weights, where the hub
    still has to be asked, and where the stand-in's are still to be made.
    """

    name: str = ""
    path: Path | None = None
    sha256: str = ""


RANDOM = Weights()


def resolve(weights: str, *, backbone: str) -> Weights:
    """Return the weights that `weights` (`train.weights`) means for the timm model `backbone`; asks no network.

    A path becomes `hub` or `package:NAME` where its digest is the published one. Raises DataError where they are not
    on this machine, also those of the hub where HF_HUB_OFFLINE forbids to fetch them; UsageError for no digest.
    """
    if not weights:
        return RANDOM
    if weights == STAND_IN:
        return Weights(STAND_IN)
    if weights == hub.HUB:
        return _of_hub(hub.cached(backbone), backbone)
    if weights.startswith(PREFIX):
        package = weights.removeprefix(PREFIX)
        return Weights(weights, in_package(package, backbone=backbone), PACKAGES[package].sha256)
    path = _with_digest(weights) if weights.startswith(SHA256) else Path(weights).expanduser()
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise DataError(
            f"train.weights: {path} does not exist."
            if isinstance(error, FileNotFoundError)
            else f"train.weights: {path} cannot be read ({error.strerror}).",
            hint="Give a weights file, 'hub' for timm's hub, or leave it empty for random weights.",
        ) from error
    return Weights(name_of(digest, backbone=backbone), path, digest)


def name_of(sha256: str, *, backbone: str) -> str:
    """Return what a file with that digest is called in a configuration."""
    for package, carried in PACKAGES.items():
        if carried.sha256 == sha256 and carried.backbone == backbone.partition(".")[0]:
            return PREFIX + package
    return hub.HUB if hub.is_published(sha256, backbone=backbone) else SHA256 + sha256


def fetched(weights: Weights, *, backbone: str) -> Weights:
    """Return the same weights, those of the hub fetched where they are not here. Raises DataError."""
    if weights.name != hub.HUB or weights.path is not None:
        return weights
    path = hub.fetched(backbone)
    return Weights(hub.HUB, path, sha256_of(path))


def _of_hub(path: Path | None, backbone: str) -> Weights:
    if path is None and hub.is_offline():
        raise DataError(
            f"train.weights: hub: the weights of '{backbone}' are not on this machine, and HF_HUB_OFFLINE is set.",
            hint=hub.hint(backbone),
        )
    return Weights(hub.HUB, path, "" if path is None else sha256_of(path))


def _with_digest(weights: str) -> Path:
    digest = weights.removeprefix(SHA256)
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise UsageError(f"train.weights: '{weights}': after {SHA256} stand 64 hexadecimal digits.")
    path = file_with(digest)
    if path is None:
        raise DataError(
            f"train.weights: no file with {SHA256}{digest[:12]}… is known on this machine.",
            hint=f"Put it into {weights_folder()}, or give its path as train.weights.",
        )
    return path
