"""The one Avalanche template under which every strategy trains; the only module that imports avalanche.

Avalanche's loop, hooks and plugins are used as they are; everything of it that reads label values is not (its issue
#1021). What is overridden, and why:

* data: one flat view per session, order and augmentation drawn from names (Avalanche draws both from the global
  generator, so that evaluating more often would change the weights);
* growth: heads grow in `Strategy.begin_session` only (Avalanche also adapts the model during evaluation);
* optimiser: rebuilt per session, and checked to hold exactly the trainable parameters;
* evaluation: not done by the loop at all.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from clbench.data.pictures.read_ahead import death_told
from clbench.errors import ClbenchError, RunError
from clbench.imports.deferred import defer
from clbench.imports.home import spare_home
from clbench.imports.places import LOOP, NAMED, PLACES
from clbench.method.answers import answer, check_logits, exemplars
from clbench.method.batch import Batch
from clbench.method.global_batch import Parts, own_part, set_beside
from clbench.method.stock_plugins import is_stock, refuse_unusable
from clbench.method.stored import Replayable
from clbench.method.strategy import Strategy, overrides
from clbench.nn.backbones.by_name import Backbone
from clbench.nn.losses import MaskedCriterion, as_targets
from clbench.nn.modes import Modes, statistics_kept
from clbench.nn.shared.batch_norm import shared_norms
from clbench.nn.shared.ema import EMA
from clbench.nn.shared.ranks import rank, world
from clbench.ranks.together import average_gradients
from clbench.seeds import seed_torch
from clbench.spec.scenario import TrainSpec
from clbench.train.batches import SessionView, loader, steps_per_epoch
from clbench.train.loss_meter import LossMeter
from clbench.train.optimiser import check_holds_exactly, epochs, make_optimizer, make_schedule

with warnings.catch_warnings():
    # its imports warn about optional solvers and deprecated modules that nothing here uses
    warnings.simplefilter("ignore")
    spare_home()
    defer(PLACES, needed=LOOP, named=NAMED)
    from avalanche.benchmarks import AvalancheDataset
    from avalanche.benchmarks.scenarios import DatasetExperience
    from avalanche.training import plugins as avalanche_plugins
    from avalanche.training.templates import SupervisedTemplate
    from avalanche.training.utils import ParamData

__all__ = ["ParamData", "SharedLoop", "training_plugins"]


def training_plugins(name: str = "") -> dict[str, type[Any]]:
    """Return Avalanche's training plugins by class name; one that is known by `name` alone, without all the others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above: what was deferred is imported now
        if name in PLACES["avalanche.training.plugins"]:
            return {name: getattr(avalanche_plugins, name)}
        kinds = {name: getattr(avalanche_plugins, name) for name in dir(avalanche_plugins) if name.endswith("Plugin")}
    return {name: kind for name, kind in kinds.items() if isinstance(kind, type)}


class _NoEvaluator:
    """Takes the place of Avalanche's evaluator, whose label metrics are meaningless here."""

    def get_last_metrics(self) -> dict[str, float]:
        return {}


class SharedLoop(SupervisedTemplate):  # type: ignore[misc]
    """Trains one strategy on one session after the other.

    `on_step(epoch, step)` is called after every optimiser step, when all state is consistent; `start` and `restore`
    of `train_session` continue a session in its middle. While it waits for pictures it is in the context `waiting()`.
    """

    def __init__(
        self,
        *,
        strategy: Strategy,
        train: TrainSpec,
        seed: int,
        device: torch.device,
        workers: int = 0,
        on_step: Callable[[int, int], None] | None = None,
        waiting: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self.strategy = strategy
        self.train_spec = train
        self.seed = seed
        self.workers = workers
        self.on_step = on_step
        self.waiting = waiting
        self.own_plugins = answer(strategy, "plugins", strategy.plugins())
        for plugin in self.own_plugins:
            refuse_unusable(type(plugin), accumulate=train.accumulate)
        # to put the global batch together costs messages, which is for those that look at it
        self._recalls = overrides(strategy, "recall")
        self._looks = overrides(strategy, "after_step")
        self.scheduler: LRScheduler | None = None
        self.ema: EMA | None = None
        self.scaler = torch.amp.GradScaler(device.type, enabled=train.amp == "fp16" and device.type == "cuda")
        self.view: SessionView | None = None
        self.batch: Batch | None = None
        # ranks drop out different units; one process alone has no number in its seeds
        self._own_name = (rank(),) if world() > 1 else ()
        placeholder = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.0)
        super().__init__(
            model=strategy.net,
            optimizer=placeholder,
            criterion=MaskedCriterion(strategy.classification),
            train_mb_size=train.batch_size,
            train_epochs=train.epochs,
            eval_mb_size=train.batch_size,
            device=device,
            plugins=self.own_plugins,
            evaluator=_NoEvaluator(),
            eval_every=-1,
        )
        hooks = {name for name in dir(self.PLUGIN_CLASS) if name.startswith(("before_", "after_"))}
        for plugin in self.own_plugins:
            strange = [n for n in dir(plugin) if n.startswith(("before_", "after_")) and n not in hooks]
            if strange:
                raise RunError(f"plugin {type(plugin).__name__}: the loop has no hook '{strange[0]}'.")

    # ------------------------------------------------------------------ one session

    def train_session(
        self,
        view: SessionView,
        *,
        may: Replayable | None = None,
        start: tuple[int, int] = (0, 0),
        restore: Callable[[], None] | None = None,
    ) -> float:
        """Train on `view` from (epoch, step) `start` on and return the mean loss of the steps made, 0 without any.

        What is set beside batches must be among what `may` be replayed, where that is given. `restore` is called once
        everything is set up, before the first batch: it loads the state of a run that was interrupted at `start`.
        Raises NonFiniteLossError and OverBudgetError.
        """
        self.view = view
        self.may = may
        self.start = start
        self.restore = restore
        self.steps = steps_per_epoch(len(view), self.train_spec.batch_size)
        trains = answer(self.strategy, "trains", self.strategy.trains(view.session))
        self.train_epochs = epochs(self.train_spec, view.session) if trains else 0
        self.step_index = start[0] * self.steps + start[1]
        self.losses = LossMeter(self.device)
        self.between_steps = False
        """Whether everything is as a saved state may have it: after a step and before the next batch."""
        if not self.train_epochs:  # no step: no optimiser, no averaged weights, nothing for plugins to see
            self.ema = None
            return self.losses.mean()
        self.strategy.train()
        body = self.strategy.net.backbone
        for part in [body, *(inner for inner in body.modules() if isinstance(inner, Backbone))]:
            if not any(p.requires_grad for p in part.parameters()):
                part.eval()  # a frozen backbone keeps its batch statistics too, whatever is wrapped around it
        self.modes = Modes(self.strategy)
        experience = DatasetExperience(dataset=AvalancheDataset([view]), current_experience=view.session)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"avalanche\.")
            try:
                super().train([experience], eval_streams=[])
            finally:
                self._drop_loader()
        return self.losses.mean()

    def _drop_loader(self) -> None:
        """End the loader's processes now: torch reports dead ones at the next child's end, whoever is running then."""
        shut_down = getattr(getattr(self, "_batches", None), "_shutdown_workers", None)
        if shut_down is not None:
            shut_down()
        nothing: Iterator[Any] = iter(())
        self._batches = nothing

    def check_losses(self) -> None:
        """Raise NonFiniteLossError if a loss was not finite that nobody has looked at yet."""
        assert self.view is not None
        self.losses.check(session=self.view.session, epoch=self.epoch)

    # ------------------------------------------------------------------ Avalanche's set-up of a session

    def train_dataset_adaptation(self, **kwargs: Any) -> None:
        """Use the view as it is."""
        self.adapted_dataset = self.experience.dataset

    def make_train_dataloader(self, **kwargs: Any) -> None:
        """Make one loader for all remaining batches of the session."""
        assert self.view is not None
        self.dataloader = loader(
            self.view,
            batch_size=self.train_spec.batch_size,
            epochs=self.train_epochs,
            start=self.start,
            workers=self.workers,
            pin=self.device.type == "cuda",
        )

    def check_model_and_optimizer(self, **kwargs: Any) -> None:
        """Build the session's optimiser, schedule and averaged weights; growth has already happened."""
        assert self.view is not None
        self.optimizer: Optimizer = make_optimizer(
            self.strategy, self.train_spec, session=self.view.session, device=self.device
        )
        check_holds_exactly(self.optimizer, self.strategy)
        updates = -(-self.steps * self.train_epochs // self.train_spec.accumulate)
        self.scheduler = make_schedule(self.optimizer, self.train_spec, steps=updates)
        self.ema = EMA(self.strategy, decay=self.train_spec.ema) if self.train_spec.ema else None

    def model_adaptation(self, model: Any = None) -> Any:
        """Leave the model alone: it grows in `begin_session` and nowhere else."""
        return self.model

    def _before_training_exp(self, **kwargs: Any) -> None:
        self._seed_hooks("before session")
        super()._before_training_exp(**kwargs)

    def _after_training_exp(self, **kwargs: Any) -> None:
        # importance passes shuffle with the global generator: theirs must not depend on how many steps were just made
        self._seed_hooks("after session")
        with statistics_kept(self.strategy) if any(map(is_stock, self.own_plugins)) else contextlib.nullcontext():
            super()._after_training_exp(**kwargs)

    def _seed_hooks(self, name: str) -> None:
        assert self.view is not None
        seed_torch(self.seed, name, self.view.session)

    def _check_distributed_training_compatibility(self) -> bool:
        """Ranks are this module's business: batches, gradients and memories are shared here, not by plugins."""
        return True

    def _train_exp(self, experience: Any, eval_streams: Any = None, **kwargs: Any) -> None:
        self._batches = iter(self.dataloader)
        if self.start[0] >= self.train_epochs and self.restore is not None:
            self.restore()  # interrupted after the last step, before the session's end
        for epoch in range(self.start[0], self.train_epochs):
            self.epoch = epoch
            self._before_training_epoch(**kwargs)
            if self.restore is not None:
                self.restore()
                self.restore = None
            self.training_epoch(**kwargs)
            self.check_losses()
            self._after_training_epoch(**kwargs)
        self.between_steps = False

    # ------------------------------------------------------------------ one step

    def training_epoch(self, **kwargs: Any) -> None:
        """Run the rest of the current epoch, with Avalanche's hooks in Avalanche's order."""
        first = self.step_index - self.epoch * self.steps
        for step in range(first, self.steps):
            self.mbatch = self._next_batch()
            # randomness inside a step (dropout, drop path) is a function of its place, so nothing needs to be saved
            seed_torch(self.seed, "step", self.view.session, self.step_index, *self._own_name)  # type: ignore[union-attr]
            self.strategy._seed = (self.seed, self.view.session, self.step_index)  # type: ignore[union-attr]
            self.strategy._share = self.step_index / (self.steps * self.train_epochs)
            self._unpack_minibatch()
            self.strategy._parts = self.parts
            self._before_training_iteration(**kwargs)
            if self.step_index % self.train_spec.accumulate == 0:
                self.optimizer.zero_grad()
            self.loss = self._make_empty_loss()
            self._before_forward(**kwargs)
            self.modes.restore()
            self.mb_output = self.forward()
            self._after_forward(**kwargs)
            self.loss = self.loss + self.criterion()
            self._before_backward(**kwargs)
            self.backward()
            self._after_backward(**kwargs)
            self._before_update(**kwargs)
            self.optimizer_step()
            self._after_update(**kwargs)
            self._after_training_iteration(**kwargs)
            self.losses.note(self.loss, rows=self.batch.rows.tolist())  # type: ignore[union-attr]
            if self.losses.due:
                self.check_losses()
            self.step_index += 1
            self.between_steps = True
            if self.on_step is not None:
                self.on_step(self.epoch, step + 1)

    def _next_batch(self) -> Any:
        """Return the loader's next batch. Raises what a loader process could not read."""
        with self.waiting(), death_told(self.dataloader.num_workers):
            batch = next(self._batches)
        if isinstance(batch, ClbenchError):
            raise batch
        self.between_steps = False
        return batch

    def _unpack_minibatch(self) -> None:
        """Move the batch to the device and show it to the strategy as targets with NaN for unknown."""
        assert self.view is not None and self.mbatch is not None
        images, y, rows, positions = self.mbatch
        images = images.to(self.device, non_blocking=True)
        y = y.to(self.device, non_blocking=True)
        replayed = (positions >= self.view.fresh).to(self.device, non_blocking=True)
        logits = None
        if self.view.logits is not None:
            logits = self.view.logits[positions].to(self.device, non_blocking=True)
        batch = Batch(images=images, targets=as_targets(y), rows=rows, replayed=replayed, logits=logits)
        self.batch = batch
        self.parts = Parts(self._batch_length())
        recalled = None
        if self._recalls:
            self.modes.restore()  # whatever the step before has left
            recalled = self.strategy.recall(self.parts.whole_batch(batch))
            recalled = exemplars(self.strategy, "recall", recalled, seen=y.shape[1])
        if recalled is not None and len(recalled.rows):
            if self.may is not None:
                recalled = self.may.taken(recalled, strategy=self.strategy)
            self.parts = Parts(self.parts.fresh, beside=len(recalled.rows))
            own, places = own_part(recalled), range(rank(), len(recalled.rows), world())
            pictures = self.view.recalled(own.rows, step=self.step_index, places=places).to(self.device)
            batch, y = set_beside(batch, y, own, images=pictures)
        self.batch = batch
        self.mbatch = [batch.images, y, batch.rows]

    def _batch_length(self) -> int:
        """Return how many images the global batch of this step takes from the view."""
        assert self.view is not None
        step = self.step_index % self.steps
        size = self.train_spec.batch_size
        return len(self.view) - step * size if step == self.steps - 1 else size

    def forward(self) -> Tensor:
        """Return logits [B, seen]."""
        with self._precision(), shared_norms():
            logits: Tensor = self.model(self.mb_x)
        assert self.batch is not None
        check_logits(self.strategy, logits, shape=self.batch.targets.shape)
        return logits

    def criterion(self) -> Tensor:
        """Return the strategy's objective for the current batch. It is a scalar."""
        assert self.batch is not None
        with self._precision(), shared_norms():
            return answer(self.strategy, "loss", self.strategy.loss(self.batch, self.mb_output))

    def backward(self) -> None:
        """Backpropagate, scaled under fp16, divided when gradients accumulate."""
        loss = self.loss / self.train_spec.accumulate if self.train_spec.accumulate > 1 else self.loss
        self.scaler.scale(loss).backward(retain_graph=self.retain_graph)

    def optimizer_step(self) -> None:
        """Clip, step, schedule, average; then let the strategy look at the batch."""
        train = self.train_spec
        last = self.step_index + 1 == self.steps * self.train_epochs
        if (self.step_index + 1) % train.accumulate == 0 or last:
            average_gradients(p for group in self.optimizer.param_groups for p in group["params"])
            if train.clip_norm or train.clip_value:
                self.scaler.unscale_(self.optimizer)
                parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
                if train.clip_value:
                    torch.nn.utils.clip_grad_value_(parameters, train.clip_value)
                if train.clip_norm:
                    torch.nn.utils.clip_grad_norm_(parameters, train.clip_norm)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            if self.scheduler is not None:
                self.scheduler.step()
            if self.ema is not None:
                self.ema.update(self.strategy)
        if not self._looks:
            return
        assert self.batch is not None
        self.modes.restore()
        self.strategy.after_step(self.parts.whole_batch(self.batch), self.parts.whole(self.mb_output.detach()))

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if self.train_spec.amp == "off":
            return contextlib.nullcontext()
        kind = torch.bfloat16 if self.train_spec.amp == "bf16" else torch.float16
        return torch.autocast(self.device.type, dtype=kind)
