"""Where a label looked on one picture, after each session of a finished run whose weights were kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from clbench.data.pictures.sources import ImageSource
from clbench.errors import UsageError, suggest
from clbench.explain.attention import where
from clbench.method.session import LiveSession
from clbench.method.strategy import Strategy
from clbench.plan.plan import Plan, plan
from clbench.plan.source import stand_in_source
from clbench.records.record import Record, read_record
from clbench.spec.scenario import TrainSpec
from clbench.stream.stream import Session, Stream
from clbench.train.environment import pick_device
from clbench.train.prepare import build_network, make_source, make_stream
from clbench.train.resume.kept_weights import load_weights
from clbench.weights.resolve import RANDOM


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
    scenario: str = "",
    strategy_file: str = "",
    data: Path | None = None,
    device: str = "cpu",
) -> Explanation:
    """Return where `label` looked on `image` after each session of the run whose record is `path`.

    Without `image`, the first test image that shows the label. `scenario` and `strategy_file` say where these lie when
    they are not found by their names. Raises UsageError for names that are not there and for a run that cannot be made
    again here, ResultsError when its weights were not kept.
    """
    record = read_record(path)
    wanted = plan_again(record, scenario=scenario, strategy_file=strategy_file, data=data)
    if wanted.train.backbone == "none":
        raise UsageError(f"{path}: its data set has features, and there is no picture on which a label could look.")
    torch_device = pick_device(device)
    strategy = wanted.new_strategy()
    _check_same(wanted.configuration == record.configuration, "configuration", path)
    stream = make_stream(wanted, strategy)
    _check_same(stream.digest().labels == record.scenario.stream.labels, "stream", path)
    column, row = _column(stream, label), _row(stream, image, label)
    source = make_source(wanted, stream.table, cache=False)
    # random weights: the kept ones take their place
    rebuilt = dataclasses.replace(wanted, weights=RANDOM)
    build_network(rebuilt, strategy, stream, torch_device)
    picture = source.read(np.array([row]))
    looks, kind = [], ""
    for session in _restored(
        strategy, stream, source, work=path.with_suffix(""), seed=record.seed, device=torch_device
    ):
        if column < session.learned:
            images = picture.to(torch_device)
            found, kind = where(strategy.net.head, strategy.net.maps(images), label=column)
            score = float(strategy.scores(images)[0, column])
            looks.append(Look(session.index, score, found[0].cpu().numpy()))
    return Explanation(
        run=f"{record.strategy.name} with head {record.strategy.head}, seed {record.seed}",
        image=str(stream.table.ids[row]),
        label=label,
        learned=looks[0].session,
        truth=int(stream.truth(np.array([row]))[0, column]),
        kind=kind,
        picture=picture[0].permute(1, 2, 0).numpy(),
        looks=tuple(looks),
    )


def plan_again(record: Record, *, scenario: str = "", strategy_file: str = "", data: Path | None = None) -> Plan:
    """Return the plan that `record` came from. Raises UsageError or DataError when it cannot be made here."""
    about = record.scenario
    chosen = [strategy_file or record.strategy.name]
    # without the scenario's weights, which need not be on this machine
    (found,) = plan(scenario or about.name, strategies=chosen, seeds=[record.seed], data=data, sets=["train.weights="])
    if found.scenario.digest() != about.digest:
        raise UsageError(
            f"{found.scenario_path} is not the scenario of the record: another stream.",
            hint="Explain the run with the version of the scenario that it ran on.",
        )
    if about.stand_in:
        source = stand_in_source(found.scenario)
        found = dataclasses.replace(
            found, stand_in=True, dataset=source.dataset, options=source.options, root=source.root
        )
    elif found.stand_in:
        raise UsageError(
            f"{about.name}: the record ran on {found.scenario.dataset}, which is not on this machine.",
            hint=f"Name its folder: --data FOLDER, or clbench data get {found.scenario.dataset}",
        )
    return dataclasses.replace(
        found,
        fields=record.strategy.fields,
        train=msgspec.convert(record.train, TrainSpec),
        seed=record.seed,
        protocol=record.protocol,
    )


def _restored(
    strategy: Strategy, stream: Stream, source: ImageSource, *, work: Path, seed: int, device: torch.device
) -> Iterator[Session]:
    """Yield each session with the strategy as it was scored after it."""
    for session in stream.sessions:
        strategy._seed = (seed, session.index, "begin")
        strategy.begin_session(
            LiveSession(
                session,
                source=source,
                device=device,
                batch_size=1,
                stored=lambda: np.empty(0, dtype=np.int64),
                structure_only=True,
            )
        )
        load_weights(strategy, work, session=session.index)
        strategy.to(device)
        strategy.eval()
        yield session


def _check_same(same: bool, what: str, path: Path) -> None:
    if not same:
        raise UsageError(
            f"{path}: the {what} of this run is another one here.",
            hint="The strategy's file, its options or the data have changed since; run it again.",
        )


def _column(stream: Stream, label: str) -> int:
    if label not in stream.labels:
        some = f"{', '.join(stream.labels[:8])}{', …' if len(stream.labels) > 8 else ''}"
        raise UsageError(
            f"--label {label}: not a label of this stream.{suggest(label, stream.labels)}", hint=f"Its labels: {some}"
        )
    return stream.labels.index(label)


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
