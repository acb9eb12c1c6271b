"""Label tables from the published label matrices, under the ids that the readers give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from clbench.data.table import LabelTable, from_arrays
from clbench.stream.published_lists import read_lists


def coco2014(realdata: Path) -> LabelTable:
    """All images with an annotation. Crowd cells count as positive, which is right for the pools and not for `y`."""
    z = np.load(realdata / "labels_coco14" / "coco14_multilabel.npz")
    matrices = [np.unpackbits(z[f"{part}_labels"], axis=1)[:, :80] for part in ("train", "val")]
    names = np.concatenate([z["train_names"], z["val_names"]])
    return from_arrays(
        "coco2014",
        labels=z["classes"].tolist(),
        y=np.concatenate(matrices),
        ids=[name[-16:-4] for name in names.tolist()],
        split=["train"] * len(matrices[0]) + ["test"] * len(matrices[1]),
    )


def voc2007(realdata: Path) -> LabelTable:
    """Trainval and test; labels with only difficult objects (0 in the lists) are negative, as `difficult: negative`."""
    z = np.load(realdata / "labels_voc07" / "voc07_multilabel.npz")
    y = np.concatenate([z["trainval_labels"], z["test_labels"]])
    return from_arrays(
        "voc2007",
        labels=z["classes"].tolist(),
        y=y == 1,
        ids=np.concatenate([z["trainval_ids"], z["test_ids"]]),
        split=["train"] * len(z["trainval_ids"]) + ["test"] * len(z["test_ids"]),
    )


def peta(realdata: Path) -> LabelTable:
    """Partition 0 with its validation images in train, and the 35 attributes of the literature, which come first."""
    z = np.load(realdata / "labels_pedestrian" / "peta19000.npz")
    parts = {"train": np.concatenate([z["p0_train"], z["p0_val"]]), "test": z["p0_test"]}
    rows = np.concatenate(list(parts.values()))
    return from_arrays(
        "peta",
        labels=z["attributes"][:35].tolist(),
        y=z["labels"][rows, :35],
        ids=[f"{row + 1:05d}" for row in rows.tolist()],
        split=np.repeat(list(parts), [len(part) for part in parts.values()]),
    )


def nuswideseq(realdata: Path) -> LabelTable:
    """The images of NUS-WIDEseq under their official row numbers, each with every label of its task.

    The true labels are not in the lists. Which image is in which session does not depend on them.
    """
    facts = json.loads((Path(__file__).parent / "session_counts.json").read_text())["prs:nuswideseq"]["labels"]
    labels = [label for task in facts for label in task]
    owner: dict[str, int] = {}
    for name in ("prs:nuswideseq", "prs:nuswideseq/natural"):
        for lists in read_lists(name, source="nuswideseq", folder=prs_lists(realdata)):
            owner |= {text: task for task, ids in enumerate(lists) for text in ids}
    y = np.array([[label in facts[task] for label in labels] for task in range(len(facts))])
    split = [text.partition("-")[0] for text in owner]
    return from_arrays("nuswide-official", labels=labels, y=y[list(owner.values())], ids=list(owner), split=split)


def prs_lists(realdata: Path) -> Path:
    return realdata / "labels_mlcil_splits" / "PRS"


def agcn_lists(realdata: Path) -> Path:
    return realdata / "labels_mlcil_splits" / "AGCN"
