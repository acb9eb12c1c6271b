"""Statistics, thresholds and graphs of published methods against plain loops that do what their releases do.

    python benchmarks/bench_plain_loops.py [--quick]

L3A: how often each label was seen and what each image weighs, batches of 64 images, an image at a time (the release
decodes all pictures once more for its counts, which is left out here); then the weighted sums over 512 random features
too, in float64, where both sides do the same products; the solve is the same and left out. KRT: the threshold of 4,000
images and 40 labels, one pass over all scores for each of 60 moves of 0.005. AGCN: counts of a session of 500 images
with 40 old and 10 new labels, an image and a label at a time. Both sides give the same numbers, which is compared
before the clock runs.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from scipy.sparse import csr_array
from torch import Tensor

from clbench.cli.comparison import Comparison, in_turns, main, milliseconds, ratio
from clbench.nn.closed_form.ridge import RidgeSums, class_weights, image_weights
from clbench.nn.heads.graphs.correlation import conditional
from clbench.nn.pseudo import stepped_threshold

HIDDEN, LABELS, BATCH = 512, 50, 64


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---------------------------------------------------------------------- L3A


def sums(phi: Tensor, y: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    kept = RidgeSums(HIDDEN)
    kept.widen(LABELS)
    for x, t in zip(phi.split(BATCH), y.split(BATCH), strict=True):
        kept.add(x, t, weight=image_weights(t, weights))
    return kept.gram, kept.cross


def counts_by_batch(y: Tensor) -> list[float]:
    counts = [0.0] * LABELS
    for t in y.split(BATCH):
        counts = [a + b for a, b in zip(counts, t.sum(dim=0).tolist(), strict=True)]
    return counts


def weights_by_image(y: Tensor, counts: list[float]) -> list[Tensor]:
    omegas = []
    for image in y:
        rarity = [count**-0.5 for count in counts]  # made anew for every image, as in the release
        scaled = [len(rarity) * value / sum(rarity) for value in rarity]
        present = [k for k in range(LABELS) if image[k] == 1]
        omegas.append(torch.tensor(sum(scaled[k] for k in present) / image.sum().item(), dtype=torch.float64))
    return omegas


def sums_by_image(phi: Tensor, y: Tensor, counts: list[float]) -> tuple[Tensor, Tensor]:
    gram, cross = torch.zeros(HIDDEN, HIDDEN, dtype=torch.float64), torch.zeros(HIDDEN, LABELS, dtype=torch.float64)
    for x, t in zip(phi.split(BATCH), y.split(BATCH), strict=True):
        omega = torch.block_diag(*weights_by_image(t, counts))
        gram += x.T @ omega @ x
        cross += x.T @ omega @ t
    return gram, cross


# ---------------------------------------------------------------------- KRT and AGCN


def threshold_by_moves(scores: Tensor, *, density: float, threshold: float = 0.8) -> float:
    """A pass over all scores for every move, as many as the release allows."""
    for _ in range(101):
        gap = float((scores > threshold).sum(1).double().mean()) - density
        if abs(gap) <= 0.1:
            break
        threshold += 0.005 if gap > 0 else -0.005
    return threshold


def graph_by_entry(present: Tensor, believed: Tensor, before: Tensor) -> Tensor:
    old, new = believed.shape[1], present.shape[1]
    together, mass = torch.zeros(old + new, old + new, dtype=torch.float64), [0.0] * (old + new)
    for marks, beliefs in zip(present.tolist(), believed.tolist(), strict=True):
        values = [*beliefs, *marks]
        for i, value in enumerate(values):
            mass[i] += value
        for j in range(old, old + new):
            if values[j]:
                for i, value in enumerate(values):
                    together[i, j] += value
    found = torch.zeros_like(together)
    found[:old, :old] = before
    for j in range(old, old + new):
        for i in range(old + new):
            if i != j:
                found[i, j] = together[i, j] / mass[j]
                if i < old:
                    found[j, i] = found[i, j] * mass[j] / mass[i]
    return found


def measure(quick: bool) -> Iterator[Comparison]:
    images = 128 if quick else 512
    phi, y = drawn(images, HIDDEN), (drawn(images, LABELS, seed=1) < 0.08).double()
    y[~y.any(1), 0] = 1
    counts = y.sum(0).clamp(min=1)
    weights = class_weights(counts)
    scores = drawn(4000, 40, seed=2) ** 3
    present, believed = (drawn(500, 10, seed=3) < 0.2).double(), drawn(500, 40, seed=4)
    before = torch.zeros(40, 40, dtype=torch.float64)
    whole = counts_by_batch(y)
    assert whole == y.sum(0).tolist() == counts.tolist()
    for ours, theirs in zip(sums(phi, y, weights), sums_by_image(phi, y, whole), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert abs(stepped_threshold(scores, density=8.0) - threshold_by_moves(scores, density=8.0)) < 1e-9
    rows = csr_array(present.numpy())
    torch.testing.assert_close(conditional(rows, [believed], before), graph_by_entry(present, believed, before))
    krt = (lambda: stepped_threshold(scores, density=8.0), lambda: threshold_by_moves(scores, density=8.0))
    agcn = (lambda: conditional(rows, [believed], before), lambda: graph_by_entry(present, believed, before))
    l3a = (lambda: image_weights(y, class_weights(y.sum(0))), lambda: weights_by_image(y, counts_by_batch(y)))
    both = (lambda: sums(phi, y, weights), lambda: sums_by_image(phi, y, whole))
    for what, (ours, plain), times in (
        ("L3A, statistics and weights", l3a, 50),
        ("L3A, weights and sums of products", both, None),
        ("KRT, threshold", krt, None),
        ("AGCN, graph", agcn, None),
    ):
        seconds = in_turns({"ours": ours, "loops": plain}, repeats=2 if quick else 5)
        yield Comparison(
            what, ratio(seconds, "loops", "ours"), "times as fast as", "plain loops", at_least=times,
            detail=milliseconds(seconds),
        )  # fmt: skip


if __name__ == "__main__":
    main(measure, doc=__doc__)
