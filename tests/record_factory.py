"""Valid records with seeded numbers, for tests of what reads records. Nothing here was measured."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from clbench import PROTOCOL
from clbench.metrics.ap import average_precisions
from clbench.metrics.rules import decide
from clbench.metrics.summary import summarize
from clbench.plan.identity import configuration_digest
from clbench.records.record import Record, as_rows, seal, write_record
from clbench.records.schema import (
    ApPart,
    CodePart,
    CostPart,
    CountsPart,
    DataPart,
    OrderPart,
    ScenarioPart,
    ScorePart,
    SessionPart,
    SessionTimes,
    StrategyPart,
    StreamPart,
    ThresholdsPart,
    TimesPart,
)
from clbench.records.store import record_path
from clbench.seeds import generator

_NAMES = """
airplane apple backpack banana baseball_bat baseball_glove bear bed bench bicycle bird boat book
bottle bowl broccoli bus cake car carrot cat cell_phone chair clock couch cow cup dining_table dog donut elephant
fire_hydrant fork frisbee giraffe hair_drier handbag horse hot_dog keyboard kite knife laptop microwave motorcycle
mouse orange oven parking_meter person pizza potted_plant refrigerator remote sandwich scissors sheep sink
skateboard skis snowboard spoon sports_ball stop_sign suitcase surfboard teddy_bear tennis_racket tie toaster
toilet toothbrush traffic_light train truck tv umbrella vase wine_glass zebra
"""
COCO = tuple(name.replace("_", " ") for name in _NAMES.split())


@dataclass(frozen=True)
class Layout:
    """A scenario's shape: labels per session, train images per session, growing test sizes."""

    name: str
    title: str
    deal: tuple[int, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]
    dataset: str = "coco2014"


B40 = Layout(
    "coco_b40c10", "MS-COCO 2014, 40 labels, then 10 per session", (40, 10, 10, 10, 10),
    (60611, 51104, 18851, 16845, 21750), (29601, 36442, 37625, 38132, 40137),
)  # fmt: skip
B0 = Layout(
    "coco_b0c10", "MS-COCO 2014, 10 labels per session", (10,) * 8,
    (18599, 28071, 27930, 17218, 51104, 18851, 16845, 21750),
    (8707, 19635, 26227, 29601, 36442, 37625, 38132, 40137),
)  # fmt: skip
TINY = Layout("tiny", "Three sessions of two labels", (2, 2, 2), (40, 50, 60), (30, 45, 60), "scenes")


@dataclass(frozen=True)
class Method:
    """How a made-up method behaves: what it learns, what it keeps, what it stores."""

    name: str
    learns: float = 0.8
    keeps: float = 0.9
    stored: int = 0
    head: str = "linear"
    origin: str = "shipped"
    parameters: int = 29_400_000
    static: bool = False
    fields: tuple[tuple[str, Any], ...] = ()


METHODS = (
    Method("joint", 0.80, 1.0, static=True),
    Method("naive", 0.70, 0.45),
    Method("lwf", 0.72, 0.66),
    Method("ewc", 0.70, 0.60),
    Method("er", 0.76, 0.84, stored=1600, fields=(("memory", 1600),)),
    Method("derpp", 0.78, 0.88, stored=1600, fields=(("alpha", 0.5), ("memory", 1600))),
    Method("krt", 0.79, 0.93, head="queries", parameters=31_000_000),
    Method("dlfl", 0.82, 0.96, stored=1000, head="queries", parameters=34_200_000, fields=(("memory", 1000),)),
)


def sha(*parts: object) -> str:
    """A digest-shaped text that depends on the parts."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def make_record(method: Method = METHODS[4], layout: Layout = B40, *, seed: int = 0, **changes: Any) -> Record:
    """A sealed record whose matrices look like a run of `method`; `changes` replace sections before the summary."""
    rng = generator("record", method.name, layout.name, seed)
    labels = sum(layout.deal)
    if method.static:  # as the loop does it: the whole stream is one session
        layout = replace(layout, deal=(labels,), train=(82_081,), test=layout.test[-1:])
    deal = layout.deal
    learned = np.repeat(np.arange(len(deal)), deal)
    fixed = _matrix(method, learned, rng=rng, layout=layout)
    growing = np.clip(fixed + 0.02 * (1 - fixed) * (len(deal) - np.arange(len(deal)))[:, None], 0, 1)
    sections = _sections(method, layout, seed=seed, growing=growing, fixed=fixed, learned=learned, rng=rng) | changes
    return sealed(sections)


def sealed(sections: dict[str, Any]) -> Record:
    """The record of these sections, with the summary, configuration and digests that follow from them."""
    ap, strategy = sections["ap"], sections["strategy"]
    return seal(
        Record(
            **sections,
            summary=summarize(ap.growing, ap.fixed, sections["counts"], sections["learned"]),
            configuration=configuration_digest(
                strategy.name, fields=strategy.fields, train=sections["train"], protocol=sections["protocol"]
            ),
        )
    )


def sections_of(record: Record) -> dict[str, Any]:
    """The sections of a record that `sealed` takes, for a record that differs in a few of them."""
    derived = ("summary", "configuration", "schema", "content")
    return {name: value for name, value in msgspec.structs.asdict(record).items() if name not in derived}


def with_thresholds(record: Record) -> Record:
    """The record as if validation images had chosen thresholds, under which it decides as at 0.8."""
    each = [[None if ap is None else 0.8 for ap in row] for row in record.ap.fixed]
    chosen = ThresholdsPart(images=[9] * len(each), each=each, one=[0.8] * len(each))
    counts = record.counts | dict.fromkeys(("tuned", "tuned-one"), record.counts["0.8"])
    return sealed(sections_of(record) | {"counts": counts, "thresholds": chosen})


def in_order(record: Record, order: str) -> Record:
    """The record as if its scenario's labels had come in the class order of that name, empty for its own."""
    about = record.scenario
    if order:
        about = msgspec.structs.replace(
            about,
            order=OrderPart(name=order, scenario=about.digest),
            digest=sha(about.name, order),
            stream=msgspec.structs.replace(about.stream, images=sha(order, 1), labels=sha(order, 2)),
        )
    return msgspec.structs.replace(record, scenario=about, content=sha(record.content, order))


class Tested:
    """As much of a stream as those ask for who read score files."""

    def __init__(self, truth: npt.NDArray[np.int8]) -> None:
        self.test_rows = np.arange(len(truth))
        self._truth = truth

    def truth(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
        """Return the targets of these rows."""
        found: npt.NDArray[np.int8] = self._truth[rows]
        return found


def make_scored(
    folder: Path, *, seed: int = 0, protocol: int = PROTOCOL
) -> tuple[Record, Path, npt.NDArray[np.int8], list[npt.NDArray[np.int64]]]:
    """Write a record of the tiny layout whose numbers come from score files; return it with the truth and test sets."""
    layout, rng = TINY, generator("scored", seed)
    labels, images = sum(layout.deal), layout.test[-1]
    learned = np.repeat(np.arange(len(layout.deal)), layout.deal)
    truth = (rng.random((images, labels)) < 0.3).astype(np.int8)
    truth[:6][np.eye(6, dtype=bool)] = 1
    truth[rng.random(truth.shape) < 0.02] = -1
    record = make_record(Method("er", stored=12), layout, seed=seed, protocol=protocol)
    path = record_path(folder, record)
    work = path.with_suffix("")
    work.mkdir(parents=True)
    growing, fixed, entries, tests = [], [], [], []
    tables: dict[str, dict[str, list[list[int | None]]]] = {
        rule: {kind: [] for kind in ("tp", "fp", "fn")} for rule in ("0.5", "0.8", "top3")
    }
    for session in range(len(layout.deal)):
        seen = int((learned <= session).sum())
        rows = np.flatnonzero((truth[:, :seen] == 1).any(axis=1))
        given = 0.35 * truth[:, :seen] + rng.normal(0.4, 0.25, (images, seen))
        scores = (np.clip(given, 0, 1) if protocol == 1 else 6 * given - 3).astype(np.float32)
        file = work / (f"scores-{session}.npy" if protocol == 1 else f"scores-{session}.logits.npy")
        np.save(file, scores)
        entry = ScorePart(session=session, file=file.name, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
        entries.append(entry if protocol == 1 else msgspec.structs.replace(entry, kind="logits"))
        rest = [None] * (labels - seen)
        growing.append([*as_rows([average_precisions(scores[rows], truth[rows, :seen])])[0], *rest])
        fixed.append([*as_rows([average_precisions(scores, truth[:, :seen])])[0], *rest])
        for rule, table in tables.items():
            s, t = scores[rows], truth[rows, :seen]
            decided = decide(rule, s, t, ranking="probabilities" if protocol == 1 else "logits")
            for kind, matrix in table.items():
                matrix.append([*getattr(decided, kind).tolist(), *rest])
        tests.append(rows)
    sessions = [
        SessionPart(labels=part.labels, train_images=part.train_images, test_images=len(rows))
        for part, rows in zip(record.scenario.sessions, tests, strict=True)
    ]
    changed = sections_of(record) | {
        "scenario": msgspec.structs.replace(record.scenario, sessions=sessions),
        "protocol": protocol,
        "ap": ApPart(growing=growing, fixed=fixed),
        "counts": {rule: CountsPart(**table) for rule, table in tables.items()},
        "scores": entries,
    }
    return write_record(sealed(changed), path), path, truth, tests


def _matrix(
    method: Method, learned: npt.NDArray[np.int64], *, rng: np.random.Generator, layout: Layout
) -> npt.NDArray[np.float64]:
    # how hard a label is belongs to the label, so it is the same for every method and seed
    ease = generator("ease", layout.name).beta(5, 2.2, len(learned))
    start = np.clip(method.learns * (0.55 + 0.62 * ease) + rng.normal(0, 0.012, len(learned)), 0.02, 0.995)
    fragile = generator("fragile", layout.name).uniform(0.4, 1.6, len(learned))
    floor = 0.03 + 0.08 * ease
    sessions = int(learned.max()) + 1
    matrix = np.full((sessions, len(learned)), np.nan)
    for session in range(sessions):
        age = session - learned
        kept = (1 - (1 - method.keeps) * fragile) ** np.maximum(age, 0)
        values = floor + (start - floor) * np.clip(kept, 0, 1) + rng.normal(0, 0.006, len(learned))
        matrix[session] = np.where(age >= 0, np.clip(values, 0.001, 0.999), np.nan)
    return matrix


def _sections(
    method: Method,
    layout: Layout,
    *,
    seed: int,
    growing: npt.NDArray[np.float64],
    fixed: npt.NDArray[np.float64],
    learned: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> dict[str, Any]:
    sessions = len(growing)
    names = list(COCO[: len(learned)])
    bounds = np.cumsum((0, *layout.deal))
    fields = {"head": method.head, "head_options": {}} | dict(method.fields)
    stand_in = layout.dataset == "scenes"
    per_session = np.asarray(layout.train)
    return {
        "protocol": PROTOCOL,
        "clbench": "0.1.0",
        "scenario": ScenarioPart(
            name=layout.name,
            version=1,
            title=layout.title,
            digest=sha(layout.name),
            dataset=layout.dataset,
            stand_in=stand_in,
            local=False,
            sessions=[
                SessionPart(labels=names[start:stop], train_images=train, test_images=test)
                for start, stop, train, test in zip(bounds, bounds[1:], layout.train, layout.test, strict=False)
            ],
            stream=StreamPart(images=sha(layout.deal, "images"), labels=sha(layout.deal, "labels")),
            data=DataPart(name=layout.dataset, revision=f"{layout.dataset} v1", digest=sha(layout.dataset)),
        ),
        "strategy": StrategyPart(
            name=method.name,
            title=f"The made-up method {method.name}.",
            origin=method.origin,
            sha256=sha(method.name),
            head=method.head,
            fields=fields,
            changed=dict(method.fields) | ({} if method.head == "linear" else {"head": method.head}),
        ),
        "train": {
            "backbone": "tresnet_m.miil_in21k",
            "weights": "hub",
            "track": "ImageNet-21k",
            "image_size": 224,
            "epochs": 20,
            "batch_size": 128,
            "optimizer": "adam",
            "lr": 0.0001,
            "base_lr": 4e-05,
            "weight_decay": 0.0001,
            "loss": "asl",
            "gamma_neg": 4.0,
            "clip": 0.05,
            "augment": "krt",
            "amp": "bf16",
        },
        "seed": seed,
        "labels": names,
        "learned": learned.tolist(),
        "ap": ApPart(growing=as_rows(growing), fixed=as_rows(fixed)),
        "counts": {rule: _counts(rule, growing, layout, rng=rng) for rule in ("0.5", "0.8", "top3")},
        "costs": [
            CostPart(
                session=i,
                images_seen=int(20 * per_session[i]),
                steps=int(20 * per_session[i] // 128),
                parameters=method.parameters + 20480 * i,
                trainable=method.parameters + 20480 * i,
                stored_images=min(method.stored, int(per_session[: i + 1].sum())),
                stored_bytes=min(method.stored, int(per_session[: i + 1].sum())) * 150_528,
            )
            for i in range(sessions)
        ],
        "marks": [*(["stand-in"] if stand_in else []), *(["local-strategy"] if method.origin != "shipped" else [])],
        "notes": {},
        "environment": {"python": "3.11.9", "torch": "2.6.0", "numpy": "2.1.0", "device": "cpu", "threads": 1},
        "code": CodePart(version="0.1.0", commit=sha("commit")[:40], dirty=False),
        "scores": [
            ScorePart(session=i, file=f"scores-{i}.logits.npy", sha256=sha(method.name, seed, i), kind="logits")
            for i in range(sessions)
        ],
        "times": TimesPart(
            started="2026-01-05T09:00:00Z",
            finished="2026-01-05T10:12:00Z",
            host="node7",
            sessions=[
                SessionTimes(train_seconds=700.0 + i + rng.random(), eval_seconds=30.5, peak_memory_bytes=9 << 30)
                for i in range(sessions)
            ],
            total_seconds=760.0 * sessions,
        ),
    }


def _counts(rule: str, growing: npt.NDArray[np.float64], layout: Layout, *, rng: np.random.Generator) -> CountsPart:
    """Counts that fit the AP: the positives of a label stay, recall and precision follow its AP."""
    seen = ~np.isnan(growing)
    positives = generator("positives", layout.name).integers(3, max(4, layout.test[0] // 12), growing.shape[1])
    recall = np.clip(np.nan_to_num(growing) * {"0.5": 0.95, "0.8": 0.75}.get(rule, 0.9), 0, 1)
    tp = np.floor(positives * recall).astype(int)
    fp = np.floor(tp * {"0.5": 0.35, "0.8": 0.1}.get(rule, 0.6) * rng.uniform(0.8, 1.2, tp.shape)).astype(int)

    def cells(table: npt.NDArray[np.int64]) -> list[list[int | None]]:
        return [
            [int(v) if s else None for v, s in zip(row, known, strict=True)]
            for row, known in zip(table, seen, strict=True)
        ]

    return CountsPart(tp=cells(tp), fp=cells(fp), fn=cells(positives - tp))
