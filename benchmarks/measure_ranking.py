"""mAP by logits and by float32 sigmoids side by side, for the score files below a results folder.

    python benchmarks/measure_ranking.py [RESULTS] [--data FOLDER]

Per run the average and the last mAP on the growing test set, in per cent, and the largest difference of one AP in
points. Score files of protocol 1 hold probabilities, of which logits cannot be made again; they are counted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from clbench.metrics.ap import average_precisions
from clbench.records.record import Record
from clbench.records.store import scan
from clbench.records.verify.against_stream import stream_of, tested_places
from clbench.records.verify.rescore import kind_of, load_scores


def both(record: Record, *, folder: Path, data: Path | None) -> np.ndarray | None:
    """Return AP [2, sessions, labels] by logits and by their sigmoids, NaN where undefined; None without the files."""
    stream = stream_of(record, data=data)
    truth, found = stream.truth(stream.test_rows), np.full((2, len(record.scores), len(record.labels)), np.nan)
    for session, rows in enumerate(tested_places(record, stream)):
        seen = sum(since <= session for since in record.learned)
        scores = load_scores(record, session, folder=folder, shape=(len(truth), seen), findings=[])
        if scores is None:
            return None
        squashed = torch.from_numpy(np.array(scores)).sigmoid().numpy()
        for place, matrix in enumerate((scores, squashed)):
            found[place, session, :seen] = average_precisions(matrix[rows], truth[rows, :seen])
    return found


def main() -> None:
    """Print a line per run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    parser.add_argument("--data", type=Path)
    asked = parser.parse_args()
    left_out = 0
    print("| run | average, logits | average, sigmoid | last, logits | last, sigmoid | largest, one AP |")
    print("|---|--:|--:|--:|--:|--:|")
    for item in scan(asked.results)[0]:
        record = item.record
        by_logits = record.scores and kind_of(record, 0) == "logits"
        found = both(record, folder=item.path.with_suffix(""), data=asked.data) if by_logits else None
        if found is None:
            left_out += 1
            continue
        maps = 100 * np.nanmean(found, axis=2)
        numbers = [*maps.mean(axis=1), *maps[:, -1]]
        largest = 100 * np.nanmax(np.abs(found[0] - found[1]))
        name = f"{record.scenario.name} {record.strategy.name} {record.configuration[:8]} seed {record.seed}"
        print(f"| {name} | " + " | ".join(f"{number:.4f}" for number in numbers) + f" | {largest:.4f} |")
    print(f"\n{left_out} records left out: of protocol 1, ranked by probabilities, or without their score files.")


if __name__ == "__main__":
    main()
