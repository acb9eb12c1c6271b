"""Small pictures of the 80 COCO labels, read from icons.json and rasterised with NumPy alone.

Only additions, products, divisions and square roots decide a pixel: the pictures are the same bytes everywhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import pairwise

import numpy as np
import numpy.typing as npt

CANVAS = 128
"""Side, in pixels, of the square every icon is rasterised on before it is scaled down."""

Bool = npt.NDArray[np.bool_]
Image = npt.NDArray[np.uint8]
Stroke = tuple[str, str, tuple[float, ...]]


@dataclass(frozen=True)
class Icon:
    """One drawing: the label it shows, its relative size, its tints and its strokes, painted in order.

    A stroke is (kind, colour, numbers) on a canvas of 100 x 100 units, y downwards. Kinds and their numbers:
    o ellipse (cx cy rx ry [degrees]), c ellipse line (width cx cy rx ry), r rectangle (x0 y0 x1 y1 [corner radius]),
    g grid of rectangles (x0 y0 x1 y1 columns rows), p polygon (x y ...), l round line (width x y ...); with @ in front
    it paints only where the icon is opaque already. Colours: three hexadecimal digits; * is the tint, *d the tint
    darker, *l lighter; - erases.
    """

    label: str
    size: float
    tints: tuple[str, ...]
    strokes: tuple[Stroke, ...]


@lru_cache(maxsize=1)
def icons() -> Mapping[str, Icon]:
    """Return the drawing of each of the 80 COCO labels, in alphabetical order."""
    text = resources.files("clbench.data.scenes").joinpath("icons.json").read_text(encoding="utf-8")
    return {
        label: Icon(label, entry["size"], tuple(entry["tints"]) or ("888",), tuple(map(_stroke, entry["strokes"])))
        for label, entry in json.loads(text).items()
    }


def _stroke(line: str) -> Stroke:
    kind, colour, *numbers = line.split()
    return kind, colour, tuple(float(number) for number in numbers)


def paint(icon: Icon, *, tint: str) -> Image:
    """Return `icon` in one tint as uint8 [CANVAS, CANVAS, 4]: red, green, blue and an alpha of 0 or 255."""
    picture = np.zeros((CANVAS, CANVAS, 4), np.uint8)
    for kind, colour, numbers in icon.strokes:
        mask = _SHAPES[kind.lstrip("@")](numbers)
        if kind.startswith("@"):
            mask &= picture[..., 3] > 0
        picture[mask] = (0, 0, 0, 0) if colour == "-" else (*_rgb(colour, tint), 255)
    return picture


def _rgb(colour: str, tint: str) -> tuple[int, int, int]:
    base = tint if colour.startswith("*") else colour
    red, green, blue = (17 * int(digit, 16) for digit in base)
    if colour == "*d":
        return red * 5 // 8, green * 5 // 8, blue * 5 // 8
    if colour == "*l":
        return (red + 255) // 2, (green + 255) // 2, (blue + 255) // 2
    return red, green, blue


_AXIS = (np.arange(CANVAS) + 0.5) * (100.0 / CANVAS)
_x, _y = _AXIS[None, :], _AXIS[:, None]


def _ellipse(numbers: tuple[float, ...]) -> Bool:
    cx, cy, rx, ry, *turn = numbers
    # rounding hides the last bit of the mathematics library, which differs between systems
    angle = math.radians(turn[0] if turn else 0.0)
    cos, sin = round(math.cos(angle), 9), round(math.sin(angle), 9)
    along = (_x - cx) * cos + (_y - cy) * sin
    across = (_y - cy) * cos - (_x - cx) * sin
    inside: Bool = (along / rx) ** 2 + (across / ry) ** 2 <= 1.0
    return inside


def _ring(numbers: tuple[float, ...]) -> Bool:
    width, cx, cy, rx, ry = numbers
    inner = _ellipse((cx, cy, rx - width / 2, ry - width / 2))
    return _ellipse((cx, cy, rx + width / 2, ry + width / 2)) & ~inner


def _rectangle(numbers: tuple[float, ...]) -> Bool:
    x0, y0, x1, y1, *corner = numbers
    radius = corner[0] if corner else 0.0
    dx = np.maximum(np.maximum(x0 + radius - _x, _x - x1 + radius), 0.0)
    dy = np.maximum(np.maximum(y0 + radius - _y, _y - y1 + radius), 0.0)
    inside: Bool = dx * dx + dy * dy <= radius * radius
    return inside


def _grid(numbers: tuple[float, ...]) -> Bool:
    x0, y0, x1, y1, columns, rows = numbers
    wide, high = (x1 - x0) / (columns - 0.3), (y1 - y0) / (rows - 0.3)
    across, down = (_x - x0) / wide, (_y - y0) / high
    inside: Bool = (_x >= x0) & (_x <= x1) & (_y >= y0) & (_y <= y1)
    inside &= (across - np.floor(across) <= 0.7) & (down - np.floor(down) <= 0.7)
    return inside


def _polygon(numbers: tuple[float, ...]) -> Bool:
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    inside = np.zeros((CANVAS, CANVAS), np.bool_)
    for (xa, ya), (xb, yb) in zip(points, points[1:] + points[:1], strict=True):
        if ya != yb:
            crosses = (_y >= min(ya, yb)) & (_y < max(ya, yb))
            inside ^= crosses & (_x < xa + (_y - ya) * ((xb - xa) / (yb - ya)))
    return inside


def _line(numbers: tuple[float, ...]) -> Bool:
    half = numbers[0] / 2
    points = list(zip(numbers[1::2], numbers[2::2], strict=True))
    near = np.zeros((CANVAS, CANVAS), np.bool_)
    for (xa, ya), (xb, yb) in pairwise(points):
        dx, dy = xb - xa, yb - ya
        along = np.clip(((_x - xa) * dx + (_y - ya) * dy) / (dx * dx + dy * dy), 0.0, 1.0)
        ox, oy = _x - xa - along * dx, _y - ya - along * dy
        near |= ox * ox + oy * oy <= half * half
    return near


_SHAPES = {"o": _ellipse, "c": _ring, "r": _rectangle, "g": _grid, "p": _polygon, "l": _line}
