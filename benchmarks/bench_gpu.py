"""On one GPU: the shared loop, inputs, teachers, metrics, optimisers, and two runs on one device.

    python benchmarks/bench_gpu.py [--quick]

Prints images per second of whole training steps in bfloat16 with channels_last, wall clock, the device synchronised at
both ends. Takes about six minutes. Without CUDA nothing is measured; BENCH_DEVICE=cpu goes through the motions with toy
sizes, to see that everything still runs.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from clbench.cli.comparison import Comparison, main, shown
from clbench.method.strategy import Strategy
from clbench.metrics import average_precisions
from clbench.nn.backbones.by_name import build_backbone
from clbench.nn.distil import frozen
from clbench.nn.losses import as_targets
from clbench.spec.scenario import TrainSpec
from clbench.stream.stream import Session
from clbench.train.batches import SessionView, loader, steps_per_epoch
from clbench.train.loop import SharedLoop
from clbench.train.optimiser import make_optimizer, make_schedule

sys.path.insert(0, str(Path(__file__).parent))
DEVICE = torch.device(os.environ.get("BENCH_DEVICE", "cuda"))
TOY = DEVICE.type == "cpu"
LABELS = 80
SECONDS = 0.2 if TOY else 5.0
"""How long each variant is measured, after its warm-up."""
CASES = (("clbench_small", 32, 8),) if TOY else (
    ("resnet50", 224, 256), ("tresnet_m", 224, 128), ("vit_small_patch16_224", 224, 256), ("resnet50", 448, 64),
)  # fmt: skip
BACKBONE, SIZE, BATCH = CASES[0]
WORKERS = 0 if TOY else max(len(os.sched_getaffinity(0)) - 1, 1)


class Plain(Strategy):
    """Trains on the visible labels."""


class InMemory:
    """Pictures that cost nothing to read."""

    def __init__(self, count: int, size: int) -> None:
        self.size = size
        self.pictures = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8)

    def read(self, rows: np.ndarray) -> torch.Tensor:
        return self.pictures[torch.from_numpy(rows)]


def synchronised() -> float:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def per_second(step: Callable[[], int]) -> float:
    """Return how many images `step` works through per second; it returns how many it took."""
    for _ in range(2 if TOY else 8):
        step()
    start, images = synchronised(), 0
    while time.perf_counter() - start < SECONDS:
        images += step()
        # a launch queue of any length would be counted as done
        synchronised()
    return images / (synchronised() - start)


def strategy_on(backbone: str, size: int, batch: int) -> tuple[Strategy, TrainSpec]:
    torch.manual_seed(0)
    train = TrainSpec(
        backbone=backbone, image_size=size, batch_size=batch, epochs=1, loss="asl", optimizer="adamw", amp="bf16"
    )
    strategy = Plain()
    strategy._train = train
    strategy.build(build_backbone(backbone, image_size=size), tuple(map(str, range(LABELS))))
    strategy.net.head.grow(LABELS)
    return strategy.to(DEVICE), train


def view_of(source: object, count: int, images: int) -> SessionView:
    targets = (np.random.default_rng(0).random((images, LABELS)) < 0.04).astype(np.int8)
    session = Session(
        index=0,
        new=slice(0, LABELS),
        seen=LABELS,
        learned=LABELS,
        labels=tuple(map(str, range(LABELS))),
        rows=np.arange(images) % count,
        targets=targets,
        test_rows=np.arange(1),
    )
    ids = np.array([str(n) for n in range(count)])
    return SessionView(session, source=source, ids=ids, augment="none", seed=0)  # type: ignore[arg-type]


def autocast() -> contextlib.AbstractContextManager[object]:
    return torch.autocast(DEVICE.type, dtype=torch.bfloat16)


def whole_epoch(train: TrainSpec, view: SessionView, strategy: Strategy, *, bare: bool, workers: int = 0) -> float:
    """Return images per second over one pass of `view`, by a bare loop or by the suite's."""
    start = synchronised()
    if not bare:
        SharedLoop(strategy=strategy, train=train, seed=0, device=DEVICE, workers=workers).train_session(view)
        return len(view) / (synchronised() - start)
    optimizer = make_optimizer(strategy, train, session=0, device=DEVICE)
    schedule = make_schedule(optimizer, train, steps=steps_per_epoch(len(view), train.batch_size))
    strategy.train()
    batches = loader(view, batch_size=train.batch_size, epochs=1, start=(0, 0), workers=workers, pin=not TOY)
    for images, y, _, _ in batches:
        images, y = images.to(DEVICE, non_blocking=True), y.to(DEVICE, non_blocking=True)
        optimizer.zero_grad()
        with autocast():
            loss = strategy.classification(strategy.net(images), as_targets(y))
        loss.backward()
        optimizer.step()
        schedule.step()
    return len(view) / (synchronised() - start)


# ---------------------------------------------------------------------- what is measured


def loops() -> Iterator[Comparison]:
    for backbone, size, batch in CASES:
        strategy, train = strategy_on(backbone, size, batch)
        # about SECONDS of work per pass, guessed from one short one
        source = InMemory(2 * batch, size)
        short = view_of(source, 2 * batch, 4 * batch)
        whole_epoch(train, short, strategy, bare=True)
        speed = whole_epoch(train, short, strategy, bare=True)
        view = view_of(source, 2 * batch, max(int(speed * SECONDS) // batch, 2) * batch)
        pairs = [
            (whole_epoch(train, view, strategy, bare=False), whole_epoch(train, view, strategy, bare=True))
            for _ in range(2)
        ]
        ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
        yield Comparison(
            f"{backbone} at {size} px, the shared loop",
            statistics.median(a / b for a, b in pairs),
            "of the speed of",
            "a bare loop",
            at_least=None if TOY else 0.97,
            detail=f"{shown(ours)} and {shown(theirs)} images/s",
        )


def inputs() -> Iterator[Comparison]:
    import bench_input

    from clbench.data.pictures.sources import FolderImages, cached
    from clbench.data.table import from_arrays

    strategy, train = strategy_on(BACKBONE, SIZE, BATCH)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CLBENCH_CACHE"] = str(Path(folder) / "cache")
        root = Path(folder) / "photos"
        root.mkdir()
        paths = bench_input.photos(root)
        count = len(paths)
        table = from_arrays(
            "photos",
            labels=["label"],
            y=np.ones((count, 1), dtype=bool),
            ids=[path.stem for path in paths],
            split=["train"] * (count - 1) + ["test"],
            paths=[path.name for path in paths],
        )
        decoded = FolderImages(table, root=root, size=SIZE)
        sources = {
            "PIL and torchvision v1": PilImages(paths, SIZE),
            "decoded by torchcodec": decoded,
            "from the cache": cached(decoded, key=lambda: "bench", count=count, wanted=True),
        }
        seconds = SECONDS * 2
        speeds = {}
        for name, source in sources.items():
            workers = 0 if name == "from the cache" else WORKERS
            short = view_of(source, count, BATCH * 4)
            speed = whole_epoch(train, short, strategy, bare=False, workers=workers)
            view = view_of(source, count, max(int(speed * seconds) // BATCH, 4) * BATCH)
            speeds[name] = whole_epoch(train, view, strategy, bare=False, workers=workers)
        slow = speeds["PIL and torchvision v1"]
        for name, speed in speeds.items():
            detail = f"{shown(speed)} images/s with {WORKERS if name != 'from the cache' else 0} workers"
            yield Comparison(f"{BACKBONE} fed {name}", speed / slow, "times as fast as", "fed by PIL", detail=detail)
        yield from on_device(paths)


class PilImages:
    """Pictures as most code reads them."""

    def __init__(self, paths: list[Path], size: int) -> None:
        from torchvision import transforms as v1

        self.paths = paths
        self.size = size
        self.transform = v1.Compose([v1.Resize((size, size)), v1.PILToTensor()])

    def read(self, rows: np.ndarray) -> torch.Tensor:
        from PIL import Image

        return torch.stack([self.transform(Image.open(self.paths[row]).convert("RGB")) for row in rows.tolist()])


def on_device(paths: list[Path]) -> Iterator[Comparison]:
    """Decoding on the GPU, alone."""
    from torchcodec.decoders import decode_jpeg
    from torchvision.transforms.v2 import functional

    def on(device: str) -> Callable[[], int]:
        def work() -> int:
            # one call for the whole batch: that is what the hardware decoder takes
            for picture in decode_jpeg(paths, device=device):
                functional.resize(picture, [SIZE, SIZE], antialias=True)
            return len(paths)

        return work

    try:
        there = per_second(on(str(DEVICE)))
    except RuntimeError as error:
        print(f"  decoding on {DEVICE}: not offered here ({str(error).splitlines()[0]})")
        return
    here = per_second(on("cpu"))
    detail = f"{shown(there)} images/s"
    yield Comparison("decoding and resizing on the GPU", there / here, "times as fast as", "one core", detail=detail)


def teachers() -> Iterator[Comparison]:
    strategy, train = strategy_on(BACKBONE, SIZE, BATCH)
    optimizer = make_optimizer(strategy, train, session=0, device=DEVICE)
    images = torch.randint(0, 256, (BATCH, 3, SIZE, SIZE), dtype=torch.uint8, device=DEVICE)
    targets = (torch.rand(BATCH, LABELS, device=DEVICE) < 0.04).float()
    teacher = frozen(strategy.net)
    strategy.train()

    def step(look: Callable[[], torch.Tensor] | None = None, *, outside: bool = False) -> int:
        optimizer.zero_grad()
        early = look() if look and outside else None
        with autocast():
            logits = strategy.net(images)
            loss = strategy.classification(logits, targets)
            taught = early if early is not None else look() if look else None
        if taught is not None:
            loss = loss + (logits.float().sigmoid() - taught.float().sigmoid()).square().sum()
        loss.backward()
        optimizer.step()
        return BATCH

    plain = per_second(step)
    variants: dict[str, Callable[[], int]] = {
        "in float32, outside autocast": lambda: step(lambda: teacher(images), outside=True),
        "under the student's autocast (ours)": lambda: step(lambda: teacher(images)),
    }
    if not TOY:
        quick = frozen(strategy.net)
        quick.backbone.body.forward = torch.compile(quick.backbone.body.forward)  # type: ignore[method-assign]
        variants["compiled"] = lambda: step(lambda: quick(images))
    for name, work in variants.items():
        cost = plain / per_second(work)
        target = 1.35 if "ours" in name and not TOY else None
        yield Comparison(f"a step with a teacher {name}", cost, "times the cost of", "one without", at_most=target)


def metrics() -> Iterator[Comparison]:
    rows = 2000 if TOY else 40_137
    scores = torch.rand(rows, LABELS, device=DEVICE)
    targets = torch.rand(rows, LABELS, device=DEVICE) < 0.04
    held = targets.cpu().numpy().astype(np.int8)

    def on_the_device() -> int:
        order = scores.argsort(dim=0, descending=True)
        hits = targets.gather(0, order).double()
        precision = hits.cumsum(0) / torch.arange(1, rows + 1, device=DEVICE, dtype=torch.float64)[:, None]
        ((precision * hits).sum(0) / hits.sum(0).clamp(min=1)).cpu()
        return 1

    def ours() -> int:
        average_precisions(scores.cpu().numpy(), held)
        return 1

    a, b = 1e3 / per_second(ours), 1e3 / per_second(on_the_device)
    yield Comparison(
        "AP with the copy to the host",
        b / a,
        "times as fast as",
        "a sort on the device",
        detail=f"{a:.0f} and {b:.0f} ms",
    )


def optimisers() -> Iterator[Comparison]:
    speeds = {}
    for name, options in {"fused": {"fused": True}, "foreach": {"foreach": True}, "a loop": {"foreach": False}}.items():
        model = build_backbone(BACKBONE, image_size=SIZE).to(DEVICE)
        for p in model.parameters():
            p.grad = torch.randn_like(p) * 1e-3
        optimizer = torch.optim.AdamW(model.parameters(), **options)  # type: ignore[arg-type]

        def step(optimizer: torch.optim.Optimizer = optimizer) -> int:
            optimizer.step()
            return 1

        speeds[name] = per_second(step)
    for name in ("foreach", "a loop"):
        detail = f"{1e3 / speeds['fused']:.2f} ms a step"
        yield Comparison(
            f"fused AdamW, {BACKBONE}", speeds["fused"] / speeds[name], "times as fast as", name, detail=detail
        )


ONE_OF_TWO = "--one-of-two"


def packing() -> Iterator[Comparison]:
    """Two small runs at once on one device against one after the other."""
    alone = started(1)
    both = started(2)
    yield Comparison(
        "two small runs on one GPU",
        sum(both) / alone[0],
        "times the images of",
        "one run",
        detail=f"{shown(alone[0])} /s",
    )


def started(count: int) -> list[float]:
    words = [sys.executable, __file__, ONE_OF_TWO]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return [float(process.communicate()[0].split()[-1]) for process in running]


def one_of_two() -> None:
    """A small run, measured while the other is measured too: both start together and warm up long enough to overlap."""
    global SECONDS
    strategy, train = strategy_on("clbench_small" if TOY else "resnet18", 32 if TOY else 96, 8 if TOY else 64)
    optimizer = make_optimizer(strategy, train, session=0, device=DEVICE)
    images = torch.randint(0, 256, (train.batch_size, 3, train.image_size, train.image_size), dtype=torch.uint8)
    targets = (torch.rand(train.batch_size, LABELS) < 0.04).float()

    def step() -> int:
        optimizer.zero_grad()
        with autocast():
            loss = strategy.classification(strategy.net(images.to(DEVICE)), targets.to(DEVICE))
        loss.backward()
        optimizer.step()
        return train.batch_size

    strategy.train()
    per_second(step)  # the other one is importing or warming up meanwhile
    SECONDS *= 2
    print(per_second(step))


def measure(quick: bool) -> Iterator[Comparison]:
    if DEVICE.type == "cuda" and not torch.cuda.is_available():
        print("no GPU that torch can use: nothing is measured")
        return
    if DEVICE.type == "cuda":
        print(torch.cuda.get_device_name(DEVICE))
    parts = (loops, teachers, metrics) if quick else (loops, inputs, teachers, metrics, optimisers, packing)
    for part in parts:
        start = time.perf_counter()
        yield from part()
        print(f"  {part.__name__}: {time.perf_counter() - start:.0f} s")
        if DEVICE.type == "cuda":
            torch.cuda.empty_cache()


if __name__ == "__main__":
    if ONE_OF_TWO in sys.argv:
        one_of_two()
    else:
        main(measure, doc=__doc__)
