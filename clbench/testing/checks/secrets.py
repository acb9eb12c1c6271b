"""Checks that training sees what the protocol shows and nothing else."""

from __future__ import annotations

from clbench.method.strategy import LEAK
from clbench.testing.outcome import Failed
from clbench.testing.repeat import first_difference
from clbench.testing.subject import Subject
from clbench.testing.world import OutOfReachError, World


def hidden_labels_change_nothing(subject: Subject) -> str:
    """Training on a table whose hidden labels are all others ends with the same weights and scores, bit for bit."""
    if LEAK in subject.kind.configured(subject.fields, source="check").marks():
        return f"declared: the strategy carries the mark '{LEAK}' and is shown what others are not"
    world = World.make(images="disjoint")  # where each image has one session, most of its labels stay hidden
    other = world.with_hidden_labels_changed(static=subject.kind.static)
    runs = [subject.trial(world=w) for w in (world, other)]
    for run in runs:
        run.carry_out()
    difference = first_difference(*({**run.fingerprint(), **run.answers()} for run in runs))
    if difference:
        raise Failed(
            f"labels that no session shows have changed {difference}",
            verb="loss",
            mend="Take labels from batch.targets and session.targets alone.",
        )
    return "it is shown every label that takes part; the spare ones were changed" if subject.kind.static else ""


def test_split_is_out_of_reach(subject: Subject) -> None:
    """No test picture is read in training; other test pictures leave the same weights, other test labels all scores."""
    blind = subject.trial(world=subject.world.with_other_test_labels().sealed())
    try:
        blind.carry_out()
    except OutOfReachError as error:
        raise Failed(
            error.message.rstrip("."),
            verb="prepare",
            mend="Read pictures with session.images(rows), of the session's own rows and of stored ones.",
        ) from error
    told = first_difference(subject.plain().answers(), blind.answers())
    if told:
        raise Failed(
            f"other labels of the test pictures have changed {told}",
            verb="scores",
            mend="A score comes from the picture and what was learned; labels of test pictures are for the metrics.",
        )
    other = subject.trial(world=subject.world.with_another_test_split())
    other.carry_out()
    difference = first_difference(subject.plain().fingerprint(), other.fingerprint())
    if difference:
        raise Failed(
            f"another test split has changed {difference}",
            verb="scores",
            mend="Scoring may change nothing: no adaptation to test images, no batch statistics.",
        )
