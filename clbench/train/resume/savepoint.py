"""Where an interrupted run goes on: what is saved of strategy, loop and progress, and how it is put back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from clbench.errors import ResultsError
from clbench.method.strategy import Strategy
from clbench.nn.memory import Exemplars
from clbench.nn.shared.ranks import rank
from clbench.train.resume import state as states
from clbench.train.resume.progress import Progress

if TYPE_CHECKING:
    from clbench.train.loop import SharedLoop


class Savepoint:
    """The state file of one run; `identity` says which run that is, field by field.

    `photos_without(id)` gives the digest of all photos but one.
    """

    def __init__(self, path: Path, *, identity: Mapping[str, str], photos_without: Callable[[str], str]) -> None:
        self.path = path
        self.identity = dict(identity)
        self.photos_without = photos_without
        self.saved_at = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since the last saving, or since the run began."""
        return time.monotonic() - self.saved_at

    def load(self) -> dict[str, Any] | None:
        """Return the saved state, or None. Raises ResultsError naming the field in which it belongs to another run."""
        if not self.path.exists():
            return None
        saved = states.load(self.path)
        with self.understood():
            identity = dict(saved["identity"])
        for field, value in self.identity.items():
            if identity.get(field) != value and not (field == "photos" and self._is_mended(saved)):
                raise ResultsError(
                    f"{self.path}: belongs to another run: {field} was {identity.get(field)!r} and is {value!r} now.",
                    hint="Start afresh with --no-resume, or go back to what it was.",
                )
        if identity != self.identity and "damaged" in saved:  # mended: another photo may be found damaged next
            saved = {part: value for part, value in saved.items() if part != "damaged"} | {"identity": self.identity}
            if rank() == 0:
                states.save(saved, self.path)
        return saved

    def note_damaged(self, image: str) -> None:
        """Note in the state that the photo of `image` stopped the run, so that it goes on where that one is mended."""
        saved = states.load(self.path)
        if saved["identity"] == self.identity:
            states.save(saved | {"damaged": {"image": image, "others": self.photos_without(image)}}, self.path)

    def _is_mended(self, saved: Mapping[str, Any]) -> bool:
        """Say whether the photo that stopped the run is the only one that is another now: nothing was made of it."""
        damaged = saved.get("damaged")
        if damaged is None:
            return False
        with self.understood():
            return bool(self.photos_without(str(damaged["image"])) == damaged["others"])

    def progress(self, saved: Mapping[str, Any], *, sessions: int) -> Progress:
        """Return how far the saved run had come, in a stream of so many sessions. Raises ResultsError."""
        with self.understood():
            progress = Progress.from_plain(saved["progress"])
            if not len(progress.done) == progress.session <= sessions - progress.inside:
                raise ValueError(f"{len(progress.done)} sessions are done and session {progress.session} is next")
        return progress

    @contextlib.contextmanager
    def understood(self) -> Iterator[None]:
        """Tell what goes wrong while a state is put back as a fault of the file, which may be from anywhere.

        Raises ResultsError.
        """
        try:
            yield
        except ResultsError as error:
            raise ResultsError(f"{self.path}: {error.message}", hint=error.hint) from error
        except torch.OutOfMemoryError:
            raise  # no fault of the file
        except (TypeError, ValueError, LookupError, AttributeError, RuntimeError) as error:
            text = (str(error) or type(error).__name__).splitlines()[0]
            raise ResultsError(
                f"{self.path}: not a whole state: {text[:200].rstrip('.')}.", hint="Start afresh with --no-resume."
            ) from error

    def save(
        self, strategy: Strategy, loop: SharedLoop, progress: Progress, *, inside: bool, exemplars: Exemplars | None
    ) -> None:
        """Write everything that the rest of the run depends on; `inside` a session, the loop's own state too.

        Of `exemplars` the targets are [M, width].
        """
        if rank() > 0:
            return
        from clbench.train.resume.plugin_state import plugin_state

        state: dict[str, Any] = {
            "identity": self.identity,
            "progress": progress.to_plain(),
            "strategy": states.strategy_state(strategy),
            "plugins": [plugin_state(plugin, loop.model) for plugin in loop.own_plugins],
            "clock": dict(vars(loop.clock)),
        }
        if inside:
            state |= {
                "optimizer": loop.optimizer.state_dict(),
                "scheduler": loop.scheduler.state_dict() if loop.scheduler else None,
                "scaler": loop.scaler.state_dict(),
                "ema": loop.ema.state() if loop.ema else None,
                "loss": [loop.losses.sum.cpu(), loop.losses.count],
                "exemplars": None if exemplars is None else _plain(exemplars),
            }
        states.save(state, self.path)
        self.saved_at = time.monotonic()


def restore_plugins(loop: SharedLoop, saved: dict[str, Any]) -> None:
    """Put the values of Avalanche's plugins and clock back."""
    from clbench.train.resume.plugin_state import load_plugin_state

    for plugin, plain in zip(loop.own_plugins, saved["plugins"], strict=True):
        load_plugin_state(plugin, plain, loop.model)
    loop.clock.__dict__.update(saved["clock"])


def restore_inside(strategy: Strategy, loop: SharedLoop, saved: dict[str, Any]) -> None:
    """Put everything back after the loop has set the session up, which reset parts of it."""
    states.load_strategy_state(strategy, saved["strategy"])
    loop.optimizer.load_state_dict(saved["optimizer"])
    if loop.scheduler is not None:
        loop.scheduler.load_state_dict(saved["scheduler"])
    loop.scaler.load_state_dict(saved["scaler"])
    if loop.ema is not None:
        loop.ema.load(saved["ema"])
    loop.losses.sum.copy_(saved["loss"][0])
    loop.losses.count = saved["loss"][1]
    restore_plugins(loop, saved)


def saved_exemplars(saved: dict[str, Any]) -> Exemplars | None:
    """Return the exemplars that were being rehearsed. Their targets are [M, width]."""
    plain = saved["exemplars"]
    if plain is None:
        return None
    logits = plain["logits"]
    return Exemplars(
        rows=plain["rows"].numpy(),
        targets=plain["targets"].numpy(),
        logits=None if logits is None else logits.numpy(),
    )


def _plain(exemplars: Exemplars) -> dict[str, Any]:
    return {
        "rows": torch.as_tensor(exemplars.rows),
        "targets": torch.as_tensor(exemplars.targets),
        "logits": None if exemplars.logits is None else torch.as_tensor(exemplars.logits),
    }
