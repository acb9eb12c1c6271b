"""Where a label looked on one picture, after each session of a finished run whose weights were kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from clbench.data.pictures.sources import lone_photo
from clbench.errors import UsageError, suggest
from clbench.explain.attention import where
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy
from clbench.records.record import Record, read_record
from clbench.stream.stream import Stream
from clbench.train.environment import pick_device
from clbench.train.prepare import make_source, make_stream
from clbench.train.rerun import plan_of
from clbench.train.resume.finished import recipe_of, scenario_of, sessions_of, strategy_of
from clbench.train.resume.kept_weights import load_weights
from clbench.train.resume.structure import grown_again

UNKNOWN = -1
"""The truth of a label on a photo that nobody has labelled."""


@dataclass(frozen=True)
class Look:
    """One label on one picture after one session: its probability and how much each position counts, [h, w]."""

    session: int
    score: float
    map: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Explanation:
    """A label on a picture over the sessions, from the one that taught it on.

    `run` says which run it was; `truth` is 1, 0 or -1; `picture` uint8 [side, side, 3] is what the network saw; `kind`
    says what the maps are: "attention" of a label's own feature, or "response" of its classifier.
    """

    run: str
    image: str
    label: str
    learned: int
    truth: int
    kind: str
    picture: npt.NDArray[np.uint8]
    looks: tuple[Look, ...]

    def to_plain(self) -> dict[str, Any]:
        """Return everything but the picture as JSON-able values, maps to four digits."""
        return {
            "run": self.run,
            "image": self.image,
            "label": self.label,
            "learned": self.learned,
            "truth": self.truth,
            "kind": self.kind,
            "looks": [
                {
                    "session": look.session,
                    "score": round(look.score, 4),
                    "map": [[round(float(value), 4) for value in row] for row in look.map],
                }
                for look in self.looks
            ],
        }


@torch.no_grad()
def explain(
    path: Path,
    *,
    label: str,
    image: str = "",
    photo: Path | None = None,
    scenario: str = "",
    strategy_file: str = "",
    data: Path | None = None,
    device: str = "cpu",
) -> Explanation:
    """Return where `label` looked on a picture after each session of the run whose record is `path`.

    The picture is the file `photo`, for which no data set is needed, or `image` of the run's data; without both, the
    first test image that shows the label. `scenario` and `strategy_file` say where these lie when they are not found by
    their names. Raises UsageError for names that are not there and for a run that cannot be made again here,
    ResultsError when its weights were not kept, DataError for a photo that cannot be read.
    """
    record = read_record(path)
    if record.train.get("backbone") == "none":
        raise UsageError(f"{path}: its data set has features, and there is no picture on which a label could look.")
    if photo is not None and image:
        raise UsageError("--image names a picture of the data set, --photo a file: give one of them.")
    column = _column(record.labels, label)
    torch_device = pick_device(device)
    spec = scenario_of(record, scenario=scenario)
    strategy = strategy_of(record, load_strategy(catalog.find_strategy(strategy_file or record.strategy.name)))
    _check_same(strategy.values() == record.strategy.fields, "configuration", path)
    if photo is None:
        shown, truth, picture = _of_the_data(
            path, record, label, image, scenario=scenario, strategy_file=strategy_file, data=data
        )
    else:
        shown, truth, picture = photo.name, UNKNOWN, lone_photo(photo, size=recipe_of(record).image_size)[None]
    looks, kind = [], ""
    for session in grown_again(strategy, sessions_of(record, spec), seed=record.seed, device=torch_device):
        load_weights(strategy, path.with_suffix(""), session=session.index)
        strategy.to(torch_device).eval()
        if column < session.learned:
            images = picture.to(torch_device)
            found, kind = where(strategy.net.head, strategy.net.maps(images), label=column)
            score = float(strategy.scores(images)[0, column])
            looks.append(Look(session.index, score, found[0].cpu().numpy()))
    return Explanation(
        run=f"{record.strategy.name} with head {record.strategy.head}, seed {record.seed}",
        image=shown,
        label=label,
        learned=looks[0].session,
        truth=truth,
        kind=kind,
        picture=picture[0].permute(1, 2, 0).numpy(),
        looks=tuple(looks),
    )


def _of_the_data(
    path: Path, record: Record, label: str, image: str, *, scenario: str, strategy_file: str, data: Path | None
) -> tuple[str, int, torch.Tensor]:
    """Return (id, whether it shows the label, uint8 [1, 3, S, S]) of a picture of the run's data."""
    plan = plan_of(record, data=data, strategy=_file(strategy_file), scenario=_file(scenario))
    _check_same(plan.configuration == record.configuration, "configuration", path)
    stream = make_stream(plan, plan.new_strategy())
    _check_same(stream.digest().labels == record.scenario.stream.labels, "stream", path)
    row = _row(stream, image, label)
    truth = int(stream.truth(np.array([row]))[0, _column(stream.labels, label)])
    return str(stream.table.ids[row]), truth, make_source(plan, stream.table, cache=False).read(np.array([row]))


def _check_same(same: bool, what: str, path: Path) -> None:
    if not same:
        raise UsageError(
            f"{path}: the {what} of this run is another one here.",
            hint="The strategy's file, its options or the data have changed since; run it again.",
        )


def _column(labels: Sequence[str], label: str) -> int:
    if label not in labels:
        some = f"{', '.join(labels[:8])}{', …' if len(labels) > 8 else ''}"
        raise UsageError(
            f"--label {label}: not a label of this stream.{suggest(label, labels)}", hint=f"Its labels: {some}"
        )
    return labels.index(label)


def _row(stream: Stream, image: str, label: str) -> int:
    shown = stream.test_rows[stream.truth(stream.test_rows)[:, stream.labels.index(label)] == 1]
    if image:
        found = np.flatnonzero(stream.table.ids == image)
        if not len(found):
            some = ", ".join(str(stream.table.ids[row]) for row in shown[:3])
            raise UsageError(f"--image {image}: no such image.", hint=f"Test images that show {label}: {some}, …")
        return int(found[0])
    if not len(shown):
        raise UsageError(f"no test image shows {label}.", hint="Name an image: --image ID")
    return int(shown[0])


def _file(named: str) -> Path | None:
    return Path(named) if named else None
