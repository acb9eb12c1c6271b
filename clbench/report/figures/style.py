"""How every figure looks: sizes for print, colours that the colour-blind tell apart, one look per strategy."""

from __future__ import annotations

import functools
import hashlib
import logging
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clbench.errors import ResultsError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

WIDTH = 7.0
"""Inches across both columns of a paper."""

RC: Any = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so figures are alike on every machine
    "font.size": 7.5,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "figure.dpi": 150,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # text stays text
    "svg.hashsalt": "clbench",  # equal figures are equal files
}

_FURTHER = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Source Han Sans SC", "WenQuanYi Zen Hei",
    "Microsoft YaHei", "PingFang SC", "Hiragino Sans", "Malgun Gothic", "Noto Sans Arabic", "Noto Sans Devanagari",
)  # fmt: skip
"""Fonts for letters that the first one lacks, where the machine has them."""

FORMATS = ("pdf", "svg", "png")

_UNDATED: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {"Software": None}}

# Okabe and Ito without black and yellow, then three of Tol's muted set
_COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#999933", "#332288", "#44AA99",
)  # fmt: skip
HEAD_COLOURS = ("#999999", "#56B4E9", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#0072B2", "#332288")
"""Of heads, in the order in which they are given."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))

# names met often have a colour of their own (first ten) or a colour with another dash; the rest is dealt by hash
_KNOWN = (
    "dlfl", "er", "lwf", "derpp", "krt", "prs", "ewc", "agcn", "podnet", "l3a",
    "csc", "ocdm", "si", "mas", "icarl", "multilane", "kbk", "sadcl", "mmdsr", "apple",
)  # fmt: skip
_NEUTRAL = {"joint": "#222222", "naive": "#8a8a8a"}

LOOKS = len(_COLOURS) * len(_MARKERS)
"""How many looks a strategy has."""
BOUND_DASHES: tuple[Any, ...] = ("--", "-.", ":", (0, (9, 2)), (0, (9, 2, 1, 2, 1, 2)), (0, (1, 4)))
"""Of upper bounds, which are lines without markers; in the order of their variants."""


@dataclass(frozen=True)
class Look:
    """Colour, marker and dash of one configuration."""

    colour: str
    marker: str
    dash: Any


def look(strategy: str, *, variant: int = 0) -> Look:
    """Return how a strategy looks in every figure.

    `variant` tells its configurations apart by dash and marker; after every marker has served, by colour too.
    """
    colour, marker, dash = _place(strategy)
    turn = variant // len(_MARKERS)
    own = None if turn else _NEUTRAL.get(strategy)
    return Look(
        own or _COLOURS[(colour + turn) % len(_COLOURS)],
        _MARKERS[(marker + variant) % len(_MARKERS)],
        _DASHES[(dash + variant) % len(_DASHES)],
    )


def is_dealt(strategy: str) -> bool:
    """Return whether a strategy's looks are dealt by its name, which may be those of another."""
    return strategy not in _KNOWN and strategy not in _NEUTRAL


@contextmanager
def styled() -> Iterator[None]:
    """Draw or save under this style, whatever the user's matplotlibrc says."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC)
        matplotlib.rcParams["font.family"] = [*RC["font.family"], *_further_fonts()]
        fonts = logging.getLogger("matplotlib.font_manager")
        level = fonts.level
        fonts.setLevel(logging.ERROR)  # that a font comes in one weight says nothing to who reads a figure
        try:
            yield
        finally:
            fonts.setLevel(level)


@functools.cache
def _further_fonts() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    there = {font.name for font in fontManager.ttflist}
    return tuple(name for name in _FURTHER if name in there)


@contextmanager
def _letters_told_once() -> Iterator[None]:
    """Say once for a figure, not once per letter, that no font has some of its letters."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    lacking: dict[str, None] = {}
    for warning in caught:
        found = re.match(r"Glyph (\d+) ", str(warning.message))
        if found:
            lacking[chr(int(found[1]))] = None
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if lacking:
        some = "".join(list(lacking)[:6])
        from matplotlib import get_cachedir

        log.warning(
            "no font here has %d letters of a figure (%s); install one, such as Noto Sans CJK, and remove %s, "
            "where matplotlib remembers which fonts there are",
            len(lacking),
            some,
            get_cachedir(),
        )


def save(figure: Figure, stem: Path, *, formats: Iterable[str] = FORMATS) -> list[Path]:
    """Write a figure as `stem.pdf`, `.svg` and `.png`, without dates, and return the paths.

    Raises ResultsError where it cannot be written.
    """
    written = []
    with styled(), _letters_told_once():
        # the layout is the same for every format and takes longer than drawing, so it is made once
        figure.draw_without_rendering()
        figure.set_layout_engine(None)
        for kind in formats:
            path = stem.with_name(f"{stem.name}.{kind}")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                figure.savefig(path, metadata=_UNDATED[kind])
            except OSError as error:
                raise ResultsError(
                    f"{path}: the figure cannot be written ({error.strerror or error}).", hint="Name another place."
                ) from error
            written.append(path)
    return written


def _place(strategy: str) -> tuple[int, int, int]:
    """Return the places of colour, marker and dash: of a name's own, or dealt by its hash."""
    if strategy in _KNOWN:
        place = _KNOWN.index(strategy)
        turn = place // len(_COLOURS)
        return place, place + turn, turn
    if strategy in _NEUTRAL:
        return 0, len(_MARKERS) - 1 - list(_NEUTRAL).index(strategy), 0
    digest = hashlib.sha256(strategy.encode()).digest()
    return digest[0], digest[1], digest[2]
