"""EWC, MAS and SI on networks small enough to solve by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tiny_scenarios import PicturedSession, batch_of, built, finished, planned, scenario, toy_session

from clbench.nn.losses import known
from clbench.nn.scale import per_image
from clbench.spec.scenario import TrainSpec
from clbench.train.loop import training_plugins

# With the trivial backbone a picture of grey level v has the feature (a, 1 - a), a = v / 255, and logits W f + b.
WEIGHT, BIAS = "head.weight.blocks.0", "head.bias.blocks.0"
LEVELS = [51, 204]
FEATURES = torch.tensor([[0.2, 0.8], [0.8, 0.2]])
Y = [[1, 0], [0, -1]]


def solved(name: str, **fields: object) -> tuple[object, torch.Tensor, torch.Tensor]:
    """Return the strategy with known weights, and the logits and probabilities [2, 2] of the two pictures."""
    strategy = built(name, seen=2, **fields)
    weights = dict(strategy.net.named_parameters())
    with torch.no_grad():
        weights[WEIGHT].copy_(torch.tensor([[1.0, -1.0], [0.5, 2.0]]))
        weights[BIAS].copy_(torch.tensor([0.25, -0.5]))
    logits = FEATURES @ torch.tensor([[1.0, -1.0], [0.5, 2.0]]).T + torch.tensor([0.25, -0.5])
    return strategy, logits, logits.sigmoid()


def session() -> PicturedSession:
    return PicturedSession(toy_session([4, 7], Y), LEVELS)


def moved(strategy: object, by: float) -> None:
    with torch.no_grad():
        dict(strategy.net.named_parameters())[WEIGHT][0, 0] += by  # type: ignore[attr-defined]


def test_ewc_pulls_with_the_fisher_information_of_visible_labels() -> None:
    ewc, _, p = solved("ewc", labels="visible", weight=8.0, images=0)
    with torch.no_grad():
        ewc.end_session(session())
    # label 0 is visible on both pictures, label 1 on the first alone: residual^2 * feature^2, mean over two pictures
    r = p - torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    wanted = torch.stack(
        [
            (r[0, 0] ** 2 * FEATURES[0] ** 2 + r[1, 0] ** 2 * FEATURES[1] ** 2) / 2,
            r[0, 1] ** 2 * FEATURES[0] ** 2 / 2,
        ]
    )
    held = ewc.penalty.state()["weight"]
    assert torch.allclose(held[WEIGHT], wanted, atol=1e-6)
    assert torch.allclose(held[BIAS], torch.stack([(r[:, 0] ** 2).mean(), r[0, 1] ** 2 / 2]), atol=1e-6)
    moved(ewc, 0.3)
    batch = batch_of([1], [[-1, -1]])
    ewc._train = TrainSpec(loss="bce", reduction="sum")
    assert ewc.loss(batch, torch.zeros(1, 2)).item() == pytest.approx(8 / 2 * float(wanted[0, 0]) * 0.3**2, rel=1e-4)
    ewc.net.zero_grad()
    ewc.loss(batch, torch.zeros(1, 2)).backward()
    slope = dict(ewc.net.named_parameters())[WEIGHT].grad
    assert slope[0, 0].item() == pytest.approx(8 * float(wanted[0, 0]) * 0.3, rel=1e-4)
    assert slope.flatten()[1:].abs().max() < 1e-6


def test_ewc_with_drawn_labels_finds_the_fisher_information_on_average() -> None:
    ewc, _, p = solved("ewc", images=0)
    torch.manual_seed(0)
    with torch.no_grad():
        ewc.end_session(PicturedSession(toy_session(list(range(3000)), [[0, -1]] * 3000), [51] * 3000))
    held = ewc.penalty.state()["weight"]
    # E (p - y)^2 f^2 = p (1 - p) f^2, whatever label was shown; the hidden label tells nothing
    wanted = p[0, 0] * (1 - p[0, 0]) * FEATURES[0] ** 2
    assert torch.allclose(held[WEIGHT][0], wanted, rtol=0.1)
    assert (held[WEIGHT][1] == 0).all() and held[BIAS][1] == 0


def test_online_ewc_fades_old_importance_and_moves_its_one_anchor() -> None:
    ewc, _, _ = solved("ewc", labels="visible", decay=0.5, images=0)
    with torch.no_grad():
        ewc.end_session(session())
    first = ewc.penalty.state()["weight"][WEIGHT]
    moved(ewc, 1.0)
    with torch.no_grad():
        ewc.end_session(PicturedSession(toy_session([9], [[-1, -1]]), [0]))  # nothing visible: no information
    assert torch.equal(ewc.penalty.state()["weight"][WEIGHT], 0.5 * first)
    assert ewc.penalty.value(dict(ewc.net.named_parameters())).item() == pytest.approx(0, abs=1e-7)


def test_mas_pulls_with_the_slope_of_the_squared_outputs_and_needs_no_labels() -> None:
    mas, z, _ = solved("mas", weight=5.0, images=0)
    with torch.no_grad():
        mas.end_session(PicturedSession(toy_session([4, 7], [[-1, -1], [-1, -1]]), LEVELS))
    wanted = (2 * z[:, :, None].abs() * FEATURES[:, None, :]).mean(0)
    held = mas.penalty.state()["weight"]
    assert torch.allclose(held[WEIGHT], wanted, rtol=1e-5)
    assert torch.allclose(held[BIAS], (2 * z.abs()).mean(0), rtol=1e-5)
    moved(mas, 0.3)
    mas._train = TrainSpec(loss="bce", reduction="sum")
    value = mas.loss(batch_of([1], [[-1, -1]]), torch.zeros(1, 2)).item()
    assert value == pytest.approx(5 * float(wanted[0, 0]) * 0.3**2, rel=1e-4)  # no half in MAS


def test_si_credits_each_weight_with_what_its_steps_gained() -> None:
    si, _, _ = solved("si", weight=3.0, damping=0.1)
    weight = dict(si.net.named_parameters())[WEIGHT]
    start = weight[0, 0].item()
    # the path integral starts where the session starts
    si.begin_session(PicturedSession(toy_session([4], [[1, 0]]), [51]))
    gained, place = 0.0, start
    for _ in range(4):  # gradient descent on (w - 2)^2 / 2 for one weight, rate 0.25
        si.net.zero_grad()
        slope = place - 2.0
        weight.grad = torch.zeros_like(weight)
        weight.grad[0, 0] = slope
        moved(si, -0.25 * slope)
        gained += 0.25 * slope**2
        place -= 0.25 * slope
        si.after_step(batch_of([4], [[1, 0]]), torch.zeros(1, 2))
    si.end_session(session())
    omega = gained / ((place - start) ** 2 + 0.1)
    held = si.penalty.state()["weight"][WEIGHT]
    assert held[0, 0].item() == pytest.approx(omega, rel=1e-5) and held.flatten()[1:].abs().max() == 0
    moved(si, 0.5)
    si._train = TrainSpec(loss="bce", reduction="sum")
    value = si.loss(batch_of([1], [[-1, -1]]), torch.zeros(1, 2)).item()
    assert value == pytest.approx(3 * omega * 0.25, rel=1e-4)


def test_si_passes_over_a_step_that_fp16_could_not_make() -> None:
    si, _, _ = solved("si")
    weight = dict(si.net.named_parameters())[WEIGHT]
    weight.grad = torch.full_like(weight, float("inf"))
    si.after_step(batch_of([4], [[1, 0]]), torch.zeros(1, 2))
    si.end_session(session())
    assert all(bool((t == 0).all()) for t in si.penalty.state()["weight"].values())


def test_si_does_not_credit_the_way_back_to_its_anchor() -> None:
    si, _, _ = solved("si", weight=1.0e4)
    si._train = TrainSpec(loss="bce", reduction="sum")
    weight = dict(si.net.named_parameters())[WEIGHT]
    si.penalty.anchor(dict(si.net.named_parameters()), {WEIGHT: torch.ones_like(weight)})
    moved(si, 1.0)
    si.begin_session(PicturedSession(toy_session([4], [[1, 0]]), [51]))
    batch = batch_of([4], [[1, 0]], levels=[51])
    si.loss(batch, si.net(batch.images)).backward()
    assert weight.grad[0, 0].item() > 1.0e4
    moved(si, -1.0)
    si.after_step(batch, torch.zeros(1, 2))
    # the loss of the picture alone has a slope of (p - y) * 0.2 at the weight that moved
    p = torch.tensor(2 * 0.2 - 0.8 + 0.25).sigmoid().item()
    assert si.path.state()["omega"][WEIGHT][0, 0].item() == pytest.approx((p - 1) * 0.2, rel=1e-2)


def test_avalanches_si_stays_without_effect_on_a_cpu() -> None:
    """Why SI is written anew; when this fails Avalanche's own may be offered again."""
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    kind = training_plugins("SynapticIntelligencePlugin")["SynapticIntelligencePlugin"]
    plugin = kind(si_lambda=6.0, eps=0.5)
    loop = SimpleNamespace(model=model, clock=SimpleNamespace(train_exp_counter=0), device=torch.device("cpu"))
    plugin.before_training_exp(loop)
    plugin.before_training_iteration(loop)
    model.weight.grad = torch.full_like(model.weight, -0.01)
    with torch.no_grad():
        model.weight += 0.02
    plugin.after_training_iteration(loop)
    with pytest.warns(DeprecationWarning):
        plugin.after_training_exp(loop)
    (importance,) = (value.data.item() for value in plugin.ewc_data[1].values())
    assert importance == 0.0


@pytest.mark.parametrize("name", ["ewc", "mas"])
def test_measuring_importance_leaves_weights_gradients_and_batch_statistics_alone(name: str, tmp_path: Path) -> None:
    run, _ = finished(planned(scenario(tmp_path), name), tmp_path)
    strategy, last = run.strategy, run.stream.sessions[-1]
    strategy.eval()
    before = {key: value.clone() for key, value in strategy.net.state_dict().items()}
    gradients = {key: None if p.grad is None else p.grad.clone() for key, p in strategy.net.named_parameters()}
    with torch.no_grad():
        strategy.end_session(run._live(last))
    assert all(torch.equal(before[key], value) for key, value in strategy.net.state_dict().items())
    for key, parameter in strategy.net.named_parameters():
        old = gradients[key]
        assert (old is None) == (parameter.grad is None) and (old is None or torch.equal(old, parameter.grad))


@pytest.mark.parametrize("name", ["ewc", "mas", "si"])
def test_a_pull_of_no_strength_is_plain_training_to_the_bit(name: str, tmp_path: Path) -> None:
    path = scenario(tmp_path, train={"accumulate": 2})
    _, plain = finished(planned(path, "naive", "naive.unknown=ignore"), tmp_path)
    _, pulled = finished(planned(path, name, f"{name}.weight=0"), tmp_path)
    assert [score.sha256 for score in pulled.scores] == [score.sha256 for score in plain.scores]


@pytest.mark.parametrize("name", ["ewc", "mas", "si"])
def test_a_stronger_pull_moves_the_weights_less(name: str, tmp_path: Path) -> None:
    moves = []
    for weight in (0.0, 1.0e6):
        wanted = planned(scenario(tmp_path), name, f"{name}.weight={weight}", "train.optimizer=adam")
        first: dict[str, torch.Tensor] = {}

        def note(run: object, first: dict[str, torch.Tensor] = first) -> None:
            first.update({k: p.detach().clone() for k, p in run.strategy.net.named_parameters()})  # type: ignore[attr-defined]

        run, _ = finished(wanted, tmp_path / str(weight), after_first=note)
        now = dict(run.strategy.net.named_parameters())
        moves.append(sum((now[key] - value).square().sum().item() for key, value in first.items()))
    assert moves[1] < 0.5 * moves[0]


@pytest.mark.parametrize("freeze", ["backbone", "after-base"])
@pytest.mark.parametrize("name", ["ewc", "mas", "si"])
def test_a_frozen_backbone_is_no_obstacle(name: str, freeze: str, tmp_path: Path) -> None:
    finished(planned(scenario(tmp_path, train={"freeze": freeze}), name), tmp_path)


# ---------------------------------------------------------------------- terms on one scale


def test_a_weight_means_the_same_under_every_reduction() -> None:
    targets = torch.tensor([[1.0, 0.0, torch.nan], [0.0, 1.0, 1.0]])
    term = torch.tensor(0.7)
    ratios = []
    for reduction in ("sum", "total", "mean"):
        from clbench.nn.losses import reduce

        loss = reduce(torch.ones_like(targets), known(targets), reduction=reduction)
        ratios.append(float(per_image(term, targets, reduction=reduction) / loss))
    assert ratios == pytest.approx([0.7 / 2.5] * 3)
