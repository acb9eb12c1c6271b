"""A-GEM: no step against the gradient of remembered images."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_scenarios import batch_of, built, finished, planned, scenario

from clbench.nn.projection import Projection, project
from clbench.spec.scenario import TrainSpec

vectors = st.lists(st.floats(-10, 10, width=32), min_size=5, max_size=5).map(torch.tensor)


def test_a_gradient_against_the_reference_loses_that_part() -> None:
    # g = (1, 0), r = (-1, 1): g.r = -1, r.r = 2, so g + r / 2 = (1/2, 1/2), given here as two tensors
    (x, y) = project([torch.tensor([1.0]), torch.tensor([0.0])], [torch.tensor([-1.0]), torch.tensor([1.0])])
    assert x.tolist() == [0.5] and y.tolist() == [0.5]


def test_a_gradient_along_the_reference_stays_as_it_is() -> None:
    g = torch.tensor([3.0, -1.0])
    for r in ([1.0, 1.0], [1.0, 3.0], [0.0, 0.0]):
        assert torch.equal(project([g], [torch.tensor(r)])[0], g)


@given(vectors, vectors, st.floats(0.01, 100))
def test_the_projection_never_points_against_the_reference(g: torch.Tensor, r: torch.Tensor, scale: float) -> None:
    g, r = g.double(), r.double()
    (found,) = project([g], [r])
    assert (found @ r).item() >= -1e-9 * (1 + g.norm() * r.norm()).item()
    assert torch.allclose(project([g], [scale * r])[0], found, atol=1e-9)
    assert found.norm() <= g.norm() + 1e-9
    # nothing but a part along the reference is taken away
    assert (r.norm() == 0) or torch.allclose(found - g, ((found - g) @ r) / (r @ r) * r, atol=1e-9)


def two_gradients(agem: object, batch: object) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of the new and of the remembered images, each on its own."""
    parts = []
    for side in (~batch.replayed, batch.replayed):  # type: ignore[attr-defined]
        agem.net.zero_grad()  # type: ignore[attr-defined]
        logits = agem.net(batch.images[side])  # type: ignore[attr-defined]
        agem.classification(logits, batch.targets[side]).backward()  # type: ignore[attr-defined]
        parts.append(torch.cat([p.grad.flatten() for p in agem.net.parameters()]))  # type: ignore[attr-defined]
    agem.net.zero_grad()  # type: ignore[attr-defined]
    return parts[0], parts[1]


@pytest.mark.parametrize(("marks", "against"), [([[1, 0], [0, 1]], True), ([[1, 0], [1, 0]], False)])
def test_a_step_takes_the_projected_gradient_of_the_new_images(marks: list[list[int]], against: bool) -> None:
    agem = built("agem", seen=2)
    agem._train = TrainSpec(loss="bce", reduction="sum")
    # the same picture, remembered with the opposite or with the same labels
    batch = batch_of([4, 9], marks, levels=[51, 51], replayed=1)
    agem.after_step(batch_of([9], [marks[1]]), torch.zeros(1, 2))
    g, r = two_gradients(agem, batch)
    assert (g @ r < 0) == against
    agem.loss(batch, agem.net(batch.images)).backward()
    (plugin,) = agem.plugins()
    plugin.after_backward(None)
    step = torch.cat([p.grad.flatten() for p in agem.net.parameters()])
    wanted = g - (g @ r) / (r @ r) * r if against else g
    assert torch.allclose(step, wanted, atol=1e-6)
    plugin.after_backward(None)  # nothing is left for a step without recalled images
    assert torch.equal(step, torch.cat([p.grad.flatten() for p in agem.net.parameters()]))


def test_a_batch_without_memory_trains_plainly() -> None:
    agem = built("agem", seen=2)
    batch = batch_of([4, 9], [[1, 0], [0, 1]], levels=[51, 204])
    logits = agem.net(batch.images)
    assert torch.equal(agem.loss(batch, logits), agem.classification(logits, batch.targets))


def test_in_a_run_no_step_raises_the_remembered_loss_to_first_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    along = []
    original = Projection.after_backward

    def watched(self: Projection, loop: object, **_: object) -> None:
        pairs = list(zip(self._parameters, [r.clone() for r in self._reference], strict=True))
        before = sum((p.grad * r).sum().item() for p, r in pairs if p.grad is not None)
        original(self, loop)
        along.append((before, sum((p.grad * r).sum().item() for p, r in pairs if p.grad is not None)))

    monkeypatch.setattr(Projection, "after_backward", watched)
    _, record = finished(planned(scenario(tmp_path), "agem", "agem.memory=10"), tmp_path)
    assert min(before for before, _ in along) < -1e-3, "some steps were against the memory"
    assert min(after for _, after in along) > -1e-5
    assert [cost.stored_images for cost in record.costs] == [10, 10, 10]
    assert record.notes["agem"].startswith("clbench")
