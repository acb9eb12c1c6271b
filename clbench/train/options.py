"""How a run is carried out, none of which may move a number."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

AUTO = -1
Kind = Literal["off", "maps", "pooled", "stages"]
"""Which features are stored."""


@dataclass(frozen=True)
class RunOptions:
    """How to run, none of which may move a number: where results go, on what, how often state is saved."""

    results: Path = Path("results")
    device: str = "auto"
    workers: int = AUTO
    """Processes that read pictures; AUTO decides by where they come from and what trains."""
    cores: int = 0
    """How many cores the run may count on; 0 means all of the machine's."""
    threads: int = 1
    cache: bool | None = None
    """Whether squashed pictures are kept on disk; None keeps them where that is small. `rrc` trains on whole ones."""
    features: Kind = "off"
    """Whether the features of a frozen backbone are kept on disk: its maps, or what the head pools of them."""
    save_minutes: float = 10.0
    save_steps: int = 0
    """Save every so many steps too; 0 means by time alone."""
    resume: bool = True
    keep_weights: bool = False
    """Keep the weights scored after every session, which `clbench explain` reads."""
    keep_scores: bool = False
    """Keep score files of sessions whose scores are too many to be held, too."""
