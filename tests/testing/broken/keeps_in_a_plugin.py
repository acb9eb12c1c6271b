"""Pictures in a plugin."""

from typing import Any

from avalanche.training.plugins import SupervisedPlugin

from clbench import Strategy


class _Copies(SupervisedPlugin):
    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        self.memory = {0: strategy.mb_x.clone()}


class KeepsInAPlugin(Strategy):
    """Runs a plugin that copies pictures into a memory of its own, as Avalanche's GEM does."""

    def plugins(self) -> list[Any]:
        return [_Copies()]
