"""The labels of a table of lists that its options ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from clbench.data.sparse.table import SparseTable
from clbench.data.table import SPLITS, check_known, named_labels
from clbench.errors import DataError


def chosen_labels(table: SparseTable, *, values: Mapping[str, str], revision: str) -> SparseTable:
    """Return the table with the labels that options ask for: `labels`, `min_train_positives`, `min_test_positives`, and
    perhaps `most_frequent`, so many labels with the most positive train images, ties by name.

    Raises UsageError for a label that is not there, DataError where none is left or one is never known in test.
    """
    wanted = named_labels(table.name, table.labels, values["labels"])
    keep = np.ones(len(table.labels), dtype=np.bool_) if wanted is None else wanted
    counts = {split: table.positives(split) for split in SPLITS}
    for split in SPLITS if wanted is None else ():
        keep &= counts[split] >= int(values[f"min_{split}_positives"])
    most = int(values.get("most_frequent", "0"))
    if most:
        order = sorted(np.flatnonzero(keep).tolist(), key=lambda one: (-int(counts["train"][one]), table.labels[one]))
        if len(order) < most:
            raise DataError(f"{table.name}: option most_frequent is {most:,}, and {len(order):,} labels can be chosen.")
        keep[:] = False
        keep[order[:most]] = True
    if not keep.any():
        raise DataError(f"{table.name}: the options leave no label of {len(table.labels):,}.")
    check_known(table, keep)
    return replace(table if keep.all() else table.with_labels(np.flatnonzero(keep)), revision=revision)
