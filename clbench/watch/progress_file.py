"""Following runs in progress: how far each is, in a file for whoever asks, and the logs that were asked for."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clbench.errors import ResultsError
from clbench.files.given import LARGEST_TABLE, read_given
from clbench.files.sealed_json import sealed, unsealed
from clbench.files.whole_file import in_place_of
from clbench.train.events import (
    Event,
    Message,
    RunFailed,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionStarted,
    StepEnded,
    Watch,
    several,
)
from clbench.watch.logs.log import LOG_STEPS, About, Open, Result, RunLog, Step, about, openers

if TYPE_CHECKING:
    from clbench.plan.plan import Plan
    from clbench.train.options import RunOptions

log = logging.getLogger(__name__)

PROGRESS = "progress.json"
MOST_LOSSES = 300
"""Losses that the file keeps; when there are more, every second one goes, so that what stays spans the whole run."""
WRITE_SECONDS = 1.0
"""`progress.json` is not written more often than this; each time, reading the loss waits for the device."""


class Followed:
    """One run as it goes: the numbers of its progress file, and its logs."""

    def __init__(self, about: About, opens: Sequence[Open], say: Callable[[str], None]) -> None:
        self.about = about
        self.say = say
        self.path = about.folder / PROGRESS
        self.state: dict[str, Any] = self._before() | {"state": "running", "message": ""}
        self.written = 0.0
        self.logs: list[RunLog] = []
        for open_log in opens:
            self._try(lambda open_log=open_log: self.logs.append(open_log(about)))  # type: ignore[misc]
        self.write()

    def _before(self) -> dict[str, Any]:
        """Return what an earlier attempt at the same run left, or a beginning."""
        fresh: dict[str, Any] = {"session": None, "epoch": None, "step": 0, "steps": 0, "loss": None, "past": {}}
        fresh["losses"] = []
        try:
            earlier = unsealed(read_given(self.path, largest=LARGEST_TABLE))
            losses = [entry for entry in earlier.get("losses", []) if len(entry) == 3]
            return fresh | {"past": dict(earlier["past"]), "maps": list(earlier["maps"]), "losses": losses}
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, ResultsError, KeyError, TypeError, ValueError) as error:
            reason = error.message if isinstance(error, ResultsError) else "cannot be read"
            self.say(f"{self.about.run}: {self.path} {reason}; what it told of earlier sessions is left out.")
        return fresh | {"maps": []}

    def session_started(self, session: int) -> None:
        """Begin a session; what was known of it and of later ones belongs to an attempt that is gone."""
        self.state |= {"session": session, "epoch": None, "step": 0, "steps": 0, "loss": None}
        self.state["maps"] = [item for item in self.state["maps"] if item["session"] < session]
        self.state["past"] = {key: steps for key, steps in self.state["past"].items() if int(key) < session}
        self.state["losses"] = [entry for entry in self.state["losses"] if entry[0] < session]
        self.write()

    def step(self, event: StepEnded) -> None:
        """Take note of a step where it is time to."""
        step, epoch, session = event.step, event.epoch, event.session
        self.state |= {"session": session, "epoch": epoch, "step": step, "steps": event.steps}
        logged = bool(self.logs) and (step % LOG_STEPS == 0 or step == event.steps)
        due = time.monotonic() - self.written >= WRITE_SECONDS
        if not (logged or due):
            return
        self.state["loss"] = event.loss
        if logged:
            entry = Step(session=session + 1, epoch=epoch + 1, step=step, total=self.total, loss=self.state["loss"])
            self.each(lambda one: one.step(entry))
        if due:
            self._keep_loss(session)
            self.write()

    def _keep_loss(self, session: int) -> None:
        losses = self.state["losses"]
        losses.append([session, self.total, self.state["loss"]])
        if len(losses) > MOST_LOSSES:
            del losses[-2::-2]

    def session_finished(self, event: SessionFinished) -> None:
        """Take note of what the session came to."""
        session, growing, fixed = event.session, event.last_map, event.fixed_map
        entry = Result(session + 1, self.total, growing, fixed, event.stored, event.seconds)
        self.state["past"][str(session)] = self.state["step"]
        self.state["step"] = 0
        self.state["maps"].append({"session": session, "growing": growing, "fixed": fixed})
        self.each(lambda one: one.result(entry))
        self.write()

    def finished(self, record: Path) -> None:
        """The record has everything, so the progress file goes."""
        self.each(lambda one: one.finished(record))
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def failed(self, message: str) -> None:
        """Leave the reason."""
        self.state |= {"state": "failed", "message": message}
        self.write()
        self.close()

    def stopped(self) -> None:
        """Leave word that nobody goes on."""
        self.state["state"] = "stopped"
        self.write()
        self.close()

    @property
    def total(self) -> int:
        """Steps since the run's beginning, over all attempts."""
        return int(sum(self.state["past"].values())) + int(self.state["step"])

    def write(self) -> None:
        """Write the progress file, whole or not at all."""
        self.written = time.monotonic()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with in_place_of(self.path, flush=False) as file:
                file.write(sealed(self.state))
        except OSError as error:
            log.debug("%s: not written (%s)", self.path, error)  # the run's own files tell the same sooner

    def each(self, act: Callable[[RunLog], None]) -> None:
        """Tell every log; one that fails is left out from then on, since no log may stop a run."""
        for one in list(self.logs):
            if not self._try(lambda one=one: act(one)):  # type: ignore[misc]
                self.logs.remove(one)

    def close(self) -> None:
        """Close the logs."""
        self.each(lambda one: one.close())
        self.logs.clear()

    def _try(self, act: Callable[[], Any]) -> bool:
        try:
            act()
            return True
        except Exception as error:
            self.say(f"{self.about.run}: a log stops here ({type(error).__name__}: {error}); the run goes on.")
            return False


@dataclass
class Following:
    """A watch that follows the runs in `known`, by their names."""

    known: Mapping[str, About]
    opens: Sequence[Open] = ()
    say: Callable[[str], None] = log.warning
    runs: dict[str, Followed] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        """Take note of what happened to a run that is followed."""
        if isinstance(event, RunStarted) and event.run in self.known:
            self.runs[event.run] = Followed(self.known[event.run], self.opens, self.say)
        followed = self.runs.get(getattr(event, "run", ""))
        if followed is None:
            return
        match event:
            case SessionStarted():
                followed.session_started(event.session)
            case StepEnded():
                followed.step(event)
            case SessionFinished():
                followed.session_finished(event)
            case RunFinished():
                self.runs.pop(event.run).finished(event.record)
            case RunFailed():
                self.runs.pop(event.run).failed(event.message)

    def close(self) -> None:
        """Close what is open when nothing runs any more, after Ctrl-C for one."""
        for run in list(self.runs):
            self.runs.pop(run).stopped()


@contextlib.contextmanager
def followed(plans: Sequence[Plan], options: RunOptions, *, watch: Watch, kinds: Sequence[str] = ()) -> Iterator[Watch]:
    """Give a watch that tells `watch` and follows the runs of `plans`, with logs of `kinds`.

    Raises UsageError for a log that is unknown or not installed, before anything runs.
    """
    following = Following(about(plans, options), openers(kinds), say=lambda text: watch(Message(text)))
    try:
        yield several(watch, following)
    finally:
        following.close()
