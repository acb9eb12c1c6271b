"""Section 2: numbers that were not what they were called."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import yaml
from old_build.build import OWN, Build, Fault, Seen
from PIL import Image

sys.path.append(str(Path(__file__).parents[2] / "tests"))

from data_makers import write_voc

WEIGHTS = """
import timm, torch
torch.manual_seed({seed})
torch.save(timm.create_model("test_resnet").state_dict(), "{name}")
"""
SHIFTED = """
from clbench import Strategy

class Mine(Strategy):
    "Adds the same to every logit when it is scored, which moves no rank."
    value: float = 0.0

    def build(self, backbone, labels):
        super().build(backbone, labels)
        self.net.register_forward_hook(self.shifted)

    def shifted(self, net, given, logits):
        return logits if net.training else logits + self.value
"""
PLUGIN = """
from avalanche.training.plugins import {name}
from clbench import Strategy

class Mine(Strategy):
    "Runs a plugin of Avalanche."

    def plugins(self):
        return [{name}({arguments})]
"""
VOC = "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep sofa train tvmonitor"  # noqa: E501
PHOTOS = {"dataset": "mine.csv", "options": {}, "labels": {"sessions": [["cat"], ["dog"]]}}


def photo(number: int) -> bytes:
    """A photo of one colour, each number another."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (10 * number, 255 - 10 * number, 7 * number)).save(buffer, "JPEG")
    return buffer.getvalue()


def photos(build: Build) -> None:
    """Write a table of 24 photos."""
    lines = ["file,split,labels"]
    for number in range(24):
        build.put(f"scenarios/photos/{number}.jpg", photo(number))
        split, label = "test" if number % 3 == 0 else "train", "cat" if number % 2 else "dog"
        lines.append(f"photos/{number}.jpg,{split},{label}")
    build.put("scenarios/mine.csv", "\n".join(lines))


def files_at_one_path(build: Build) -> Seen:
    for seed in (0, 1):
        build.python(WEIGHTS.format(seed=seed, name="weights.pth")).well()
        net = ("--set", "train.backbone=test_resnet", "--set", "train.weights=weights.pth")
        build.run("--seed", str(seed), *net).well()
    rows = {path.parent for path in build.record_files()}
    return len(rows) == 1, f"{len(rows)} row{'s' * (len(rows) > 1)}"


def random_called_imagenet(build: Build) -> Seen:
    build.python(WEIGHTS.format(seed=0, name="resnet_in21k.pth")).well()
    build.run("--set", "train.backbone=test_resnet", "--set", "train.weights=resnet_in21k.pth").well()
    track = build.record()["environment"]["pretraining"]
    return track == "imagenet-21k", f"pretraining: {track}"


def shifted(build: Build) -> Seen:
    shown = []
    for value in (0, 30):
        build.run("--set", f"mine.value={value}", strategy=SHIFTED).well()
    for file in build.record_files():
        shown.append(f"{100 * json.loads(file.read_text())['summary']['average_map']:.1f}")
    return len(set(shown)) > 1, f"mAP {' or '.join(sorted(set(shown), reverse=True))}"


def photo_replaced(build: Build) -> Seen:
    photos(build)
    build.run(**PHOTOS).well()
    build.put("scenarios/photos/3.jpg", photo(200))
    again = build.run(**PHOTOS)
    scored = build.clbench("verify", "--scores")
    told = "changed since" in again.text and scored.code != 0
    return not told, "told" if told else "the old table, and `verify --scores` is content"


def part_of_voc(build: Build) -> Seen:
    labels = tuple(VOC.split())
    images = {part: {f"{part}{n:04d}": {label: 1} for n, label in enumerate(labels)} for part in ("trainval", "test")}
    write_voc(build.folder / "VOCdevkit" / "VOC2007", labels=labels, **images)
    done = build.run("--data", ".", dataset="voc2007", options={}, labels={"increment": 10})
    refused = done.code == 3 and "its release has" in done.text
    return not refused, "refused, `--unpinned` marks it" if refused else f"{done.word}, without a mark"


def environment(build: Build) -> Seen:
    build.run().well()
    missing = {"pillow", "optuna", "torchcodec", "numpy_kernels"} - set(build.record()["environment"])
    return bool(missing), f"lacks {', '.join(sorted(missing))}" if missing else "all there"


def grid(build: Build) -> Seen:
    build.scenario()
    about = {
        "scenario": OWN, "trials": 4, "validation": 0.2, "sampler": "random", "final_seeds": [],
        "space": {"train.lr": {"low": 0.1, "high": 0.10035, "step": 0.00007}},
    }  # fmt: skip
    build.put("search.yaml", yaml.safe_dump(about))
    build.clbench("search", "search.yaml", "--device", "cpu", "--jobs", "1").well()
    text = " ".join(path.read_text() for path in build.folder.glob("results/.search/**/*.json"))
    tried = {float(value) for value in re.findall(r'"train\.lr": *([\d.e-]+)', text)}
    wanted = {0.1, 0.10007, 0.10014, 0.10021, 0.10028, 0.10035}
    assert tried, text
    on = tried <= wanted
    return not on, "on the grid" if on else f"tried {', '.join(map(str, sorted(tried - wanted)))}"


def not_normalised(build: Build) -> Seen:
    name = build.scenario(train={"normalize": False})
    net = ("--set", "train.backbone=test_resnet")
    shown = build.clbench("show", name, "--strategy", "naive", *net).well()
    ran = build.run(*net, train={"normalize": False}).well()
    told = ["normalize stays false" in " ".join(done.text.split()) for done in (shown, ran)]
    return not all(told), "told by show and run" if all(told) else "nothing told"


def _plugin(build: Build, name: str, arguments: str) -> Seen:
    done = build.run(strategy=PLUGIN.format(name=name, arguments=arguments))
    refused = done.code != 0 and name in done.text and "cannot be used here" in done.text
    return not refused, "refused, with what to use" if refused else f"{done.word}, nothing told"


def gem(build: Build) -> Seen:
    return _plugin(build, "GEMPlugin", "patterns_per_experience=7, memory_strength=0.5")


def early_stopping(build: Build) -> Seen:
    return _plugin(build, "EarlyStoppingPlugin", "patience=1, val_stream_name='test'")


def changed_record_ranked(build: Build) -> Seen:
    build.run().well()
    (file,) = build.record_files()
    file.write_text(re.sub(r'("average_map": )[\d.]+', r"\g<1>0.99", file.read_text(), count=1))
    done = build.clbench("report", "leaderboard", OWN, "--format", "md", COLUMNS="200")
    ranked = re.search(r"\| *1 *\| *naive", done.text) is not None
    return ranked or done.code != 6, f"{'rank 1' if ranked else 'no rank'}, exit code {done.code}"


WHAT = "weights are what they are"
PLUGINS = "Avalanche's plugins work or are refused"
FAULTS = (
    Fault(WHAT, "two weights files at one path, a seed each", files_at_one_path),
    Fault(WHAT, "random numbers in `resnet_in21k.pth`", random_called_imagenet),
    Fault("AP is taken before the sigmoid", "nothing or 30 added to every logit", shifted),
    Fault("data that changed are told", "a photo replaced after the run", photo_replaced),
    Fault("a part of a known data set is refused", "40 images called VOC 2007", part_of_voc),
    Fault("the environment names what touches numbers", "a record's environment", environment),
    Fault("a search stays on its grid", "`low: 0.1, high: 0.10035, step: 0.00007`", grid),
    Fault("a network that wants another input is told", "`normalize: false` and another backbone", not_normalised),
    Fault(PLUGINS, "GEM", gem),
    Fault(PLUGINS, "early stopping", early_stopping),
    Fault(
        "unverified rows are never ranked, stand below, and give exit code 6",
        "a better number written into a record",
        changed_record_ranked,
    ),
)
