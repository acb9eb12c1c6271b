"""What each head costs beside the linear one: parameters, and images per second of training and of scoring.

    python benchmarks/bench_heads.py [--quick]

CPU time of one thread, all heads in turns on one network: efficientnet_lite0 at 160 px, 80 labels, batch 16. `frozen`
counts the head's own step on ready feature maps, as with `--features maps`; there a head with a feature for each label
pays most. No targets: these are the cost columns of the comparison of shared with own features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from clbench.cli.comparison import Comparison, in_turns, main, ratio
from clbench.nn.backbones.by_name import Backbone, build_backbone
from clbench.nn.heads.by_name import HEADS, build_head
from clbench.nn.heads.network import Network, stage_shapes
from clbench.nn.losses import asl
from clbench.train.environment import keep_freed_memory

LABELS, BATCH, SIZE = 80, 16, 160
WORK = ("a training step", "scoring", "a training step, frozen")


def measure(quick: bool) -> Iterator[Comparison]:
    torch.set_num_threads(1)
    keep_freed_memory()
    backbone = build_backbone("tf_efficientnet_lite0", image_size=SIZE)
    networks = {name: network(name, backbone) for name in HEADS}
    for name, net in networks.items():
        count = sum(p.numel() for p in net.head.parameters())
        yield Comparison(f"{name}: parameters of the head", count / 1e6, "million")
    images = torch.randint(0, 256, (BATCH, 3, SIZE, SIZE), dtype=torch.uint8)
    truth = (torch.rand(BATCH, LABELS) < 0.04).float()
    for what in WORK:
        ways = {name: work(what, net, images, truth) for name, net in networks.items()}
        seconds = in_turns(ways, repeats=3 if quick else 9)
        for name in networks:
            if name != "linear":
                share = ratio(seconds, "linear", name)
                yield Comparison(f"{name}: {what}", share, "of the images per second of", "the linear head")


def network(name: str, backbone: Backbone) -> Network:
    """Return the shared backbone with a head of its own, grown to all labels."""
    torch.manual_seed(0)
    head = build_head(name, width=backbone.width, options={})
    if head.wants_stages:
        head.attach(stage_shapes(backbone, image_size=SIZE))
    net = Network(backbone, head)
    head.grow(LABELS)
    return net


def work(what: str, net: Network, images: Tensor, truth: Tensor) -> Callable[[], object]:
    """Return one round of `what`."""
    with torch.no_grad():
        ready = net.maps(images)

    def train(maps: Callable[[], object]) -> None:
        net.train()
        net.zero_grad()
        asl(net.head(maps()), truth).backward()  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def score() -> None:
        net.eval()
        net(images)

    if what == "scoring":
        return score
    return lambda: train((lambda: ready) if what.endswith("frozen") else (lambda: net.maps(images)))


if __name__ == "__main__":
    main(measure, doc=__doc__)
