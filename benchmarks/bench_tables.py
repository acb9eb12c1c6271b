"""Reading a label table at the size of MS-COCO: parsing the instances files, and opening the table again.

    python benchmarks/bench_tables.py [--quick]

Writes instances files of the size of the official ones (82,783 + 40,504 images, 604,907 + 291,875 annotations with
outlines, about 650 MB; a fifth of that with --quick) into a temporary folder, reads them once, and opens the table
again from its cache.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clbench.cli.comparison import Comparison, main
from clbench.data.datasets import coco

PARTS = (("train", 82_783, 604_907), ("val", 40_504, 291_875))


def write(path: Path, *, part: str, images: int, annotations: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = 0 if part == "train" else 10_000_000
    head = [
        {
            "id": first + i,
            "file_name": f"COCO_{part}2014_{first + i:012d}.jpg",
            "width": 640,
            "height": 480,
            "license": 3,
        }
        for i in range(images)
    ]
    categories = [{"id": i + 1 + i // 8, "name": f"label {i}", "supercategory": "thing"} for i in range(80)]
    owners, kinds = rng.integers(images, size=annotations), rng.integers(80, size=annotations)
    outlines = [
        "[" + ",".join(f"{v:.2f}" for v in rng.uniform(0, 640, size=int(n))) + "]" for n in rng.integers(20, 170, 500)
    ]
    with path.open("w") as file:
        file.write('{"info":{},"licenses":[],"images":' + json.dumps(head) + ',"annotations":[')
        for i, (owner, kind) in enumerate(zip(owners.tolist(), kinds.tolist(), strict=True)):
            file.write(
                f'{"," if i else ""}{{"segmentation":[{outlines[i % 500]}],"area":1.5,"iscrowd":{int(i % 90 == 0)},'
                f'"image_id":{first + owner},"bbox":[1.0,2.0,3.0,4.0],"category_id":{categories[kind]["id"]},"id":{i}}}'
            )
        file.write('],"categories":' + json.dumps(categories) + "}")


def measure(quick: bool) -> Iterator[Comparison]:
    scale = 0.2 if quick else 1.0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "coco2014"
        os.environ["CLBENCH_CACHE"] = str(Path(folder) / "cache")
        (root / "annotations").mkdir(parents=True)
        for seed, (part, images, annotations) in enumerate(PARTS):
            path = root / "annotations" / f"instances_{part}2014.json"
            write(path, part=part, images=int(images * scale), annotations=int(annotations * scale), seed=seed)
            os.utime(path, (time.time() - 60, time.time() - 60))
        time.sleep(2.5)  # a file younger than two seconds is compared by content, which is not what is measured
        total = sum(path.stat().st_size for path in (root / "annotations").iterdir())
        seconds = []
        for _ in range(4):
            start = time.perf_counter()
            table = coco.read(root, name="coco2014", options={}, photos=False)
            seconds.append(time.perf_counter() - start)
    size = f"{table.y.shape[0]:,} x {table.y.shape[1]}"
    yield Comparison(
        f"reading a label table of {size} the first time", seconds[0], unit="s", detail=f"{total / 1e6:.0f} MB of JSON"
    )
    yield Comparison("opening it again", statistics.median(seconds[1:]), unit="s", at_most=1.0)


if __name__ == "__main__":
    main(measure, doc=__doc__)
