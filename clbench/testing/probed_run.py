"""One run of a strategy on the battery's own world, under the real loop, with probes looking on."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from clbench.files.file_digest import file_sha256
from clbench.method.strategy import Strategy
from clbench.plan.catalog import Entry
from clbench.plan.plan import Plan
from clbench.stream.stream import Session
from clbench.testing.reader import Reader
from clbench.testing.world import RECIPE, World, tiny_backbone, tiny_transformer
from clbench.train.assembly import Parts, Phase
from clbench.train.events import Event, StepEnded, Watch, several, silent
from clbench.train.resume import state as states
from clbench.train.run import Run, RunOptions


@dataclass(frozen=True)
class Left:
    """What a finished run leaves: its record, the folder of its score files, and digests of what the strategy holds."""

    record: str
    work: str
    fingerprint: dict[str, str]

    def answers(self) -> dict[str, str]:
        """Return name -> digest of the score files as they are now."""
        return {path.name: file_sha256(path) for path in sorted(Path(self.work).glob("scores-*.npy"))}


class _Told:
    """Hands the digests of score files on to another process at once."""

    def __init__(self, tell: Callable[[Any], None]) -> None:
        self._tell = tell
        self._noted: dict[str, str] = {}

    def note(self, name: str, digest: str) -> None:
        self._tell([name, digest])
        self._noted.setdefault(name, digest)

    def noted(self) -> dict[str, str]:
        return self._noted


class Probe:
    """Looks at a run at named moments; every method may do nothing. `problem` keeps the first thing it found."""

    def __init__(self) -> None:
        self.problem: Exception | None = None
        self.note = ""
        """What is to be known besides."""

    def before_growth(self, trial: ProbedRun, session: Session) -> None:
        """Before `begin_session`."""

    def after_growth(self, trial: ProbedRun, session: Session) -> None:
        """After `begin_session`."""

    def after_step(self, trial: ProbedRun, session: int, step: int) -> None:
        """After the `step`-th optimiser step of a session, counted from one."""

    def after_scoring(self, trial: ProbedRun, session: Session) -> None:
        """After a session was trained and evaluated."""


class ProbedRun:
    """A run whose stream, pictures and backbone are the battery's own; everything else is what users run."""

    def __init__(
        self,
        kind: type[Strategy],
        *,
        entry: Entry,
        fields: dict[str, Any],
        world: World,
        folder: Path,
        seed: int = 1,
        probes: Sequence[Probe] = (),
        watch: Watch = silent,
        save_steps: int = 0,
        tell: Callable[[Any], None] = lambda _: None,
    ) -> None:
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
            entry=entry,
            fields=fields,
            train=RECIPE,
            seed=seed,
            origins={},
            changed_train=(),
            kind=kind,
        )
        parts = Parts(
            stream=lambda _: world.stream,
            source=lambda *_, **__: self.reader,
            backbone=lambda _: tiny_transformer() if kind.inside_transformer else tiny_backbone(),
            around=self._around,
            keeps_sources=False,  # its scenario lies in no file
            witness=lambda: nullcontext(_Told(tell)),
        )
        options = RunOptions(results=folder, device="cpu", cache=False, save_steps=save_steps)
        self.run = Run(plan, options, watch=several(self._hear, watch), parts=parts)

    def carry_out(self) -> None:
        """Carry the run out. Raises what stops it."""
        self.run.carry_out()

    # ------------------------------------------------------------------ the moments

    @contextmanager
    def _around(self, run: Run, phase: Phase, session: Session | None) -> Iterator[None]:
        if session is None or phase == "session":
            yield
        elif phase == "growth":
            self._tell(lambda probe: probe.before_growth(self, session))
            self.reader.may_read = lambda: self._countable(session)
            yield
            self._tell(lambda probe: probe.after_growth(self, session))
        else:
            pictures = self.world.pictures
            sealed, pictures.sealed = pictures.sealed, False
            self.reader.may_read = None
            yield
            pictures.sealed = sealed
            self._tell(lambda probe: probe.after_scoring(self, session))

    def _hear(self, event: Event) -> None:
        if isinstance(event, StepEnded):
            self._tell(lambda probe: probe.after_step(self, event.session, event.step))

    def _tell(self, moment: Callable[[Probe], None]) -> None:
        for probe in self.probes:
            if probe.problem is None:
                try:
                    moment(probe)
                except Exception as error:
                    probe.problem = error
                    traceback.clear_frames(error.__traceback__)  # they hold what the probe has looked at

    def _countable(self, session: Session) -> npt.NDArray[np.int64]:
        """Return the rows whose pictures may be read in a session: its own, and those counted after the one before."""
        return np.concatenate([session.rows, self.run.counted])

    # ------------------------------------------------------------------ what it leaves

    def left(self) -> Left:
        """Return what the run has left, now that it is over."""
        return Left(record=str(self.run.record), work=str(self.run.work), fingerprint=self.fingerprint())

    def fingerprint(self) -> dict[str, str]:
        """Return name -> digest of every tensor and value the strategy holds now."""
        state = states.strategy_state(self.run.strategy)
        found: dict[str, bytes] = {}
        _flatten(state["module"], "", found)
        _flatten(state["own"], "", found)
        return {name: sha256(value).hexdigest() for name, value in found.items()}


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
