"""Ridge regression in closed form: what is exact about it, and that it runs without a step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_scenarios import finished, planned, scenario

from clbench.errors import RunError, UsageError
from clbench.nn.closed_form.head import RidgeHead, random_features
from clbench.nn.closed_form.ridge import BlockSums, RidgeSums, class_weights, holdout_gamma, image_weights

N, D, H, L = 90, 12, 24, 6
RNG = np.random.default_rng(0)
X = torch.from_numpy(RNG.standard_normal((N, D)))
R = torch.from_numpy(RNG.uniform(-1, 1, (H, D)) / D**0.5)
PHI = (X @ R.T).relu()
Y = torch.from_numpy((RNG.random((N, L)) < 0.3).astype(np.float64))
SESSIONS = [(slice(0, 30), 2), (slice(30, 60), 4), (slice(60, 90), 6)]


def summed(phi: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None = None) -> RidgeSums:
    sums = RidgeSums(phi.shape[1])
    sums.widen(y.shape[1])
    sums.add(phi, y, weight=weight)
    return sums


def ridge(phi: torch.Tensor, y: torch.Tensor, gamma: float, weight: torch.Tensor | None = None) -> torch.Tensor:
    """The textbook, by another way: least squares on rows with sqrt(gamma) I below them."""
    root = torch.ones(len(phi), dtype=phi.dtype) if weight is None else weight.sqrt()
    rows = torch.cat([phi * root[:, None], gamma**0.5 * torch.eye(phi.shape[1], dtype=phi.dtype)])
    wanted = torch.cat([y * root[:, None], torch.zeros(phi.shape[1], y.shape[1], dtype=phi.dtype)])
    return torch.linalg.lstsq(rows, wanted).solution


def off(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max().clamp(min=1e-300))


def hidden(y: torch.Tensor) -> torch.Tensor:
    """What `unknown: negative` makes of a stream in which each session shows its own two labels."""
    shown = torch.zeros_like(y)
    for rows, seen in SESSIONS:
        shown[rows, seen - 2 : seen] = y[rows, seen - 2 : seen]
    return shown


# ---------------------------------------------------------------------- the solver


def test_sums_over_sessions_with_growing_labels_are_one_batch_and_so_is_the_recursion():
    sums = RidgeSums(H)
    inverse, w = torch.eye(H, dtype=torch.float64) / 0.1, torch.zeros(H, 0, dtype=torch.float64)
    for rows, seen in SESSIONS:
        sums.widen(seen)
        w = torch.cat([w, w.new_zeros(H, 2)], dim=1)
        for first in range(rows.start, rows.stop, 7):
            part = slice(first, min(first + 7, rows.stop))
            phi, y = PHI[part], hidden(Y)[part, :seen]
            sums.add(phi, y)
            # ACIL, equations 9 and 10
            gain = inverse @ phi.T @ torch.linalg.inv(torch.eye(len(phi), dtype=phi.dtype) + phi @ inverse @ phi.T)
            inverse = inverse - gain @ phi @ inverse
            w = w + inverse @ phi.T @ (y - phi @ w)
    whole = ridge(PHI, hidden(Y), 0.1)
    assert off(sums.solve(0.1), whole) < 1e-11
    assert off(w, whole) < 1e-11


def test_order_and_shards_of_images_change_nothing_and_neither_does_the_order_of_labels():
    order = torch.from_numpy(RNG.permutation(N))
    one, other = summed(PHI, Y), summed(PHI[order], Y[order])
    assert off(other.solve(1.0), one.solve(1.0)) < 1e-12
    shards = summed(PHI[::2], Y[::2])
    shards.merge(summed(PHI[1::2], Y[1::2]))
    assert off(shards.gram, one.gram) < 1e-14 and off(shards.cross, one.cross) < 1e-14
    labels = [3, 1, 0, 2, 5, 4]
    assert off(summed(PHI, Y[:, labels]).solve(1.0), one.solve(1.0)[:, labels]) < 1e-13


def test_gamma_is_relative_to_the_square_of_the_features_scale():
    s = 7.0
    assert off(summed(s * PHI, Y).solve(s**2 * 0.5), summed(PHI, Y).solve(0.5) / s) < 1e-13
    normal, uniform = (random_features(40, hidden=4000, draw=d, seed=1) for d in ("normal", "uniform"))
    assert float(normal.var() / uniform.var()) == pytest.approx(3 * 40, rel=0.05)


def test_an_immense_gamma_ranks_by_the_class_sums_and_a_tiny_one_interpolates():
    far = PHI @ summed(PHI, Y).solve(1e12)
    assert torch.equal(far.argsort(0), (PHI @ (PHI.T @ Y)).argsort(0))
    wide = (X[:20] @ torch.from_numpy(RNG.standard_normal((64, D))).T).relu()
    assert float((wide @ summed(wide, Y[:20]).solve(1e-9) - Y[:20]).abs().max()) < 1e-5


def test_an_image_given_twice_weighs_two():
    twice = torch.ones(N, dtype=torch.float64)
    twice[3] = 2
    doubled = summed(torch.cat([PHI, PHI[3:4]]), torch.cat([Y, Y[3:4]]))
    assert off(summed(PHI, Y, twice).solve(1.0), doubled.solve(1.0)) < 1e-13
    assert off(summed(PHI, Y, twice).solve(1.0), ridge(PHI, Y, 1.0, twice)) < 1e-11


def test_taking_hidden_labels_as_absent_shrinks_the_ridge_of_the_labels_own_session():
    own = summed(PHI[:30], Y[:30, :2])
    later = summed(PHI[30:], torch.zeros(60, 2, dtype=torch.float64))
    eye = torch.eye(H, dtype=torch.float64)
    shrink = eye - torch.linalg.solve(own.gram + later.gram + eye, later.gram)
    own_weights = own.solve(1.0)
    own.merge(later)
    assert off(own.solve(1.0), shrink @ own_weights) < 1e-12
    assert own.solve(1.0).norm() < own_weights.norm()


def test_float32_sums_are_harmless_for_a_large_gamma_only():
    phi = (torch.from_numpy(RNG.standard_normal((120, 16))) @ torch.from_numpy(RNG.standard_normal((16, 256)))).relu()
    y = torch.from_numpy((RNG.random((120, 3)) < 0.3).astype(np.float64))
    coarse = RidgeSums(256, dtype=torch.float32)
    coarse.widen(3)
    coarse.add(phi, y)
    exact = summed(phi, y)
    assert off(coarse.solve(1e3).double(), exact.solve(1e3)) < 1e-4
    assert off(coarse.solve(1e-1).double(), exact.solve(1e-1)) > 1e-3


def test_a_gamma_too_small_to_solve_with_is_an_error_that_names_it():
    with pytest.raises(RunError, match="gamma = 0 is not positive definite"):
        summed(torch.zeros(3, 4, dtype=torch.float64), torch.zeros(3, 1)).solve(0.0)


def test_the_held_out_fifth_chooses_the_gamma_that_predicts_it_best():
    y = Y + 2.0 * torch.from_numpy(RNG.standard_normal(Y.shape))
    chosen = holdout_gamma([(PHI[:50], y[:50]), (PHI[50:], y[50:])])
    errors = {
        power: float((PHI[72:] @ ridge(PHI[:72], y[:72], 10.0**power) - y[72:]).square().mean())
        for power in range(-8, 9)
    }
    assert chosen == 10.0 ** min(errors, key=errors.__getitem__)


def test_weights_of_labels_and_images_by_hand():
    w = class_weights(torch.tensor([100, 25, 4]))
    assert w.tolist() == pytest.approx([0.375, 0.75, 1.875], rel=1e-14)
    y = torch.tensor([[1.0, 0, 0], [1, 1, float("nan")], [0, 1, 1], [0, 0, 0]])
    assert image_weights(y, w).tolist() == pytest.approx([0.375, 0.5625, 1.3125, 0.0], rel=1e-14)
    assert image_weights(y, w, mean=False).tolist() == pytest.approx([0.375, 1.125, 2.625, 0.0], rel=1e-14)
    assert class_weights(torch.tensor([5, 5, 5])).tolist() == [1.0, 1.0, 1.0]
    assert class_weights(torch.tensor([0, 4])).tolist() == [0.0, 2.0]


def test_sums_come_back_from_their_state():
    sums = BlockSums(H)
    sums.fresh([2])
    sums.parts[0].add(PHI, Y[:, :2])
    sums.fresh([2, 4])
    other = BlockSums(H)
    other.load(sums.state())
    assert [torch.equal(a.gram, b.gram) for a, b in zip(sums.parts, other.parts, strict=True)] == [True, True]
    assert [tuple(p.cross.shape) for p in other.parts] == [(H, 2), (H, 4)]


def test_new_labels_leave_the_old_values_alone_to_the_bit():
    head = RidgeHead(width=D, projection=R.float(), pooling="linear", trained=False)
    maps = torch.randn(5, D, 2, 2)
    head.grow(2)
    head.set_weights(torch.randn(H, 2))
    before = head(maps)
    head.grow(3)
    assert torch.equal(head(maps)[:, :2], before)
    assert torch.equal(head(maps)[:, 2:], torch.full((5, 3), -2.0))
    weight, bias = head.classifier()
    assert torch.allclose((head.label_features(maps) * weight).sum(-1) + bias, head(maps), atol=1e-4)


# ---------------------------------------------------------------------- runs


SMALL = ("ridge.hidden=32", "ridge.gamma=1")


def oracle(run: object, *, ignore: bool) -> torch.Tensor:
    """The batch ridge of what a finished run was shown, computed from its pictures at once."""
    strategy, wanted = run.strategy, []  # type: ignore[attr-defined]
    phis, shown = [], []
    for session in run.stream.sessions:  # type: ignore[attr-defined]
        with torch.no_grad():
            images = run.source.read(session.rows)  # type: ignore[attr-defined]
            phis.append(strategy.net.head.expanded(strategy.net.maps(images)).double())
        shown.append(torch.nn.functional.pad(torch.from_numpy(session.targets.copy()).double(), (0, 6 - session.seen)))
    if not ignore:
        return ridge(torch.cat(phis), torch.cat(shown).clamp(min=0), 1.0)
    for i, phi in enumerate(phis):
        wanted.append(ridge(phi, shown[i][:, 2 * i : 2 * i + 2], 1.0))
    return torch.cat(wanted, dim=1)


@pytest.mark.parametrize("unknown", ["negative", "ignore"])
def test_a_run_makes_no_step_and_ends_with_the_batch_ridge(unknown: str, tmp_path: Path):
    path = scenario(tmp_path, visible="new", images=100)
    first: dict[str, object] = {}

    def note(run: object) -> None:
        first["weight"] = run.strategy.net.head.weight().clone()  # type: ignore[attr-defined]

    sets = ("ridge.base=given", f"ridge.unknown={unknown}", *SMALL)
    run, record = finished(planned(path, "ridge", *sets), tmp_path, after_first=note)
    weight = run.strategy.net.head.weight().double().T
    assert off(weight, oracle(run, ignore=unknown == "ignore")) < 1e-5
    moved = not torch.equal(run.strategy.net.head.weight()[:2], first["weight"])
    assert moved == (unknown == "negative")
    sessions = run.stream.sessions
    assert [cost.steps for cost in record.costs] == [0, 0, 0]
    assert [cost.images_seen for cost in record.costs] == [len(session.rows) for session in sessions]
    grams = [1, 1, 1] if unknown == "negative" else [1, 2, 3]
    assert [cost.state_bytes for cost in record.costs] == [
        8 * (32 * 32 * n + 32 * session.seen) for n, session in zip(grams, sessions, strict=True)
    ]
    assert {cost.score_cost for cost in record.costs} == {1.0}
    assert [cost.trainable for cost in record.costs][1:] == [0, 0]
    if unknown == "ignore":
        assert record.summary["forgetting"] == 0.0


def test_l3as_weights_stay_as_they_were_when_their_session_was_met(tmp_path: Path):
    path = scenario(tmp_path, visible="new", images=100)
    run, _ = finished(planned(path, "ridge", "ridge.base=given", "ridge.weights=l3a", *SMALL), tmp_path)
    counts, phis, shown, omegas = torch.zeros(6), [], [], []
    for session in run.stream.sessions:
        y = torch.nn.functional.pad(
            torch.from_numpy(session.targets.copy()).double().clamp(min=0), (0, 6 - session.seen)
        )
        counts = counts + y.sum(0)
        omegas.append(image_weights(y[:, : session.seen], class_weights(counts[: session.seen])))
        with torch.no_grad():
            phis.append(run.strategy.net.head.expanded(run.strategy.net.maps(run.source.read(session.rows))).double())
        shown.append(y)
    wanted = ridge(torch.cat(phis), torch.cat(shown), 1.0, torch.cat(omegas))
    assert off(run.strategy.net.head.weight().double().T, wanted) < 1e-5


def test_a_base_session_trains_and_then_everything_stands_still(tmp_path: Path):
    path = scenario(tmp_path, images=100)
    early: dict[str, object] = {}

    def note(run: object) -> None:
        state = run.strategy.net.backbone.state_dict()  # type: ignore[attr-defined]
        early.update({name: value.clone() for name, value in state.items()})

    run, record = finished(planned(path, "ridge", "ridge.completion=0.7", *SMALL), tmp_path, after_first=note)
    assert record.costs[0].steps > 0 and [cost.steps for cost in record.costs[1:]] == [0, 0]
    assert all(torch.equal(value, early[name]) for name, value in run.strategy.net.backbone.state_dict().items())


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (("head=queries",), "head 'queries' gives no single feature; ridge needs one of linear, maxpool"),
        (("ridge.completion=0.7", "ridge.unknown=ignore"), "which ridge.unknown=ignore leaves out"),
        (("train.ema=0.9",), "train.ema is 0.9"),
        (("ridge.gamma=0",), "ridge.gamma is 0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(sets: tuple[str, ...], words: str, tmp_path: Path):
    with pytest.raises(UsageError, match=words):
        finished(planned(scenario(tmp_path), "ridge", *sets), tmp_path)


def test_the_release_s_precision_marks_the_row(tmp_path: Path):
    sets = ("ridge.base=given", "ridge.legacy_float32=true", "ridge.draw=normal", "ridge.select=holdout", *SMALL)
    _, record = finished(planned(scenario(tmp_path, images=100), "ridge", *sets), tmp_path)
    assert "legacy-float32" in record.marks
