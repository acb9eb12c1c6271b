"""Write tables of the form of Open Images V7 at any size, for tests and benchmarks.

    python write_open_images.py FOLDER --images 100000 --labels 2000

Of so many images 0.5 per cent are for validation and 1.4 for testing, as in the data set. A train image has about ten
labels that were verified, an image of the other sets about sixteen; six of ten are absent. How often a label is
verified falls with its rank, as 1 / rank^0.9.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

SHARES = {"train": 0.981, "val": 0.005, "test": 0.014}
VERIFIED = {"train": 10, "val": 16, "test": 16}
PRESENT = 0.4
CHUNK = 100_000


def write(folder: Path, *, images: int, labels: int, seed: int = 0) -> None:
    """Write the four official tables into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    codes = np.array([f"/m/{place:06x}" for place in range(labels)])
    with (folder / "oidv7-class-descriptions.csv").open("w", encoding="utf-8") as file:
        file.write("LabelName,DisplayName\n")
        file.writelines(f'{code},"Thing, number {place}"\n' for place, code in enumerate(codes.tolist()))
    shares = np.cumsum(1 / np.arange(1, labels + 1) ** 0.9)
    ids = np.sort(rng.choice(1 << 62, size=images, replace=False) if images < 10_000 else _distinct(rng, images))
    cut = np.cumsum([max(round(share * images), 4 if share < 0.1 else 0) for share in SHARES.values()][:0:-1])[::-1]
    rng.shuffle(ids)
    parts = {"test": ids[: cut[1]], "val": ids[cut[1] : cut[0]], "train": ids[cut[0] :]}
    for part, mine in parts.items():
        name = f"oidv7-{part}-annotations-human-imagelabels.csv"
        with (folder / name).open("w", encoding="ascii") as file:
            file.write("ImageID,Source,LabelName,Confidence\n")
            for first in range(0, len(mine), CHUNK):
                _lines(file, np.sort(mine)[first : first + CHUNK], part=part, shares=shares, codes=codes, rng=rng)


def _distinct(rng: np.random.Generator, count: int) -> np.ndarray:
    found = np.unique(rng.integers(0, 1 << 62, size=count + 1000))
    return found[np.sort(rng.permutation(len(found))[:count])]


def _lines(file, ids, *, part: str, shares, codes, rng) -> None:  # type: ignore[no-untyped-def]
    counts = np.maximum(rng.poisson(VERIFIED[part], len(ids)), 1)
    image = np.repeat(ids, counts)
    label = np.searchsorted(shares, rng.random(len(image)) * shares[-1])
    once = np.unique(np.stack([image, label]), axis=1)
    present = rng.random(once.shape[1]) < PRESENT
    file.writelines(
        f"{one:016x},verification,{code},{int(mark)}\n"
        for one, code, mark in zip(once[0].tolist(), codes[once[1]].tolist(), present.tolist(), strict=True)
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--labels", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    write(given.folder, images=given.images, labels=given.labels, seed=given.seed)
