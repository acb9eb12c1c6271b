"""Label names that look like something else than a name."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

_NOTHING = """
nan|none|null|na|n/a|<na>|nil|undefined|unknown|unlabeled|unlabelled|empty|background|nothing|-|--|?|.|true|false|
no finding|no findings|no label|no labels|no class|not available|normal|healthy|#n/a|n.a.|nat|none of the above
"""
NOTHING = frozenset(text.strip() for text in _NOTHING.split("|"))
"""Texts by which tools say that there is no label, in small letters."""


@dataclass(frozen=True)
class Remark:
    """Something odd about label names, and which they are."""

    text: str
    names: tuple[str, ...]

    @property
    def listed(self) -> str:
        """The first names, for a sentence."""
        return ", ".join(map(repr, self.names[:10])) + (", ..." if len(self.names) > 10 else "")


def doubtful(labels: Sequence[str]) -> list[Remark]:
    """Return what a reader must say of label names: those that say "no label", spellings that differ in letter case,
    and those that look like several labels in one.
    """
    known, spellings = set(labels), defaultdict(list)
    for label in labels:
        spellings[_spelling(label)].append(label)
    return _filled(
        Remark("labels are called as tools call the absence of one", tuple(x for x in labels if _says_nothing(x))),
        Remark("labels end in dots; is the text cut short?", tuple(x for x in labels if x.endswith(("...", "…")))),
        Remark(
            "labels differ only in letter case, blanks or invisible signs",
            tuple(name for group in spellings.values() if len(group) > 1 for name in group),
        ),
        Remark(
            "labels hold nothing but the names of others; is that a separator in them?",
            tuple(
                label for label in labels if (parts := _parts(label)) != [label] and parts and known.issuperset(parts)
            ),
        ),
    )


def odd(labels: Sequence[str]) -> list[Remark]:
    """Return what else may be a slip in label names: brackets, quotes, separators, and names inside other names."""
    known = set(labels)
    return _filled(
        Remark("labels hold brackets or quotes", tuple(x for x in labels if re.search(r"[\[\](){}\"'`]", x))),
        Remark(
            "labels hold a comma or another separator", tuple(x for x in labels if re.search(r"[,;|\t，；，、،]", x))
        ),
        Remark(
            "labels have the name of another as a part",
            tuple(x for x in labels if not known.isdisjoint(_runs(x))),
        ),
    )


def _says_nothing(label: str) -> bool:
    return label.lower() in NOTHING or re.sub(r"[\s_-]+", " ", label.lower()).strip() in NOTHING


def _spelling(label: str) -> str:
    """Return what a reader sees of a label: letters composed in one way, in one case, nothing invisible."""
    seen = "".join(sign for sign in unicodedata.normalize("NFKC", label) if unicodedata.category(sign) != "Cf")
    return " ".join(seen.casefold().split())


def _parts(label: str) -> list[str]:
    return [part for part in re.split(r"[\s,;|/+&；，、،]+", label) if part]


def _runs(label: str) -> set[str]:
    """Return the words of a label and every few of them that stand together, without the label itself."""
    words = _parts(label)
    spans = {" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, min(i + 6, len(words) + 1))}
    return spans - {label}


def _filled(*remarks: Remark) -> list[Remark]:
    return [remark for remark in remarks if remark.names]
