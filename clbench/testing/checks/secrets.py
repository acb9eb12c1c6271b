"""Checks that training sees what the protocol shows and nothing else: each world has a process of its own."""

from __future__ import annotations

from clbench.testing.examined import finished
from clbench.testing.outcome import Broken, Failed
from clbench.testing.probed_run import Left
from clbench.testing.repeat import first_difference
from clbench.testing.subject import Subject
from clbench.testing.world import OutOfReachError, World


def hidden_labels_change_nothing(subject: Subject) -> str:
    """Where hidden labels are all others, or none is there at all, a run ends with the same weights and scores."""
    if subject.leaks:
        return "declared: the strategy carries the mark 'leak' and is shown what others are not"
    static = subject.static

    def shown() -> World:
        return World.make(images="disjoint")  # where each image has one session, most of its labels stay hidden

    def changed() -> World:
        return shown().with_hidden_labels_changed(static=static)

    def bare() -> World:
        return shown().with_no_label_but_the_visible(static=static)

    seen, *others = (subject.ask(finished, kind=Left, world=world) for world in (shown, changed, bare))
    for run in others:
        difference = first_difference(*({**left.fingerprint, **left.answers()} for left in (seen, run)))
        if difference:
            raise Failed(
                f"labels that no session shows have changed {difference}",
                verb="loss",
                mend="Take labels from batch.targets and session.targets alone.",
            )
    return "it is shown every label that takes part; the spare ones were changed" if static else ""


def test_split_is_out_of_reach(subject: Subject) -> None:
    """No test picture is read in training; other test pictures leave the same weights, other test labels all scores."""
    try:
        blind = subject.ask(finished, kind=Left, world=_blind)
    except Broken as broken:
        if not broken.is_a(OutOfReachError):
            raise
        mend = "Read pictures with session.images(rows), of the session's own rows and of stored ones."
        raise Broken(broken.kinds, broken.found.rstrip("."), look=broken.look, mend=mend) from None
    told = first_difference(subject.plain().answers(), blind.answers())
    if told:
        raise Failed(
            f"other labels of the test pictures have changed {told}",
            verb="scores",
            mend="A score comes from the picture and what was learned; labels of test pictures are for the metrics.",
        )
    other = subject.ask(finished, kind=Left, world=_other_split)
    difference = first_difference(subject.plain().fingerprint, other.fingerprint)
    if difference:
        raise Failed(
            f"another test split has changed {difference}",
            verb="scores",
            mend="Scoring may change nothing: no adaptation to test images, no batch statistics.",
        )


def _blind() -> World:
    return World.make().with_other_test_labels().sealed()


def _other_split() -> World:
    return World.make().with_another_test_split()
