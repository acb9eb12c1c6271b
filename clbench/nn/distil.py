"""What a frozen earlier network teaches the current one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.errors import ClbenchError
from clbench.nn.losses import Reduction, reduce
from clbench.nn.shared.ranks import global_mean

M = TypeVar("M", bound=nn.Module)


class _Frozen:
    """Goes before a module's own class: training mode never comes back and calls build no graph."""

    def train(self, mode: bool = True) -> _Frozen:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with torch.no_grad():
            return super().__call__(*args, **kwargs)  # type: ignore[misc]


def frozen(module: M) -> M:
    """Return a copy of `module` that never trains again.

    The copy is in evaluation mode and stays there when a parent calls `.train()`; no parameter of it asks for a
    gradient, and calling it builds no graph. Call it under the autocast of the student: nothing here switches it off.
    """
    teacher = copy.deepcopy(module)
    teacher.eval()
    teacher.requires_grad_(False)
    if not isinstance(teacher, _Frozen):
        kind = type(teacher)
        teacher.__class__ = type(f"Frozen{kind.__name__}", (_Frozen, kind), {})
    return teacher


def without_teachers(module: nn.Module) -> list[nn.Parameter]:
    """Return a module's parameters but those of frozen copies, which a method learns from and never predicts with."""
    taught = {id(p) for part in module.modules() if isinstance(part, _Frozen) for p in part.parameters()}
    return [parameter for parameter in module.parameters() if id(parameter) not in taught]


def drop_teachers(module: nn.Module) -> None:
    """Put None in the place of every frozen copy below `module`, for a network that only predicts from now on."""
    for part in list(module.modules()):
        for name, child in list(part.named_children()):
            if isinstance(child, _Frozen):
                setattr(part, name, None)


def _same_shape(name: str, student: Tensor, teacher: Tensor) -> None:
    if student.shape != teacher.shape:
        raise ClbenchError(
            f"{name}: the student has shape {tuple(student.shape)}, the teacher {tuple(teacher.shape)}.",
            hint="Give both the same images and keep only the labels that the teacher knows.",
        )


def sigmoid_distillation(
    logits: Tensor,
    teacher_logits: Tensor,
    *,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Binary cross-entropy of the student's first logits against the teacher's sigmoids.

    Learning without forgetting (Li and Hoiem, TPAMI 2018) with one Bernoulli per label, since labels are not exclusive:
    T^2 * BCE(s / T, sigmoid(t / T)), the factor keeping the gradient's size. `logits` is [B, L], `teacher_logits`
    [B, O] with O <= L; entries outside `mask` [B, O] and NaN teacher entries are left out. `reduction` as in `bce`.
    `reduction` as for the classification losses, so that both terms can be summed on the same scale. Raises
    ClbenchError where O > L.
    """
    old = teacher_logits.shape[1]
    if old > logits.shape[1]:
        raise ClbenchError(
            f"sigmoid_distillation: the teacher has {old} logits, the student only {logits.shape[1]}.",
            hint="Labels are in arrival order and a student knows at least the teacher's labels.",
        )
    usable = ~teacher_logits.isnan()
    if mask is not None:
        usable = usable & mask
    soft = (teacher_logits.float() / temperature).sigmoid().detach()
    soft = torch.where(usable, soft, torch.zeros_like(soft))
    entries = functional.binary_cross_entropy_with_logits(logits[:, :old].float() / temperature, soft, reduction="none")
    return reduce(entries * temperature**2, usable, reduction=reduction)


def cosine_distillation(student: Tensor, teacher: Tensor, *, per_row: bool = False) -> Tensor:
    """One minus the cosine between the student's and the teacher's features, averaged.

    The token loss of KRT (Dong et al., ICCV 2023): features [B, ...] are flattened per image. With `per_row`, [B, L, d]
    is compared row by row instead, so that every label counts the same whatever its norm.
    """
    _same_shape("cosine_distillation", student, teacher)
    if not per_row:
        student, teacher = student.flatten(1), teacher.flatten(1)
    return 1 - global_mean(functional.cosine_similarity(student.float(), teacher.float().detach(), dim=-1))


def pod_flat(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared distance between the normalised image features [B, d], averaged over the batch.

    PODNet (Douillard et al., ECCV 2020), "POD-flat", on L2-normalised features; equal to 2 (1 - cosine).
    """
    _same_shape("pod_flat", student, teacher)
    difference = functional.normalize(student.float(), dim=1) - functional.normalize(teacher.float().detach(), dim=1)
    return global_mean(difference.square().sum(1))


def pod_spatial(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Distance between the width- and height-pooled maps of every stage, averaged over images and stages.

    PODNet (Douillard et al., ECCV 2020), "POD-spatial": squared activations of each map [B, C, h, w] are summed over
    the width and over the height, the two results joined into one vector per image, normalised, and compared by their
    Euclidean distance. Raises ClbenchError where student and teacher have other numbers of stages.
    """
    if len(student) != len(teacher) or not student:
        raise ClbenchError(f"pod_spatial: the student has {len(student)} stages, the teacher {len(teacher)}.")
    losses = []
    for ours, theirs in zip(student, teacher, strict=True):
        _same_shape("pod_spatial", ours, theirs)
        difference = _strips(ours) - _strips(theirs.detach())
        # the norm has no gradient at zero distance, which is where every session starts
        losses.append(global_mean((difference.square().sum(1) + 1e-12).sqrt()))
    return torch.stack(losses).mean()


def _strips(maps: Tensor) -> Tensor:
    energy = maps.float().square()
    return functional.normalize(torch.cat([energy.sum(3).flatten(1), energy.sum(2).flatten(1)], dim=1), dim=1)


def attention_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """Divergence KL(teacher || student) of attention over positions, averaged over images, heads and labels.

    `student` is [B, heads, L, N], `teacher` [B, heads, O, N] with O <= L: the teacher's labels are the first ones.
    """
    student = student[:, :, : teacher.shape[2]]
    _same_shape("attention_distillation", student, teacher)
    theirs = teacher.float().detach()
    gap = theirs.clamp(min=1e-12).log() - student.float().clamp(min=1e-12).log()
    return global_mean((theirs * gap).sum(-1))
