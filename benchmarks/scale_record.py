"""A whole run on a large table: lists of labels, stored features, a closed form; CPU time and peak memory of it.

    python benchmarks/scale_record.py FOLDER [--images 1000000] [--labels 1000] [--features 512] [--tested 1] [WORDS]

Writes `big.csr`, `x.npy` and `big.yaml` into FOLDER, unless they are there, and runs `clbench run FOLDER/big.yaml
--strategy ridge --set ridge.hidden=0` with WORDS after it (`--keep-scores` for one) in a process of its own. Of ten
images `--tested` are for testing. Labels are those of `scale_against`, features are noise; the peak is `ru_maxrss` of
the child, pages of the mapped files included.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
from scale_against import drawn

from clbench.data.sparse.files import write_csr
from clbench.data.sparse.labels import Entries

BLOCK = 10_000


def write(folder: Path, *, images: int, labels: int, features: int, tested: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    starts, columns = drawn(images, labels)
    names = [f"label {k:05d}" for k in range(labels)]
    test = np.arange(images) % 10 >= 10 - tested
    write_csr(folder / "big.csr", labels=names, entries=Entries(starts, columns, None, labels, 0), test=test)
    rng = np.random.default_rng(0)
    x = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (images, features))
    for first in range(0, images, BLOCK):
        x[first : first + BLOCK] = rng.standard_normal((min(BLOCK, images - first), features), dtype=np.float32)
    x.flush()
    (folder / "big.yaml").write_text(
        "name: big\nversion: 1\ntitle: A large table in ten sessions.\ndataset: big.csr\noptions: {features: x.npy}\n"
        f"labels: {{increment: {-(-labels // 10)}}}\ntrain: {{epochs: 1, batch_size: 1024, lr: 1.0e-3}}\n"
        "strategies: [ridge]\nseeds: [0]\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--labels", type=int, default=1_000)
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--tested", type=int, default=1)
    given, words = parser.parse_known_args()
    if not (given.folder / "big.yaml").exists():
        size = {name: getattr(given, name) for name in ("images", "labels", "features", "tested")}
        write(given.folder, **size)
    command = ["run", str(given.folder / "big.yaml"), "--strategy", "ridge", "--set", "ridge.hidden=0"]
    command += ["--results", str(given.folder / "results"), "--jobs", "1", "--device", "cpu", *words]
    done = subprocess.run(
        [sys.executable, "-m", "clbench", *command], env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False
    )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"exit {done.returncode}, {used.ru_utime + used.ru_stime:.1f} s of CPU, peak {used.ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
