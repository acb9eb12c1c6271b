"""The strategy under examination, with the runs that several checks share."""

from __future__ import annotations

import inspect
import re
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from clbench.errors import ClbenchError
from clbench.method.strategy import Strategy
from clbench.nn.heads.by_name import head_options
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy
from clbench.testing.outcome import Outcome
from clbench.testing.probed_run import Probe, ProbedRun
from clbench.testing.surroundings import functions
from clbench.testing.watched import Watched
from clbench.testing.world import World
from clbench.train.events import Watch, silent

MEMORY = 12
"""Images that a field called `memory` allows here, so that its budget is reached."""
SMALL = {"d": 16, "heads": 2, "hidden": 32}
"""Head options that are made small here, where a head has them and nobody chose otherwise."""


class Subject:
    """One strategy class with the values it is examined with; `load_error` is why there is no class.

    A field called `memory` is set to 12 images, and the widths of heads are made small. Finished runs that several
    checks share are kept; their folders go with the subject.
    """

    def __init__(
        self, strategy: str | type[Strategy], *, head: str = "", fields: Mapping[str, Any] | None = None
    ) -> None:
        self.load_error: ClbenchError | None = None
        self._kind: type[Strategy] | None = None
        self.functions = functions()
        """What clbench and its libraries consisted of before the strategy's file was imported."""
        if isinstance(strategy, str):
            self.entry = _named(strategy)
            try:
                self._kind = load_strategy(self.entry)
            except ClbenchError as error:
                self.load_error = error
        else:
            self._kind = strategy
            self.entry = _entry_of(strategy)
        self.given: dict[str, Any] = ({"head": head} if head else {}) | dict(fields or {})
        self.head = head
        self._folder = tempfile.mkdtemp(prefix="clbench-check-")
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._plain: dict[int, ProbedRun] = {}
        self.watched: Watched | None = None
        self.outcomes: dict[str, Outcome] = {}

    @property
    def name(self) -> str:
        """The strategy's name, with the head where one was asked for."""
        return f"{self.entry.name} with head {self.head}" if self.head else self.entry.name

    @property
    def kind(self) -> type[Strategy]:
        """The class under examination."""
        assert self._kind is not None, "checks that need the class come after the one that loads it"
        return self._kind

    @property
    def fields(self) -> dict[str, Any]:
        """The values that differ from the defaults."""
        small: dict[str, Any] = {"memory": MEMORY} if self.kind.fields_of().get("memory") is int else {}
        usual = self.kind()
        options = head_options(str(self.given.get("head", usual.head)))
        chosen = {} if "head" in self.given else usual.head_options
        small["head_options"] = {name: value for name, value in SMALL.items() if name in options} | chosen
        return small | self.given

    # ------------------------------------------------------------------ runs

    @property
    def run(self) -> Watched:
        """The watched run."""
        assert self.watched is not None, "checks that look at the run come after the one that makes it"
        return self.watched

    @cached_property
    def world(self) -> World:
        """The usual world."""
        return World.make()

    def trial(
        self,
        *,
        world: World | None = None,
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
            world=world or self.world,
            folder=folder or self.new_folder(),
            seed=seed,
            probes=probes,
            watch=watch,
            save_steps=save_steps,
        )

    def new_folder(self) -> Path:
        """Return a fresh folder that goes with the subject."""
        return Path(tempfile.mkdtemp(dir=self._folder))

    def plain(self, seed: int = 1) -> ProbedRun:
        """Return a finished run without probes on the usual world."""
        if seed not in self._plain:
            trial = self.trial(seed=seed)
            trial.carry_out()
            self._plain[seed] = trial
        return self._plain[seed]

    # ------------------------------------------------------------------ places in the file

    def place(self, verb: str) -> str:
        """Return `file, line n: text` of a verb of the class, or of the class where it has none of its own."""
        if self._kind is None:
            return str(self.entry.path)
        thing = vars(self._kind).get(verb, self._kind)
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


def _shown(path: Path, number: int, text: str) -> str:
    here = Path.cwd()
    where = path.relative_to(here) if path.is_relative_to(here) else path
    return f"{where}, line {number}: {text.strip()}"


def _named(name_or_path: str) -> catalog.Entry:
    """Return the entry of a name or path, also of a file that cannot be used. Raises UsageError when there is none."""
    try:
        return catalog.find_strategy(name_or_path)
    except ClbenchError:
        for entry in catalog.strategies():
            if entry.name == name_or_path:
                return entry
        path = Path(name_or_path)
        if path.suffix == ".py" and path.is_file():
            return catalog.Entry(path.stem, path.resolve(), "local")
        raise


def _entry_of(kind: type[Strategy]) -> catalog.Entry:
    try:
        path = Path(inspect.getsourcefile(kind) or "")
    except (OSError, TypeError):
        path = Path(inspect.getsourcefile(Strategy) or "")  # a class typed into a shell has no file
    return catalog.Entry(kind.__name__.lower(), path, "local", (kind.__doc__ or "").partition("\n")[0])
