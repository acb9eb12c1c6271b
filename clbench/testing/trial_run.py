"""One run of a strategy on the battery's own world, under the real loop, with probes looking on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from clbench.method.stored import count_stored
from clbench.method.strategy import Strategy
from clbench.plan.plan import Plan
from clbench.stream.stream import Session, Stream
from clbench.testing.probe import Probe
from clbench.testing.reader import Reader
from clbench.testing.world import RECIPE, World, tiny_backbone
from clbench.train.events import Watch, silent
from clbench.train.randomness import seed_torch
from clbench.train.resume import state as states
from clbench.train.run import Run, RunOptions
from clbench.train.stream_as_seen import as_seen_by

if TYPE_CHECKING:
    from clbench.testing.subject import Subject


class Trial(Run):
    """A run whose stream, pictures and backbone are the battery's own; everything else is what users run."""

    def __init__(
        self,
        subject: Subject,
        *,
        world: World,
        folder: Path,
        seed: int = 1,
        probes: Sequence[Probe] = (),
        watch: Watch = silent,
        save_steps: int = 0,
    ) -> None:
        self.subject = subject
        self.world = world
        self.probes = probes
        self.reader = Reader(world.pictures)
        plan = Plan(
            scenario=world.spec,
            scenario_path=Path("check.yaml"),
            scenario_origin="shipped",
            stand_in=False,
            dataset="check",
            options={},
            root=None,
            entry=subject.entry,
            fields=subject.fields,
            train=RECIPE,
            seed=seed,
            origins={},
            changed_train=(),
            kind=subject.kind,
        )
        options = RunOptions(results=folder, device="cpu", cache=False, save_steps=save_steps)
        super().__init__(plan, options, watch=watch)

    # ------------------------------------------------------------------ the parts

    def _make_strategy(self) -> Strategy:
        return self.plan.new_strategy()

    def _make_stream(self) -> Stream:
        return as_seen_by(self.strategy, self.world.stream)

    def _make_source(self) -> Reader:
        return self.reader

    def _build_network(self) -> None:
        seed_torch(self.plan.seed, "weights")
        backbone = tiny_backbone()
        seed_torch(self.plan.seed, "build")
        self.strategy.build(backbone, self.stream.labels)
        self.strategy.to(self.device)

    # ------------------------------------------------------------------ the moments

    def _begin(self, session: Session, *, structure_only: bool) -> None:
        self._tell(lambda probe: probe.before_growth(self, session))
        self.reader.may_read = lambda: self._countable(session)
        super()._begin(session, structure_only=structure_only)
        self._tell(lambda probe: probe.after_growth(self, session))

    def _on_step(self, epoch: int, step: int) -> None:
        session = self.view.session
        self._tell(lambda probe: probe.after_step(self, session, self.loop.step_index))
        super()._on_step(epoch, step)

    def _evaluate(self, session: Session, *, mean_loss: float) -> None:
        pictures = self.world.pictures
        sealed, pictures.sealed = pictures.sealed, False
        self.reader.may_read = None
        super()._evaluate(session, mean_loss=mean_loss)
        pictures.sealed = sealed
        self._tell(lambda probe: probe.after_scoring(self, session))

    def _tell(self, moment: Callable[[Probe], None]) -> None:
        for probe in self.probes:
            if probe.problem is None:
                try:
                    moment(probe)
                except Exception as error:
                    probe.problem = error

    def _countable(self, session: Session) -> npt.NDArray[np.int64]:
        """Return the rows whose pictures may be read in a session: its own, those rehearsed in it, those stored."""
        view = getattr(self, "view", None)
        rehearsed = view.rows if view is not None and view.session == session.index else session.rows
        return np.concatenate([session.rows, rehearsed, count_stored(self.strategy, image_size=1).rows])

    # ------------------------------------------------------------------ what it leaves

    def answers(self) -> dict[str, bytes]:
        """Return name -> bytes of the score files."""
        return {path.name: path.read_bytes() for path in sorted(self.work.glob("scores-*.npy"))}

    def fingerprint(self) -> dict[str, bytes]:
        """Return name -> bytes of every tensor and value the strategy holds now."""
        state = states.strategy_state(self.strategy)
        found: dict[str, bytes] = {}
        _flatten(state["module"], "", found)
        _flatten(state["own"], "", found)
        return found


def _flatten(value: Any, name: str, found: dict[str, bytes]) -> None:
    if isinstance(value, torch.Tensor):
        found[name] = f"{value.dtype}{tuple(value.shape)}".encode() + value.detach().contiguous().numpy().tobytes()
    elif isinstance(value, dict):
        for key, item in value.items():
            _flatten(item, f"{name}.{key}".lstrip("."), found)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _flatten(item, f"{name}[{index}]", found)
    else:
        found[name] = msgspec.json.encode(value)
