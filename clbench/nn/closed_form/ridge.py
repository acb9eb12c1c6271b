"""Ridge regression from sums: what is kept of images is a Gram matrix, and the weights follow from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from clbench.errors import RunError

GAMMAS = tuple(10.0**power for power in range(-8, 9))
"""What RanPAC chooses from (McDonnell et al., NeurIPS 2023, algorithm 1)."""


class RidgeSums:
    """A = sum w_i phi_i phi_i^T [H, H] and C = sum w_i phi_i y_i^T [H, L] over all images met.

    W = (A + gamma I)^-1 C is the ridge of all of them, in whatever order and however many at a time they came (ACIL,
    Zhuang et al., NeurIPS 2022, theorem 1); new labels are new columns of C. Float64: at H = 1024 float32 sums are off
    by a third where gamma is 1e-3.
    """

    def __init__(self, width: int, *, dtype: torch.dtype = torch.float64) -> None:
        self.gram = torch.zeros(width, width, dtype=dtype)
        self.cross = torch.zeros(width, 0, dtype=dtype)
        self.images = 0
        """How many images were added here, weights aside."""

    def widen(self, labels: int) -> None:
        """Add columns of zeros up to `labels`: for all images met, what is new is absent."""
        extra = labels - self.cross.shape[1]
        if extra > 0:
            self.cross = torch.cat([self.cross, self.cross.new_zeros(len(self.cross), extra)], dim=1)

    def add(self, phi: Tensor, targets: Tensor, *, weight: Tensor | None = None) -> None:
        """Add images: features [n, H], targets [n, L] without unknown entries, and a weight [n] for each."""
        phi = phi.to(self.gram)
        targets = targets.to(self.gram)
        self.images += len(phi)
        weighted = phi if weight is None else phi * weight.to(self.gram)[:, None]
        self.gram.addmm_(weighted.T, phi)
        self.cross[:, : targets.shape[1]].addmm_(weighted.T, targets)

    def merge(self, other: RidgeSums) -> None:
        """Add what another has summed up."""
        self.gram += other.gram
        self.cross += other.cross
        self.images += other.images

    def solve(self, gamma: float, *, prior: Tensor | None = None) -> Tensor:
        """Return W [H, L], the ridge around `prior` [H, L] instead of around zero where there is one.

        (A + gamma I)^-1 (C + gamma P) is P plus the ridge of what P leaves over. Raises RunError where A + gamma I is
        not positive definite.
        """
        ridge = self.gram + gamma * torch.eye(len(self.gram), dtype=self.gram.dtype)
        factor, failed = torch.linalg.cholesky_ex(ridge)
        if int(failed):
            raise RunError(
                f"ridge: the Gram matrix plus gamma = {gamma:g} is not positive definite.",
                hint="Choose a larger gamma: it is compared with sums of squared features.",
            )
        wanted = self.cross if prior is None else self.cross + gamma * prior.to(self.cross)
        return torch.cholesky_solve(wanted, factor)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return both sums as arrays."""
        return {"gram": self.gram.numpy(), "cross": self.cross.numpy()}

    def load(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Put back what `state` returned."""
        self.gram, self.cross = (torch.from_numpy(state[name]).clone() for name in ("gram", "cross"))


class BlockSums:
    """Sums for each of several blocks of labels, or for all labels at once."""

    def __init__(self, width: int, *, dtype: torch.dtype = torch.float64) -> None:
        self.width = width
        self.dtype = dtype
        self.parts: list[RidgeSums] = []

    def fresh(self, sizes: Sequence[int]) -> BlockSums:
        """Return empty sums for blocks with so many labels, and make room for them here."""
        made = BlockSums(self.width, dtype=self.dtype)
        for sums in (self, made):
            sums.parts += [RidgeSums(self.width, dtype=self.dtype) for _ in sizes[len(sums.parts) :]]
            for part, labels in zip(sums.parts, sizes, strict=True):
                part.widen(labels)
        return made

    def add(self, phi: Tensor, targets: Tensor, *, weight: Tensor | None = None) -> None:
        """Add images to every block of whose labels [n, L] all are known, NaN being unknown."""
        sizes = [part.cross.shape[1] for part in self.parts]
        for part, y in zip(self.parts, torch.split(targets[:, : sum(sizes)], sizes, dim=1), strict=True):
            known = ~y.isnan().any(1)
            part.add(phi[known], y[known], weight=None if weight is None else weight[known])

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all sums as arrays. Those of a block are [H, H] and [H, L]."""
        return {f"{i} {name}": array for i, part in enumerate(self.parts) for name, array in part.state().items()}

    def load(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Put back what `state` returned. The shapes are those of the sums."""
        self.parts = [RidgeSums(0) for _ in range(len(state) // 2)]
        for i, part in enumerate(self.parts):
            part.load({name: state[f"{i} {name}"] for name in ("gram", "cross")})


def holdout_gamma(pairs: Iterable[tuple[Tensor, Tensor]], *, fitted: float = 0.8) -> float:
    """Return the gamma of GAMMAS that, fitted on the first images, predicts the last with the least squared error.

    RanPAC's choice, for batches of features [b, H] and targets [b, L] of one session; one decomposition serves all
    values. Images with an unknown label are left out.
    """
    phi, targets = (torch.cat(parts).double() for parts in zip(*pairs, strict=True))
    known = ~targets.isnan().any(1)
    phi, targets = phi[known], targets[known]
    count = max(int(fitted * len(phi)), 1)
    u, s, vh = torch.linalg.svd(phi[:count], full_matrices=False)
    seen, wanted = phi[count:] @ vh.T, u.T @ targets[:count]
    errors = [
        float((seen @ ((s / (s.square() + gamma))[:, None] * wanted) - targets[count:]).square().mean())
        for gamma in GAMMAS
    ]
    return GAMMAS[min(range(len(errors)), key=errors.__getitem__)]


def class_weights(counts: Tensor, *, power: float = 0.5) -> Tensor:
    """Return w_c [L] proportional to n_c^-power with mean 1 over the labels; 0 for a label never met.

    The power is 1/2 for L3A (sec. 3.3 of the paper) and 1 for AIR.
    """
    rarity = torch.where(counts > 0, counts.double().clamp(min=1) ** -power, 0.0)
    return rarity / rarity.mean() if bool((counts > 0).any()) else rarity


def image_weights(targets: Tensor, weights: Tensor, *, mean: bool = True) -> Tensor:
    """Return omega [n]: the mean of the weights of an image's positives (L3A), or their sum (AIR); 0 without any.

    `targets` [n, L] in {0, 1, NaN}. With the sum, A is the sum over labels of w_c times the Gram of its positives.
    """
    present = (targets > 0.5).to(weights)
    total = present @ weights
    return total / present.sum(1).clamp(min=1) if mean else total
