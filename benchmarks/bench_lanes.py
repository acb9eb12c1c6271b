"""Lanes beside a frozen transformer: all of them in one pass against a loop over them.

    python benchmarks/bench_lanes.py [--quick]

CPU time of one thread in turns, 8 lanes of 20 selectors and 20 prefix pairs, `clbench_vit` on pictures of 64 pixels and
timm's vit_tiny on 96. The loop passes the network once for every lane, with the same code and one lane at a time; the
logits of both must agree to 1e-5. A second number is what the lanes add to a plain pass through the transformer.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from clbench.cli.comparison import Comparison, in_turns, main, milliseconds, ratio
from clbench.nn.backbones.by_name import build_backbone
from clbench.nn.prompts.lanes import LaneNetwork

LANES, LABELS, SELECTORS, PROMPTS, BLOCKS = 8, 5, 20, 20, 5


def grown(name: str, *, size: int) -> LaneNetwork:
    """Return a network with all lanes, each with numbers of its own."""
    torch.manual_seed(0)
    backbone = build_backbone(name, image_size=size)
    network = LaneNetwork(backbone, selectors=SELECTORS, prompts=PROMPTS, blocks=BLOCKS)
    for _ in range(LANES):
        network.grow()
        network.head.grow(LABELS)
        nn.init.normal_(network.selectors[-1])
        nn.init.normal_(network.prefixes[-1])
    return network.eval()


def alone(network: LaneNetwork, lane: int) -> LaneNetwork:
    """Return a network that shares everything with another and has one of its lanes."""
    single = LaneNetwork(network.backbone, selectors=SELECTORS, prompts=PROMPTS, blocks=BLOCKS)
    single.head.grow(LABELS)
    single.selectors.append(network.selectors[lane])
    single.prefixes.append(network.prefixes[lane])
    for own, table in zip(single.head.tables(), network.head.tables(), strict=True):
        own.blocks[0] = table.blocks[lane]
    return single.eval()


@torch.no_grad()
def measure(quick: bool) -> Iterator[Comparison]:
    torch.set_num_threads(1)
    for name, size in (("clbench_vit", 64), ("vit_tiny_patch16_224", 96)):
        network = grown(name, size=size)
        singles = [alone(network, lane) for lane in range(LANES)]
        images = torch.randint(0, 256, (16 if quick else 64, 3, size, size), dtype=torch.uint8)

        def loop(singles: list[LaneNetwork] = singles, images: Tensor = images) -> Tensor:
            return torch.cat([single(images) for single in singles], dim=1)

        apart = float((network(images) - loop()).abs().max())
        yield Comparison(f"{name}: largest difference of logits", apart, "", at_most=1e-5)
        ways = {
            "at once": lambda network=network, images=images: network(images),
            "one by one": loop,
            "no lanes": lambda network=network, images=images: network.backbone(images),
        }
        seconds = in_turns(ways, repeats=3 if quick else 9)  # type: ignore[arg-type]
        told = milliseconds(seconds, per=len(images))
        yield Comparison(f"{name}: {LANES} lanes at once", ratio(seconds, "one by one", "at once"), "x as fast as",
                         "a loop over them", at_least=3, detail=f"{told} an image")  # fmt: skip
        yield Comparison(
            f"{name}: a pass with {LANES} lanes", ratio(seconds, "at once", "no lanes"), "x", "a plain pass"
        )


if __name__ == "__main__":
    main(measure, doc=__doc__)
