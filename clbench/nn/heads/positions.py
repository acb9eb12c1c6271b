"""Fixed positional encodings of a feature map."""

from __future__ import annotations

import math
from typing import Literal

import torch

from clbench.errors import UsageError

Positional = Literal["none", "sine"]


def check_positional(name: Positional, *, d: int) -> None:
    """Raise UsageError unless width `d` allows the positional encoding `name`."""
    if name == "sine" and d % 4:
        raise UsageError(
            f"head_options.positional 'sine' needs d divisible by 4, d is {d}.", hint="Use d = 64, 128, 256 or 512."
        )


def sine(h: int, w: int, *, d: int, device: torch.device, temperature: float = 10_000.0) -> torch.Tensor:
    """Return the two-dimensional sine encoding [h * w, d] of a map, rows first.

    Half the channels encode the row, half the column, both scaled to 0..2 pi (DETR, Carion et al., ECCV 2020), so that
    maps of different sizes share one encoding.
    """
    scale = temperature ** (-torch.arange(0, d // 2, 2, device=device, dtype=torch.float32) / (d // 2))
    rows = torch.arange(1, h + 1, device=device, dtype=torch.float32)[:, None] * (2 * math.pi / h) * scale
    columns = torch.arange(1, w + 1, device=device, dtype=torch.float32)[:, None] * (2 * math.pi / w) * scale
    y = torch.cat([rows.sin(), rows.cos()], dim=1)[:, None].expand(h, w, -1)
    x = torch.cat([columns.sin(), columns.cos()], dim=1)[None].expand(h, w, -1)
    return torch.cat([y, x], dim=2).reshape(h * w, d)
