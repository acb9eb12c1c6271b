"""Each verb finds the mode and the gradients that the page on strategies promises, whatever another one left behind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import torch

from clbench import Strategy
from clbench.testing import Subject
from clbench.testing.examined import Examined

PAGE = Path(__file__).parents[2] / "docs" / "strategy.md"
LINE = re.compile(r"^\| (`[^|]*) \| (training|evaluation)[^|]* \| (on|off)[^|]* \|$", re.MULTILINE)


def promised() -> dict[str, tuple[bool, bool]]:
    return {
        verb: (mode == "training", gradients == "on")
        for verbs, mode, gradients in LINE.findall(PAGE.read_text(encoding="utf-8"))
        for verb in re.findall(r"`(\w+)`", verbs)
    }


def noting(verb: str) -> Any:
    def noted(self: Any, *arguments: Any) -> Any:
        self.met.setdefault(verb, set()).add((self.net.training, torch.is_grad_enabled()))
        try:
            return getattr(Strategy, verb)(self, *arguments)
        finally:
            # what a verb leaves is not for the next one
            self.train(not self.training)

    return noted


class Notes(Strategy):
    """Notes what it finds, and leaves everything the other way round."""

    met: ClassVar[dict[str, set[tuple[bool, bool]]]] = {}


LOOKED_AT = ("prepare", "rehearse", "recall", "loss", "after_step", "end_session", "logits")
for name in LOOKED_AT:
    setattr(Notes, name, noting(name))


def test_every_verb_finds_what_the_page_promises() -> None:
    Notes.met.clear()
    subject = Subject(Notes)
    Examined(subject.wanted, folder=subject.folder).trial().carry_out()
    assert {verb: {promised()[verb]} for verb in LOOKED_AT} == Notes.met
