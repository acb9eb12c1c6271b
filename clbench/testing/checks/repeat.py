"""Checks that a run can be repeated, varied and continued."""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch

from clbench.testing.examined import Examined
from clbench.testing.outcome import Failed
from clbench.testing.probed_run import Left, Probe, ProbedRun
from clbench.testing.repeat import first_difference, first_other_section
from clbench.testing.subject import Subject
from clbench.train.events import Event, StepEnded, Watch

STOPS = ((0, 2), (0, 7), (1, 6), (2, 1))
"""Sessions and steps at which the run is stopped."""


def same_seed_same_weights(subject: Subject) -> None:
    """Two runs with the same seed end with the same weights and memories, bit for bit."""
    again = subject.once(_born, kind=Birth, seed=1).left
    difference = first_difference(subject.plain().fingerprint, again.fingerprint)
    if difference:
        raise Failed(
            f"two runs with seed 1 differ in {difference}",
            verb="loss",
            mend="Draw random numbers from self.rng(name), or from torch inside a verb; never from a clock.",
        )


@dataclass(frozen=True)
class Birth:
    """Digests of the parameters before their first step, those that look drawn, and what became of the run."""

    drawn: dict[str, str]
    left: Left


class Newborn(Probe):
    """Keeps what the parameters that look drawn are before the first step."""

    def __init__(self) -> None:
        super().__init__()
        self.met: set[str] = set()
        self.drawn: dict[str, str] = {}

    def after_growth(self, trial: ProbedRun, session: object) -> None:
        """Note everything that has not been noted yet."""
        for name, parameter in trial.run.strategy.named_parameters():
            # the backbone is drawn by the loop; zeros, ones and the like are the same under every seed
            if name not in self.met and not name.startswith("net.backbone.") and _looks_random(parameter):
                self.drawn[name] = sha256(parameter.detach().contiguous().numpy().tobytes()).hexdigest()
            self.met.add(name)


def _born(examined: Examined, *, seed: int) -> Birth:
    probe = Newborn()
    trial = examined.trial(seed=seed, probes=(probe,))
    trial.carry_out()
    if probe.problem is not None:
        raise probe.problem
    return Birth(probe.drawn, trial.left())


def other_seed_other_weights(subject: Subject) -> str:
    """Another seed gives other initial weights wherever they are random, and another network in the end."""
    one, two = (subject.once(_born, kind=Birth, seed=seed) for seed in (1, 2))
    both = [name for name in one.drawn if name in two.drawn]
    same = [name for name in both if one.drawn[name] == two.drawn[name]]
    if (both and same == both) or not first_difference(one.left.fingerprint, two.left.fingerprint):
        raise Failed(
            f"seeds 1 and 2 give the same {same[0] if same else 'network'}",
            verb="build",
            mend="Draw initial weights from torch's global generator, which is seeded before build and begin_session.",
        )
    return f"the same under both seeds: {', '.join(same)}" if same else ""


def _looks_random(weights: torch.Tensor) -> bool:
    return weights.ndim >= 2 and weights.numel() > 8 and len(torch.unique(weights)) > weights.numel() // 2


def _stop_at(session: float, step: int) -> Watch:
    """Return what stops a run after a given step, as a signal would between two steps."""

    def stop(event: Event) -> None:
        if isinstance(event, StepEnded) and (event.session, event.step) == (session, step):
            raise KeyboardInterrupt

    return stop


MEND = "Keep state in public attributes: modules, tensors, plain values, or objects with state() and load(state)."


def stopped_run_ends_the_same(subject: Subject) -> None:
    """A run that is stopped in the middle of its sessions and goes on in a new object ends with the same record."""
    stopped, whole = subject.ask(_stopped, kind=Left), subject.plain()
    difference = first_difference(whole.fingerprint, stopped.fingerprint)
    section = first_other_section(Path(whole.record), Path(stopped.record))
    if difference or section:
        raise Failed(
            f"after four stops the run ends with another {difference or section}", verb="begin_session", mend=MEND
        )


def _stopped(examined: Examined) -> Left:
    folder = examined.new_folder()
    try:
        for stop in (*STOPS, (math.inf, 0)):
            trial = examined.trial(folder=folder, watch=_stop_at(*stop), save_steps=3)
            try:
                trial.carry_out()
                break
            except KeyboardInterrupt:
                continue
    except Exception as error:
        raise Failed(
            f"the stopped run could not go on: {str(error).splitlines()[0]}", verb="begin_session", mend=MEND
        ) from error
    return trial.left()
