from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from clbench.errors import ClbenchError
from clbench.nn.distil import (
    attention_distillation,
    cosine_distillation,
    frozen,
    pod_flat,
    pod_spatial,
    sigmoid_distillation,
)
from clbench.nn.heads.by_name import Network, build_head


def a_network() -> Network:
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.5))
    network = Network(trunk, build_head("linear", width=8, options={}))
    network.head.grow(3)
    return network


def test_a_frozen_teacher_stays_in_evaluation_whatever_its_parent_does():
    parent = nn.Module()
    parent.teacher = frozen(a_network())
    parent.train()
    assert not any(module.training for module in parent.teacher.modules())
    images = torch.randn(4, 3, 8, 8)
    before = {key: value.clone() for key, value in parent.teacher.state_dict().items()}
    first = parent.teacher(images)
    assert torch.equal(first, parent.teacher(images))
    assert all(torch.equal(value, before[key]) for key, value in parent.teacher.state_dict().items())


def test_a_frozen_teacher_builds_no_graph_and_is_a_copy():
    network = a_network()
    teacher = frozen(network)
    assert isinstance(teacher, Network)
    images = torch.randn(2, 3, 8, 8, requires_grad=True)
    assert not teacher(images).requires_grad
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert network.training
    kept = teacher(images)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    assert torch.equal(teacher(images), kept)


def test_a_teacher_has_the_names_of_its_student_and_survives_copying():
    network = a_network()
    teacher = frozen(network)
    assert teacher.state_dict().keys() == network.state_dict().keys()
    for twin in (copy.deepcopy(teacher), frozen(teacher)):
        twin.train()
        assert not twin.training
        images = torch.randn(2, 3, 8, 8)
        assert torch.equal(twin(images), teacher(images))


def test_a_teacher_obeys_the_autocast_of_its_student():
    teacher = frozen(a_network())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert teacher(torch.randn(2, 3, 8, 8)).dtype == torch.bfloat16


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_sigmoid_distillation_equals_plain_loops_over_old_labels(temperature):
    g = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(4, 5, generator=g), torch.randn(4, 3, generator=g)
    teacher[1, 2] = float("nan")
    mask = torch.rand(4, 3, generator=g) < 0.7
    entries = []
    for i in range(4):
        for j in range(3):
            if mask[i, j] and not teacher[i, j].isnan():
                q = sigmoid(float(teacher[i, j]) / temperature)
                p = sigmoid(float(student[i, j]) / temperature)
                entries.append(-(q * math.log(p) + (1 - q) * math.log(1 - p)) * temperature**2)
    ours = sigmoid_distillation(student, teacher, mask=mask, temperature=temperature)
    assert float(ours) == pytest.approx(sum(entries) / len(entries), rel=1e-5)
    whole = sigmoid_distillation(student, teacher, mask=mask, temperature=temperature, reduction="total")
    assert float(whole) == pytest.approx(sum(entries), rel=1e-5)


def test_sigmoid_distillation_pulls_old_logits_to_the_teacher_and_leaves_new_ones():
    student = torch.randn(4, 5, requires_grad=True)
    teacher = torch.randn(4, 3)
    sigmoid_distillation(student, teacher).backward()
    torch.testing.assert_close(student.grad[:, :3], (student.sigmoid()[:, :3] - teacher.sigmoid()).detach() / 12)
    assert (student.grad[:, 3:] == 0).all()
    same = teacher.clone().requires_grad_()
    sigmoid_distillation(same, teacher).backward()
    assert same.grad.abs().max() < 1e-7


def test_distilling_where_nothing_is_known_is_zero():
    student = torch.randn(2, 3, requires_grad=True)
    value = sigmoid_distillation(student, torch.full((2, 3), float("nan")))
    value.backward()
    assert value.item() == 0.0
    assert (student.grad == 0).all()


def test_a_teacher_with_more_labels_than_its_student_is_a_designed_error():
    with pytest.raises(ClbenchError, match="teacher has 4 logits"):
        sigmoid_distillation(torch.zeros(1, 3), torch.zeros(1, 4))


def test_cosine_distillation_compares_whole_images_or_rows():
    student = torch.tensor([[[1.0, 0.0], [0.0, 3.0]]])
    teacher = torch.tensor([[[1.0, 0.0], [4.0, 0.0]]])
    whole = 1 - 1 / (math.sqrt(10) * math.sqrt(17))
    assert float(cosine_distillation(student, teacher)) == pytest.approx(whole, rel=1e-5)
    assert float(cosine_distillation(student, teacher, per_row=True)) == pytest.approx(0.5, rel=1e-5)
    assert float(cosine_distillation(student, 7 * student)) == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(ClbenchError, match="shape"):
        cosine_distillation(student, teacher[:, :1])


def test_pod_flat_is_twice_one_minus_the_cosine():
    a, b = torch.randn(5, 7), torch.randn(5, 7)
    torch.testing.assert_close(pod_flat(a, b), 2 * cosine_distillation(a, b))


def plain_pod_spatial(student, teacher):
    stages = []
    for a, b in zip(student, teacher, strict=True):
        images = []
        for i in range(len(a)):
            vectors = []
            for m in (a[i], b[i]):
                channels, height, width = m.shape
                rows = [
                    sum(float(m[c, y, x]) ** 2 for x in range(width)) for c in range(channels) for y in range(height)
                ]
                columns = [
                    sum(float(m[c, y, x]) ** 2 for y in range(height)) for c in range(channels) for x in range(width)
                ]
                norm = math.sqrt(sum(v * v for v in rows + columns))
                vectors.append([v / norm for v in rows + columns])
            images.append(math.sqrt(sum((u - v) ** 2 for u, v in zip(*vectors, strict=True))))
        stages.append(sum(images) / len(images))
    return sum(stages) / len(stages)


def test_pod_spatial_equals_plain_loops():
    g = torch.Generator().manual_seed(3)
    shapes = [(2, 3, 4, 5), (2, 4, 2, 2)]
    student = [torch.randn(shape, generator=g) for shape in shapes]
    teacher = [torch.randn(shape, generator=g) for shape in shapes]
    assert float(pod_spatial(student, teacher)) == pytest.approx(plain_pod_spatial(student, teacher), rel=1e-4)


def test_pod_spatial_starts_a_session_with_finite_gradients():
    maps = [torch.randn(2, 3, 4, 4, requires_grad=True)]
    value = pod_spatial(maps, [maps[0].detach().clone()])
    value.backward()
    assert value.item() < 1e-5
    assert torch.isfinite(maps[0].grad).all()
    with pytest.raises(ClbenchError, match="stages"):
        pod_spatial(maps, [])


def test_attention_distillation_is_a_divergence_on_the_teachers_labels():
    student = torch.tensor([[[[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]]])
    teacher = torch.tensor([[[[0.25, 0.75], [0.9, 0.1]]]])
    expected = (0.25 * math.log(0.5) + 0.75 * math.log(1.5)) / 2
    assert float(attention_distillation(student, teacher)) == pytest.approx(expected, rel=1e-5)
    hard = torch.tensor([[[[1.0, 0.0]]]], requires_grad=True)
    value = attention_distillation(hard, torch.tensor([[[[0.0, 1.0]]]]))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(hard.grad).all()
