"""Tensors in and out of `model.safetensors`, which holds no code; their shapes are known before any is read."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clbench.errors import DataError

KEPT = "kept."
"""What the names of tensors begin with that a strategy keeps beside its modules."""
_TENSOR = "__tensor__"


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors, each with memory of its own. Raises OSError."""
    from safetensors.torch import save_file

    path.touch()
    readable_by = path.stat().st_mode  # as every file of this user; safetensors makes one that only they may read
    save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, path)
    path.chmod(stat.S_IMODE(readable_by))


def read_tensors(path: Path, *, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return the tensors in a file. Raises DataError where modules' are not those `expected`, before reading any."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
            found = {name: shape for name, shape in shapes.items() if not name.startswith(KEPT)}
            for name in sorted(found.keys() | expected.keys()):
                if found.get(name) != expected.get(name):
                    raise DataError(
                        f"{path}: {name}: {found.get(name, 'is missing')}, expected {expected.get(name, 'nothing')}.",
                        hint="Tensors and model.json are not of one model, or of another clbench: export it again.",
                    )
            return {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: not readable tensors ({error}).", hint="Export the model again.") from error


def apart(kept: Any, *, name: str, tensors: dict[str, Tensor]) -> Any:
    """Return plain values with the name of each tensor in its place; the tensors go into `tensors`."""
    if isinstance(kept, Tensor):
        tensors[name] = kept
        return {_TENSOR: name}
    if isinstance(kept, dict):
        return {str(key): apart(value, name=f"{name}.{key}", tensors=tensors) for key, value in kept.items()}
    if isinstance(kept, list):
        return [apart(value, name=f"{name}.{i}", tensors=tensors) for i, value in enumerate(kept)]
    return kept


def together(kept: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return what `apart` took apart. Raises KeyError for a tensor that is not there."""
    if isinstance(kept, dict):
        if set(kept) == {_TENSOR}:
            return tensors[kept[_TENSOR]]
        return {key: together(value, tensors) for key, value in kept.items()}
    if isinstance(kept, list):
        return [together(value, tensors) for value in kept]
    return kept


def probe_picture(size: int) -> Tensor:
    """Return a picture uint8 [1, 3, size, size] that is the same everywhere: waves of three lengths, one a colour."""
    grid = torch.arange(size)
    waves = [(grid[:, None] * 7 * colour + grid[None, :] * 13 + 31 * colour) % 256 for colour in (1, 2, 3)]
    return torch.stack(waves).to(torch.uint8)[None]
