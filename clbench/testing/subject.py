"""The strategy under examination, as the process sees it that judges and never imports it."""

from __future__ import annotations

import inspect
import shlex
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch

from clbench.errors import ClbenchError
from clbench.method.strategy import LEAK, Strategy
from clbench.plan import catalog
from clbench.records.record import read_record
from clbench.testing.apart import Tell, apart
from clbench.testing.examined import Examined, Wanted, finished
from clbench.testing.outcome import Broken, NotRun, Outcome
from clbench.testing.overheard import Ear
from clbench.testing.probed_run import Left
from clbench.testing.watched import Watched
from clbench.testing.world import World
from clbench.train.environment import code, describe

T = TypeVar("T")


class Subject:
    """One strategy with the values it is examined with; every question to it is answered in a process of its own.

    A strategy given by name or path is never imported here, so that nothing it does reaches what judges it. Finished
    runs that several checks share are kept; their folders go with the subject.
    """

    def __init__(
        self, strategy: str | type[Strategy], *, head: str = "", fields: Mapping[str, Any] | None = None
    ) -> None:
        kind = None if isinstance(strategy, str) else strategy
        self.entry = _named(strategy) if isinstance(strategy, str) else _entry_of(strategy)
        self.head = head
        self.wanted = Wanted(self.entry, kind, ({"head": head} if head else {}) | dict(fields or {}))
        self.folder = Path(tempfile.mkdtemp(prefix="clbench-check-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self._kept: dict[tuple[Any, ...], Any] = {}
        self.watched: Watched | None = None
        self.told: list[list[str]] = []
        """(name, digest) of each score file of the watched run, told when it was written."""
        self.outcomes: dict[str, Outcome] = {}
        self.overheard: list[tuple[str, str]] = []
        """(question, path) of each file that its processes wrote, or tried to."""
        self.started = 0
        """How many processes they started."""

    @property
    def name(self) -> str:
        """The strategy's name, with the head where one was asked for."""
        return f"{self.entry.name} with head {self.head}" if self.head else self.entry.name

    @property
    def typed(self) -> str:
        """What names the strategy on a command line: its name where that is enough, or its path."""
        listed = any(entry.path == self.entry.path for entry in catalog.strategies())
        return self.entry.name if listed else shlex.quote(str(self.entry.path))

    @property
    def run(self) -> Watched:
        """The watched run."""
        assert self.watched is not None, "checks that look at the run come after the one that makes it"
        return self.watched

    # ------------------------------------------------------------------ questions

    def ask(
        self,
        function: Callable[..., T],
        *,
        kind: Any = None,
        world: Callable[[], World] = World.make,
        before: Callable[[], Any] = lambda: None,
        **values: Any,
    ) -> T:
        """Return what `function(examined, **values)` says, plain values, of this strategy in a process of its own.

        There is one world there, `world()`, and what `before()` noted was noted before the strategy was imported.
        Raises Broken, with where to look, for what the function raises, and NotRun.
        """
        return self.heard(function, kind=kind, world=world, before=before, **values)[0]

    def once(
        self, function: Callable[..., T], *, kind: type[T], before: Callable[[], Any] = lambda: None, **values: Any
    ) -> T:
        """Return what `ask` returns; the answer is kept for other checks that ask the same."""
        question = (function, *sorted(values.items()))
        if question not in self._kept:
            self._kept[question] = self.ask(function, kind=kind, before=before, **values)
        found: T = self._kept[question]
        return found

    def heard(
        self,
        function: Callable[..., T],
        *,
        kind: Any = None,
        world: Callable[[], World] = World.make,
        before: Callable[[], Any] = lambda: None,
        **values: Any,
    ) -> tuple[T, list[Any]]:
        """Return the same and what was told meanwhile."""

        ear = Ear()

        def answered(tell: Tell) -> T:
            examined = Examined(
                self.wanted, folder=self.folder, world=world, tell=tell, before=before, overhear=ear.speak
            )
            try:
                return function(examined, **values)
            except NotRun:
                raise
            except (Exception, SystemExit) as error:  # a strategy that leaves Python has not passed
                raise examined.broken(error) from error

        # asked for here once, so that no process of a strategy has a reason to start another one
        code()
        describe(torch.device("cpu"), threads=1)
        try:
            with ear.open():
                return apart(answered, kind=Any if kind is None else kind)
        finally:
            self.overheard += [(function.__name__, path) for path in ear.written]
            self.started += ear.started

    def plain(self, seed: int = 1) -> Left:
        """Return what a finished run without probes on the usual world left."""
        return self.once(finished, kind=Left, seed=seed)

    # ------------------------------------------------------------------ what it says of itself

    @cached_property
    def static(self) -> bool:
        """Whether it is shown the whole stream as one session."""
        return self.ask(_static)

    @cached_property
    def leaks(self) -> bool:
        """Whether its records say that it is shown hidden labels, whatever it says when it is asked."""
        return LEAK in read_record(Path(self.plain().record)).marks

    @cached_property
    def places(self) -> dict[str, str]:
        """Verb -> file, line and text; "class" for the class."""
        try:
            return self.ask(_places)
        except Broken:
            return {}

    def place(self, verb: str) -> str:
        """Return `file, line n: text` of a verb of the class, or of the class where it has none of its own."""
        return self.places.get(verb) or self.places.get("class") or str(self.entry.path)


def _static(examined: Examined) -> bool:
    return examined.kind.static


def _places(examined: Examined) -> dict[str, str]:
    verbs = [name for name, value in vars(examined.kind).items() if inspect.isfunction(value)]
    return {verb: examined.place(verb) for verb in ["class", *verbs]}


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
