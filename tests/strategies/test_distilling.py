"""PODNet, iCaRL and pseudo-labels: what an earlier network passes on."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_scenarios import FlatBackbone, PicturedSession, batch_of, built, finished, planned, scenario, toy_session

from clbench.errors import ClbenchError, UsageError
from clbench.nn.distil import frozen, pod_flat, pod_spatial
from clbench.nn.heads.by_name import build_head
from clbench.nn.nearest import NearestMeans
from clbench.nn.staged import StagedNetwork
from clbench.spec.scenario import TrainSpec

SUM = TrainSpec(loss="bce", reduction="sum")


def second_session(strategy: object, levels: list[int] = [51, 204]) -> PicturedSession:  # noqa: B006
    """Enter a session that shows one more label and return it."""
    live = PicturedSession(toy_session([7, 8], [[-1, 1], [-1, 0]], index=1, new=slice(1, 2)), levels)
    strategy.begin_session(live)  # type: ignore[attr-defined]
    return live


# ---------------------------------------------------------------------- PODNet


class TwoStages(FlatBackbone):
    def stages(self, images: torch.Tensor) -> list[torch.Tensor]:
        early = images.float() / 255
        return [early, super().forward(images)]


def podnet(**fields: object) -> object:
    strategy = built("podnet", seen=1, **fields)
    backbone = TwoStages()
    backbone.gain = torch.nn.Parameter(torch.ones(1))
    strategy.build(backbone, ("a", "b"))
    strategy._train = SUM
    strategy.begin_session(PicturedSession(toy_session([4], [[1]]), [51]))
    return strategy


def test_podnet_adds_both_terms_weighted_by_how_much_is_old() -> None:
    pod = podnet(spatial=3.0, flat=0.5)
    second_session(pod)
    batch = batch_of([7, 8], [[-1, 1], [-1, 0]], levels=[51, 204])
    logits = pod.net(batch.images)
    maps = pod.net._stages
    moved = [m + 0.1 * torch.arange(m.numel()).reshape(m.shape) for m in maps]
    pod.net._stages = moved
    flat = pod_flat(moved[-1].mean(dim=(2, 3)), maps[-1].mean(dim=(2, 3)))
    wanted = pod.classification(logits, batch.targets) + math.sqrt(2 / 1) * (3 * pod_spatial(moved, maps) + 0.5 * flat)
    assert flat > 0.01
    assert pod.loss(batch, logits).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_podnet_without_a_past_is_plain_training_and_without_drift_too() -> None:
    pod = podnet()
    batch = batch_of([7, 8], [[1], [0]], levels=[51, 204])
    logits = pod.net(batch.images)
    assert torch.equal(pod.loss(batch, logits), pod.classification(logits, batch.targets))
    second_session(pod)
    wide = batch_of([7, 8], [[-1, 1], [-1, 0]], levels=[51, 204])
    logits = pod.net(wide.images)
    assert pod.loss(wide, logits).item() == pytest.approx(pod.classification(logits, wide.targets).item(), abs=1e-4)


def test_a_staged_network_computes_what_a_plain_one_does_and_keeps_its_maps_once() -> None:
    head = build_head("linear", width=2, options={})
    head.grow(3)
    network = StagedNetwork(TwoStages(), head)
    images = batch_of([0, 1], [[0], [1]], levels=[10, 200]).images
    with torch.no_grad():
        quiet = network(images)
    with pytest.raises(ClbenchError, match="kept no maps"):
        network.taken()
    assert torch.equal(network(images), quiet) and torch.equal(head(TwoStages()(images)), quiet)
    assert len(network.taken()) == 2
    copy.deepcopy(network)  # nothing with a graph is left in it


def test_in_a_run_podnet_holds_the_features_nearer_than_plain_training(tmp_path: Path) -> None:
    drift = []
    for weight in (0.0, 30.0):
        sets = (f"podnet.spatial={weight}", f"podnet.flat={weight}", "podnet.memory=0")
        early: dict[str, object] = {}

        def note(run: object, early: dict[str, object] = early) -> None:
            early["net"] = frozen(run.strategy.net)  # type: ignore[attr-defined]

        run, _ = finished(planned(scenario(tmp_path), "podnet", *sets), tmp_path / str(weight), after_first=note)
        images = run.source.read(run.stream.test_rows)
        run.strategy.eval()
        with torch.no_grad():
            now, then = (net.features(images).mean(dim=(2, 3)) for net in (run.strategy.net, early["net"]))
        drift.append(pod_flat(now, then).item())
    assert drift[1] < drift[0]


# ---------------------------------------------------------------------- iCaRL


def test_icarl_learns_new_labels_from_marks_and_old_ones_from_the_network_before() -> None:
    icarl = built("icarl", seen=1)
    icarl._train = SUM
    second_session(icarl)
    with torch.no_grad():
        icarl.teacher.head.bias.blocks[0].fill_(0.4)
        icarl.teacher.head.weight.blocks[0].zero_()
    q = torch.tensor(0.4).sigmoid().item()
    batch = batch_of([7, 4], [[-1, 1], [1, -1]], levels=[51, 204], replayed=1)
    logits = torch.tensor([[0.3, -0.2], [1.0, 5.0]])
    p = logits.sigmoid().tolist()
    old = sum(-(q * math.log(p[i][0]) + (1 - q) * math.log(1 - p[i][0])) for i in (0, 1)) / 2
    new = -math.log(p[0][1]) / 2  # whether the exemplar has the new label is not known
    assert icarl.loss(batch, logits).item() == pytest.approx(old + new, rel=1e-5)


def test_a_label_is_decided_by_the_nearer_of_its_two_means() -> None:
    means = NearestMeans()
    x = torch.tensor([[2.0, 0.0], [0.0, 3.0], [3.0, 3.0]])[:, None, :]
    # label 0: the first has it, the second lacks it; label 1: nobody is known to lack it
    means.add(x, torch.tensor([[1.0, 1.0], [0.0, torch.nan], [torch.nan, 1.0]]))
    margin = means.margin(torch.tensor([[5.0, 0.0], [1.0, 1.0], [0.0, 1.0]])[:, None, :])
    assert torch.allclose(margin[:, 0], torch.tensor([1.0, 0.0, -1.0]), atol=1e-6)
    assert torch.isnan(margin[:, 1]).all()
    # half the difference of the squared distances to the two means
    f = torch.nn.functional.normalize(torch.tensor([0.3, 0.9]), dim=0)
    gap = ((f - torch.tensor([0.0, 1.0])).square().sum() - (f - torch.tensor([1.0, 0.0])).square().sum()) / 2
    assert means.margin(f[None, None, :])[0, 0].item() == pytest.approx(gap.item(), abs=1e-6)


def test_means_are_of_each_labels_own_feature_where_it_has_one() -> None:
    means = NearestMeans()
    x = torch.zeros(2, 2, 2)
    x[0, 0, 0] = x[1, 0, 1] = 1.0
    x[0, 1, 1] = x[1, 1, 0] = 1.0
    means.add(x[:1], torch.tensor([[1.0, 1.0]]))
    means.add(x[1:], torch.tensor([[0.0, 0.0]]))
    assert means.margin(x).tolist() == [[1.0, 1.0], [-1.0, -1.0]]
    other = NearestMeans()
    other.load(means.state())
    assert torch.equal(other.margin(x), means.margin(x))


@pytest.mark.parametrize("head", ["linear", "queries"])
def test_icarls_logits_are_from_means_or_from_the_head(head: str, tmp_path: Path) -> None:
    found = {}
    for classifier in ("head", "nearest-mean"):
        sets = (f"icarl.classifier={classifier}", f"head={head}", "icarl.memory=30")
        run, _ = finished(planned(scenario(tmp_path), "icarl", *sets), tmp_path / classifier)
        found[classifier] = np.load(run.work / "scores-2.logits.npy")
        images = run.source.read(run.stream.test_rows[:9])
        with torch.no_grad():
            plain = run.strategy.net(images).numpy()
        assert np.allclose(plain, found[classifier][:9], atol=1e-5) == (classifier == "head")
    assert not np.allclose(found["head"], found["nearest-mean"])


def test_without_exemplars_icarl_falls_back_on_the_head(tmp_path: Path) -> None:
    run, _ = finished(planned(scenario(tmp_path), "icarl", "icarl.memory=0", "icarl.classifier=nearest-mean"), tmp_path)
    images = run.source.read(run.stream.test_rows)
    with torch.no_grad():
        plain = run.strategy.net(images).numpy()
    assert np.allclose(plain, np.load(run.work / "scores-2.logits.npy"), atol=1e-5)


# ---------------------------------------------------------------------- pseudo-labels


def with_teacher(**fields: object) -> tuple[object, PicturedSession]:
    """Pseudo with a teacher whose probability of label 0 is the grey level, sigmoid(6 (2a - 1))."""
    pseudo = built("pseudo", seen=1, **fields)
    pseudo._train = SUM
    live = second_session(pseudo, levels=[51, 204])
    with torch.no_grad():
        pseudo.teacher.head.weight.blocks[0].copy_(torch.tensor([[6.0, -6.0]]))
        pseudo.teacher.head.bias.blocks[0].zero_()
    return pseudo, live


def test_hidden_old_labels_become_what_the_network_before_believes() -> None:
    pseudo, _ = with_teacher(threshold=0.8)
    # levels 0.2, 0.8: probabilities 0.027 and 0.973; the exemplar's own label stands whatever is believed
    batch = batch_of([7, 8, 4], [[-1, 1], [-1, 0], [1, -1]], levels=[51, 204, 51], replayed=1)
    logits = torch.tensor([[0.3, -0.2], [1.0, 5.0], [-1.0, 2.0]])
    restored = batch_of([7, 8, 4], [[0, 1], [1, 0], [1, -1]]).targets
    assert torch.equal(pseudo.loss(batch, logits), pseudo.classification(logits, restored))
    keeping, _ = with_teacher(below="keep")
    kept = batch_of([7, 8, 4], [[-1, 1], [1, 0], [1, -1]]).targets
    assert torch.equal(keeping.loss(batch, logits), keeping.classification(logits, kept))


def test_the_density_rule_finds_the_threshold_that_gives_the_wanted_number_of_positives() -> None:
    for density, positives in [(0.5, [False, True]), (1.0, [True, True])]:
        pseudo, live = with_teacher(rule="density", density=density)
        pseudo.prepare(live)
        believed = torch.tensor([0.0266, 0.9734])
        assert (believed > pseudo.cut).tolist() == positives


def test_krts_rule_moves_the_threshold_in_steps_and_keeps_it_for_the_next_session() -> None:
    pseudo, live = with_teacher(rule="krt", density=0.5)
    pseudo.prepare(live)
    assert pseudo.cut == 0.8  # one positive in two images: half a positive per image already
    pseudo, live = with_teacher(rule="krt", density=0.5)
    pseudo.cut = 0.99
    pseudo.prepare(live)
    assert pseudo.cut == pytest.approx(0.97, abs=1e-9)


@pytest.mark.parametrize("rule", ["density", "krt"])
def test_a_rule_that_needs_a_density_says_so(rule: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"needs pseudo\.density above 0"):
        finished(planned(scenario(tmp_path), "pseudo", f"pseudo.rule={rule}"), tmp_path)


@pytest.mark.parametrize("rule", ["fixed", "density", "krt"])
def test_pseudo_labels_and_exemplars_go_together(rule: str, tmp_path: Path) -> None:
    sets = (f"pseudo.rule={rule}", "pseudo.density=0.1", "pseudo.memory=20")
    run, record = finished(planned(scenario(tmp_path), "pseudo", *sets), tmp_path)
    assert record.costs[-1].stored_images == 20
    assert (run.strategy.cut == 0.8) == (rule == "fixed")
