"""From a JPEG to a batch: the suite's input against PIL with torchvision v1, raw libjpeg-turbo, and the picture cache.

    python benchmarks/bench_input.py [--quick]

Photos of 640 x 480 are cut from scikit-learn's two sample photos, with noise, at quality 94: about 120 KB each, as the
images of MS-COCO have. CPU time of one thread. The limit is libjpeg-turbo alone (simplejpeg, where it is installed):
whatever reads a JPEG has to decode it.
"""

from __future__ import annotations

import io
import os
import statistics
import tempfile
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from clbench.cli.comparison import Comparison, in_turns, main, milliseconds, ratio
from clbench.data.pictures.augment import AUGMENTS, augmented
from clbench.data.pictures.sources import FolderImages, ImageSource, cached
from clbench.data.table import from_arrays
from clbench.seeds import generator
from clbench.stream.stream import Session
from clbench.train.batches import SessionView, loader
from clbench.train.environment import keep_freed_memory

PHOTOS, WIDTH, HEIGHT, QUALITY = 48, 640, 480, 94
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def photos(folder: Path) -> list[Path]:
    """Write the photos and return their paths."""
    rng = generator("bench_input")
    originals = [Image.fromarray(image) for image in load_sample_images().images]
    paths = []
    for number in range(PHOTOS):
        original = originals[number % len(originals)]
        share = rng.uniform(0.6, 1.0)
        w, h = int(original.width * share), int(original.height * share)
        left, top = rng.integers(0, original.width - w + 1), rng.integers(0, original.height - h + 1)
        part = original.crop((left, top, left + w, top + h)).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        noisy = np.asarray(part, dtype=np.float32) + rng.normal(0, 4, (HEIGHT, WIDTH, 3))
        path = folder / f"{number}.jpg"
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=QUALITY)
        paths.append(path)
    return paths


class Peers:
    """What published code does: PIL, torchvision's first transforms, normalised floats from the first moment."""

    def __init__(self, paths: list[Path], size: int) -> None:
        from torchvision import transforms as v1

        self.files = [path.read_bytes() for path in paths]
        end = [v1.ToTensor(), v1.Normalize(MEAN, STD)]
        self.cropped = v1.Compose([v1.RandomResizedCrop(size, scale=(0.2, 1.0)), v1.RandomHorizontalFlip(), *end])
        self.squashed = v1.Compose([v1.Resize((size, size)), *end])
        squash = v1.Resize((size, size))
        self.krt = v1.Compose([squash, v1.Lambda(lambda image: krt_on_pil(image)), *end])

    def read(self, transform: object) -> list[torch.Tensor]:
        return [transform(Image.open(io.BytesIO(file)).convert("RGB")) for file in self.files]  # type: ignore[operator]


def krt_on_pil(image: Image.Image) -> Image.Image:
    """Cutout and RandAugment as the KRT recipe has them."""
    from torchvision import transforms as v1

    cut = np.array(image)
    side = cut.shape[0] // 2
    cut[side // 2 : side // 2 + side, :side] = 127
    return v1.RandAugment(num_ops=2, magnitude=9)(Image.fromarray(cut))


def raw(files: list[bytes]) -> None:
    import simplejpeg

    for file in files:
        simplejpeg.decode_jpeg(file)


def shown(source: ImageSource, rows: np.ndarray, augment: str) -> torch.Tensor:
    """A batch as training is shown it."""
    return augmented(source, rows, augment=augment, draws=range(len(rows)))


def measure(quick: bool) -> Iterator[Comparison]:
    torch.set_num_threads(1)
    keep_freed_memory()  # as every run does; it serves all variants
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CLBENCH_CACHE"] = str(Path(folder) / "cache")
        root = Path(folder) / "photos"
        root.mkdir()
        paths = photos(root)
        kilobytes = statistics.mean(path.stat().st_size for path in paths) / 1e3
        print(f"{PHOTOS} photos of {WIDTH} x {HEIGHT}, {kilobytes:.0f} KB each")
        for size in (224, 448):
            yield from at_size(paths, root, size, repeats=3 if quick else 7)


def at_size(paths: list[Path], root: Path, size: int, *, repeats: int) -> Iterator[Comparison]:
    rows = np.arange(PHOTOS, dtype=np.int64)
    table = from_arrays(
        "photos",
        labels=["label"],
        y=np.ones((PHOTOS, 1), dtype=bool),
        ids=[path.stem for path in paths],
        split=["train"] * (PHOTOS - 1) + ["test"],
        paths=[path.name for path in paths],
    )
    order = np.array([int(np.flatnonzero(table.ids == path.stem)[0]) for path in paths])
    ours = FolderImages(table, root=root, size=size)
    cache = cached(ours, key=lambda: "bench", count=PHOTOS, wanted=True)
    peers = Peers(paths, size)
    files = peers.files
    variants = {
        "PIL crop": lambda: peers.read(peers.cropped),
        "PIL squash": lambda: peers.read(peers.squashed),
        "PIL KRT": lambda: peers.read(peers.krt),
        "ours rrc": lambda: shown(ours, rows[order], "rrc"),
        "ours crop": lambda: shown(ours, rows[order], "crop"),
        "ours squash": lambda: ours.read(rows[order]),
        "ours KRT": lambda: shown(ours, rows[order], "krt"),
        "cache squash": lambda: cache.read(rows[order]),
        "cache crop": lambda: shown(cache, rows[order], "crop"),
        "cache KRT": lambda: shown(cache, rows[order], "krt"),
    }
    if find_spec("simplejpeg"):
        variants["raw"] = lambda: raw(files)
    seconds = in_turns(variants, repeats=repeats)
    print(f"  {size}: " + milliseconds(seconds, per=PHOTOS))
    pil = "PIL and torchvision v1"
    times = "times as fast as"
    measured = (("rrc", f"train {size}, rrc"), ("squash", f"evaluation {size}"))
    for name, what in measured:
        slow = "PIL squash" if name == "squash" else "PIL crop"
        yield Comparison(what, ratio(seconds, slow, f"ours {name}"), times, pil, at_least=1.5)
        if "raw" in seconds:
            value = ratio(seconds, "raw", f"ours {name}")
            yield Comparison(what, value, "of the speed of", "libjpeg-turbo alone", at_least=0.55)
    # no targets: its pixels are those of recorded rows, and what makes it fast is the cache
    what = f"train {size}, crop"
    yield Comparison(what, ratio(seconds, "PIL crop", "ours crop"), times, pil)
    if "raw" in seconds:
        yield Comparison(what, ratio(seconds, "raw", "ours crop"), "of the speed of", "libjpeg-turbo alone")
    yield Comparison(
        f"evaluation {size}, cached", ratio(seconds, "PIL squash", "cache squash"), times, pil, at_least=20
    )
    yield Comparison(f"train {size}, crop, cached", ratio(seconds, "PIL crop", "cache crop"), times, pil)
    yield Comparison(f"train {size}, KRT recipe", ratio(seconds, "PIL KRT", "ours KRT"), times, pil)
    yield Comparison(f"train {size}, KRT recipe, cached", ratio(seconds, "PIL KRT", "cache KRT"), times, pil)
    if size == 224:
        yield through_the_loader(cache, repeats=repeats)


def through_the_loader(cache: object, *, repeats: int) -> Comparison:
    """The whole way from the cache to batches, flips included."""
    assert AUGMENTS["flip"] is not None
    count = 20 * PHOTOS
    session = Session(
        index=0,
        new=slice(0, 1),
        seen=1,
        learned=1,
        labels=("label",),
        rows=np.arange(count) % PHOTOS,
        targets=np.ones((count, 1), dtype=np.int8),
        test_rows=np.arange(1),
    )
    ids = np.array([str(n) for n in range(PHOTOS)])
    view = SessionView(session, source=cache, ids=ids, augment="none", seed=0)  # type: ignore[arg-type]

    def one_epoch() -> None:
        for _ in loader(view, batch_size=64, epochs=1, start=(0, 0), workers=0, pin=False):
            pass

    seconds = in_turns({"loader": one_epoch}, repeats=3 * repeats)["loader"]
    each = 1e6 * statistics.median(seconds) / count
    return Comparison("an image of 224 px from the cache, through the loader", each, "us", at_most=40)


if __name__ == "__main__":
    main(measure, doc=__doc__)
