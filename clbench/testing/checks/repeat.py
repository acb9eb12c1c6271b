"""Checks that a run can be repeated, varied and continued."""

from __future__ import annotations

import math

import torch

from clbench.testing.outcome import Failed
from clbench.testing.probed_run import Probe, ProbedRun
from clbench.testing.repeat import first_difference, first_other_section
from clbench.testing.subject import Subject
from clbench.train.events import Event, StepEnded, Watch

STOPS = ((0, 2), (0, 7), (1, 6), (2, 1))
"""Sessions and steps at which the run is stopped."""


def same_seed_same_weights(subject: Subject) -> None:
    """Two runs with the same seed end with the same weights and memories, bit for bit."""
    again = subject.trial()
    again.carry_out()
    difference = first_difference(subject.plain().fingerprint(), again.fingerprint())
    if difference:
        raise Failed(
            f"two runs with seed 1 differ in {difference}",
            verb="loss",
            mend="Draw random numbers from self.rng(name), or from torch inside a verb; never from a clock.",
        )


class Newborn(Probe):
    """Keeps the parameters as they are before the first step."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: dict[str, torch.Tensor] = {}

    def after_growth(self, trial: ProbedRun, session: object) -> None:
        """Copy everything that has not been copied yet."""
        for name, parameter in trial.run.strategy.named_parameters():
            self.weights.setdefault(name, parameter.detach().clone())


def other_seed_other_weights(subject: Subject) -> str:
    """Another seed gives other initial weights wherever they are random, and another network in the end."""
    probes = Newborn(), Newborn()
    runs = [subject.trial(seed=seed, probes=(probe,)) for seed, probe in zip((1, 2), probes, strict=True)]
    for run in runs:
        run.carry_out()
    same, random = [], 0
    for name, one in probes[0].weights.items():
        two = probes[1].weights.get(name)
        # the backbone is drawn by the loop; zeros, ones and the like are the same under every seed
        if two is None or name.startswith("net.backbone.") or not _looks_random(one):
            continue
        random += 1
        if torch.equal(one, two):
            same.append(name)
    if (random and len(same) == random) or not first_difference(runs[0].fingerprint(), runs[1].fingerprint()):
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


def stopped_run_ends_the_same(subject: Subject) -> None:
    """A run that is stopped in the middle of its sessions and goes on in a new object ends with the same record."""
    folder = subject.new_folder()
    mend = "Keep state in public attributes: modules, tensors, plain values, or objects with state() and load(state)."
    try:
        for stop in (*STOPS, (math.inf, 0)):
            trial = subject.trial(folder=folder, watch=_stop_at(*stop), save_steps=3)
            try:
                trial.carry_out()
                break
            except KeyboardInterrupt:
                continue
    except Exception as error:
        raise Failed(
            f"the stopped run could not go on: {str(error).splitlines()[0]}", verb="begin_session", mend=mend
        ) from error
    whole = subject.plain()
    difference = first_difference(whole.fingerprint(), trial.fingerprint())
    section = first_other_section(whole.run.record, trial.run.record)
    if difference or section:
        raise Failed(
            f"after four stops the run ends with another {difference or section}", verb="begin_session", mend=mend
        )
