"""The strategy under examination, in the process that imports it."""

from __future__ import annotations

import inspect
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clbench.method.strategy import Strategy
from clbench.nn.heads.by_name import head_options
from clbench.plan.catalog import Entry
from clbench.plan.load_strategy import load_strategy
from clbench.testing.outcome import Broken, Failed
from clbench.testing.probed_run import Left, Probe, ProbedRun
from clbench.testing.world import World
from clbench.train.events import Watch, silent

MEMORY = 12
"""Images that a field called `memory` allows here, so that its budget is reached."""
SMALL = {"d": 16, "heads": 2, "hidden": 32}
"""Head options that are made small here, where a head has them and nobody chose otherwise."""


@dataclass(frozen=True)
class Wanted:
    """What is to be examined: the strategy's file, or a class that the caller has, and values that are not defaults."""

    entry: Entry
    kind: type[Strategy] | None
    given: dict[str, Any]


class Examined:
    """One strategy class with the values it is examined with, on one world.

    A field called `memory` is set to 12 images, and the widths of heads are made small. `before` is what was noted
    before the strategy's file was imported; from then on `overhear` tells which files this process writes. Raises
    UsageError where that cannot be done.
    """

    def __init__(
        self,
        wanted: Wanted,
        *,
        folder: Path,
        world: Callable[[], World] = World.make,
        tell: Callable[[Any], None] = lambda _: None,
        before: Callable[[], Any] = lambda: None,
        overhear: Callable[[], object] = lambda: None,
    ) -> None:
        self.entry = wanted.entry
        self.given = wanted.given
        self.folder = folder
        self.tell = tell
        self._make_world = world
        self._world: World | None = None
        self.before = before()
        overhear()
        self.kind = wanted.kind or load_strategy(wanted.entry)

    @property
    def world(self) -> World:
        """The one world of this process."""
        self._world = self._world or self._make_world()
        return self._world

    @property
    def fields(self) -> dict[str, Any]:
        """The values that differ from the defaults."""
        small: dict[str, Any] = {"memory": MEMORY} if self.kind.fields_of().get("memory") is int else {}
        usual = self.kind()
        options = head_options(str(self.given.get("head", usual.head)))
        chosen = {} if "head" in self.given else usual.head_options
        small["head_options"] = {name: value for name, value in SMALL.items() if name in options} | chosen
        return small | self.given

    def new_folder(self) -> Path:
        """Return a fresh folder."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def trial(
        self,
        *,
        seed: int = 1,
        probes: tuple[Probe, ...] = (),
        watch: Watch = silent,
        save_steps: int = 0,
        folder: Path | None = None,
    ) -> ProbedRun:
        """Return a run that has not begun, in `folder` or a folder of its own."""
        return ProbedRun(
            self.kind,
            entry=self.entry,
            fields=self.fields,
            world=self.world,
            folder=folder or self.new_folder(),
            seed=seed,
            probes=probes,
            watch=watch,
            save_steps=save_steps,
            tell=self.tell,
        )

    # ------------------------------------------------------------------ places in the file

    def place(self, verb: str) -> str:
        """Return `file, line n: text` of a verb of the class, or of the class where it has none of its own."""
        thing = vars(self.kind).get(verb, self.kind)
        try:
            lines, first = inspect.getsourcelines(thing)
        except (OSError, TypeError):
            return str(self.entry.path)
        text = next((line for line in lines if re.match(r"\s*(def|class)\b", line)), lines[0])
        return _shown(self.entry.path, first + lines.index(text), text)

    def place_of(self, error: BaseException) -> str:
        """Return `file, line n: text` of the last line of the strategy's file in a traceback, or ""."""
        import traceback

        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(self.entry.path)]
        return _shown(self.entry.path, frames[-1].lineno or 0, frames[-1].line or "") if frames else ""

    def broken(self, error: BaseException) -> Broken:
        """Return what went wrong, with where to look for it."""
        cause = error.__cause__ if isinstance(error, Failed) else error
        look = self.place_of(cause) if cause is not None else ""
        return Broken.of(error, look=look or self.place(error.verb if isinstance(error, Failed) else "class"))


def finished(examined: Examined, *, seed: int = 1) -> Left:
    """Carry out a run without probes and return what it leaves."""
    trial = examined.trial(seed=seed)
    trial.carry_out()
    return trial.left()


def _shown(path: Path, number: int, text: str) -> str:
    here = Path.cwd()
    where = path.relative_to(here) if path.is_relative_to(here) else path
    return f"{where}, line {number}: {text.strip()}"
