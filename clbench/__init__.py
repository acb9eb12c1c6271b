"""clbench: the benchmark suite for continual multi-label learning."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

PROTOCOL = 2
"""Raised by one whenever a change of the code moves a number; part of every configuration digest."""

if TYPE_CHECKING:
    from clbench.export.model import load as load
    from clbench.many.run_scenario import ChangedDataWarning as ChangedDataWarning
    from clbench.many.run_scenario import StandInWarning as StandInWarning
    from clbench.many.run_scenario import run as run
    from clbench.method.batch import Batch as Batch
    from clbench.method.replay import Replay as Replay
    from clbench.method.session import LiveSession as Session
    from clbench.method.strategy import Strategy as Strategy
    from clbench.nn.exemplars import Exemplars as Exemplars
    from clbench.records.frame import load_results as load_results
    from clbench.train.avalanche_plugins import builtin as builtin

__all__ = [
    "PROTOCOL",
    "Batch",
    "ChangedDataWarning",
    "Exemplars",
    "Replay",
    "Session",
    "StandInWarning",
    "Strategy",
    "__version__",
    "builtin",
    "load",
    "load_results",
    "run",
]

_PUBLIC = {
    "Batch": ("clbench.method.batch", "Batch"),
    "ChangedDataWarning": ("clbench.many.run_scenario", "ChangedDataWarning"),
    "Exemplars": ("clbench.nn.exemplars", "Exemplars"),
    "Replay": ("clbench.method.replay", "Replay"),
    "Session": ("clbench.method.session", "LiveSession"),
    "StandInWarning": ("clbench.many.run_scenario", "StandInWarning"),
    "Strategy": ("clbench.method.strategy", "Strategy"),
    "builtin": ("clbench.train.avalanche_plugins", "builtin"),
    "load": ("clbench.export.model", "load"),
    "load_results": ("clbench.records.frame", "load_results"),
    "run": ("clbench.many.run_scenario", "run"),
}


def __getattr__(name: str) -> object:
    # torch costs seconds to import and half of the verbs never need it
    if name in _PUBLIC:
        from importlib import import_module

        module, attribute = _PUBLIC[name]
        return getattr(import_module(module), attribute)
    raise AttributeError(f"module 'clbench' has no attribute '{name}'")
