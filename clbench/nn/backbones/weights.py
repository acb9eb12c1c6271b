"""Reading pretrained weights without trust and without running anyone's code."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clbench.errors import DataError
from clbench.files.given import damaged_part

COCO_LABELS = 80


def load_weights(
    body: nn.Module,
    path: Path,
    *,
    name: str,
    in_order: bool = False,
    classifier: tuple[str, ...] = (),
    allow_coco: bool = False,
) -> None:
    """Put the tensors of a weights file into `body`.

    The keys must be timm's, one tensor for each of `body`, or with `in_order` anything that stands in timm's order;
    those of the `classifier` modules are left out knowingly. Raises DataError for a file that is missing, unreadable,
    does not fit, or was trained on COCO's labels.
    """
    stored = read_tensors(path)
    state = {key.removeprefix("module."): value for key, value in tensors_in(stored, path).items()}
    if not allow_coco:
        _refuse_coco(path, stored, state, classifier)
    wanted = body.state_dict()
    if in_order:
        heads = len(state) - len(wanted)
        # the classifier comes last in both
        state = dict(zip(wanted, list(state.values())[: len(state) - max(heads, 0)], strict=False))
    state = {key: value for key, value in state.items() if not key.startswith(tuple(f"{c}." for c in classifier))}
    _resize_positions(body, state, wanted)
    _check(path, name, state, wanted)
    body.load_state_dict(state, strict=False)


def saw_coco(text: str) -> bool:
    """Return whether the words of a file name or of metadata say that COCO's labels were seen."""
    return "coco" in text.lower()


def read_tensors(path: Path) -> dict[str, Any]:
    """Return what a weights file holds, read without running code. Raises DataError."""
    if not path.is_file():
        raise DataError(
            f"train.weights: {path} does not exist.",
            hint="Give a weights file, 'hub' for timm's hub, or leave it empty for random weights.",
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(path, framework="pt") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                return {"state_dict": tensors, "metadata": dict(file.metadata() or {})}
        if zipfile.is_zipfile(path) and (part := damaged_part(path)):
            raise ValueError(f"{part} is not as it was written")
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise DataError(
            f"train.weights: {path} is not a file of plain tensors ({reason[0] if reason else type(error).__name__}).",
            hint="Save the state dict alone with torch.save; nothing that could run code is loaded.",
        ) from error
    if not isinstance(stored, dict):
        raise DataError(f"train.weights: {path} holds a {type(stored).__name__}, expected a state dict.")
    return stored


def tensors_in(stored: dict[str, Any], path: Path) -> dict[str, Tensor]:
    """Return the state dict in what `read_tensors` gave. Raises DataError where there is none."""
    for key in ("state_dict_ema", "state_dict", "model"):
        if isinstance(stored.get(key), dict):
            stored = stored[key]
    tensors = {key: value for key, value in stored.items() if isinstance(value, Tensor)}
    if not tensors:
        raise DataError(f"train.weights: {path} holds no tensors, expected a state dict.")
    return tensors


def _refuse_coco(path: Path, stored: dict[str, Any], state: dict[str, Tensor], classifier: tuple[str, ...]) -> None:
    said = [path.name, *(f"{key}={value}" for key, value in stored.items() if not isinstance(value, (Tensor, dict)))]
    said += [f"{key}={value}" for part in stored.values() if isinstance(part, dict)
             for key, value in part.items() if not isinstance(value, (Tensor, dict))]  # fmt: skip
    why = next((f"'{text[:80]}' names COCO" for text in said if saw_coco(text)), "")
    for key, value in state.items():
        module = key.removesuffix(".weight")
        if (
            value.ndim == 2
            and len(value) == COCO_LABELS
            and (module in classifier or module.split(".")[-1] in {"fc", "head"})
        ):
            why = f"its classifier '{module}' has {COCO_LABELS} outputs, as COCO has labels"
    if why:
        raise DataError(
            f"train.weights: {path} has seen the labels to be learned: {why}.",
            hint="Use weights pretrained without COCO, for instance tresnet_m.miil_in21k from timm's hub.",
        )


def _resize_positions(body: nn.Module, state: dict[str, Tensor], wanted: dict[str, Any]) -> None:
    """Interpolate a vision transformer's position table to the image size in use."""
    key = "pos_embed"
    if key in state and key in wanted and state[key].ndim == 3 and state[key].shape != wanted[key].shape:
        from clbench.imports.models import pos_embed

        grid = list(body.patch_embed.grid_size)  # type: ignore[union-attr, arg-type]
        prefix = int(getattr(body, "num_prefix_tokens", 0))
        state[key] = pos_embed.resample_abs_pos_embed(state[key], new_size=grid, num_prefix_tokens=prefix)


def _check(path: Path, name: str, state: dict[str, Tensor], wanted: dict[str, Any]) -> None:
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    extra = [key for key in state if key not in wanted]
    shapes = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    parts = [("missing", missing), ("not part of it", extra), ("another shape", shapes)]
    told = [f"{what}: {', '.join(keys[:3])}{f' and {len(keys) - 3} more' if len(keys) > 3 else ''}"
            for what, keys in parts if keys]  # fmt: skip
    if told:
        raise DataError(
            f"train.weights: {path} does not fit backbone '{name}'; {'; '.join(told)}.",
            hint="The keys must be timm's for this very model; check train.backbone.",
        )
