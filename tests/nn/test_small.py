from __future__ import annotations

import pytest
import timm
import torch

from clbench.errors import UsageError
from clbench.nn.backbones.by_name import build_backbone
from clbench.nn.backbones.small import SmallConvNet


def test_the_map_is_an_eighth_of_the_picture_and_as_wide_as_it_says() -> None:
    net = SmallConvNet()
    images = torch.rand(2, 3, 64, 48)
    assert net(images).shape == (2, net.width, 64 // net.stride, 48 // net.stride)


def test_stages_end_with_the_map_that_forward_returns() -> None:
    net = SmallConvNet().eval()
    images = torch.rand(2, 3, 64, 64)
    maps = net.stages(images)
    assert [tuple(m.shape[1:]) for m in maps] == [(32, 32, 32), (64, 16, 16), (128, 8, 8)]
    assert torch.equal(maps[-1], net(images))


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    net = SmallConvNet()
    net(torch.rand(4, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in net.parameters())


def test_it_stays_small_enough_for_one_core() -> None:
    assert 200_000 < sum(p.numel() for p in SmallConvNet().parameters()) < 600_000


def test_in_evaluation_a_picture_does_not_depend_on_its_company() -> None:
    torch.manual_seed(0)
    net = SmallConvNet()
    net(torch.rand(8, 3, 32, 32))
    net.eval()
    images = torch.rand(3, 3, 32, 32)
    assert torch.allclose(net(images)[1:2], net(images[1:2]), atol=1e-5)


def test_it_tells_two_textures_apart_after_a_few_steps() -> None:
    torch.manual_seed(0)
    net = SmallConvNet(widths=(8, 8, 16))
    classify = torch.nn.Linear(net.width, 1)
    optimizer = torch.optim.AdamW([*net.parameters(), *classify.parameters()], lr=3e-3)
    truth = torch.tensor([0.0, 1.0]).repeat(16)
    images = torch.rand(32, 3, 32, 32)
    images[1::2, :, :, ::4] = 0  # stripes
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            classify(net(images).mean(dim=(2, 3))).squeeze(1), truth
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_the_small_transformer_is_timms_and_gives_a_map_of_its_patches() -> None:
    backbone = build_backbone("clbench_vit", image_size=64)
    assert backbone(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)).shape == (2, 96, 8, 8)
    assert isinstance(backbone.body.model, timm.models.vision_transformer.VisionTransformer)
    assert (backbone.stride, backbone.positions, len(backbone.body.model.blocks)) == (8, 64, 5)
    assert 500_000 < sum(p.numel() for p in backbone.parameters()) < 700_000


def test_the_small_transformer_says_which_picture_sizes_it_takes() -> None:
    with pytest.raises(UsageError, match="multiple of 8"):
        build_backbone("clbench_vit", image_size=20)
