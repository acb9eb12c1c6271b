"""How long a run will take: the run itself on a few images of every session, timed step by step, and scaled."""

from __future__ import annotations

import dataclasses
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from clbench.cost.clocks import NOTHING, Spent, clocks, middle
from clbench.cost.kept_tensors import KeptTensors
from clbench.cost.session_counts import SessionCount
from clbench.data.features.feature_rows import FeatureRows
from clbench.data.pictures.sources import CachedImages, ImageSource, cache_file, is_kept, whole_pictures
from clbench.method.strategy import Strategy, overrides
from clbench.metrics.of_parts import MeasuredParts, is_streamed
from clbench.metrics.of_session import PART
from clbench.nn.backbones.by_name import SMALL, Backbone, build_backbone
from clbench.plan.plan import Plan
from clbench.stream.stream import Session, Stream
from clbench.train.assembly import Parts, Phase
from clbench.train.environment import forget_peak, peak_memory, pick_device
from clbench.train.events import Event, SessionStarted, StepEnded
from clbench.train.prepare import content_key, make_source
from clbench.train.run import Run, RunOptions
from clbench.train.scoring.evaluate import evaluate
from clbench.train.stopping import leaving_nothing
from clbench.train.stored_features import StoredFeatures, all_rows, feature_file

STEPS = 4
"""Steps measured in every session and epoch, after one to warm up."""
EPOCHS = 2
"""The first epoch meets every picture for the first time, the others cost what the second does."""
PATIENCE = 60.0
"""Seconds that the miniature may take, roughly; where whole batches would take more, smaller ones stand for them."""


@dataclass(frozen=True)
class Times:
    """What a run spends where, for each part by name, and what it spends only where nothing is kept yet."""

    parts: dict[str, Spent]
    pictures: Spent
    """Decoding or drawing every picture for the cache."""
    features: Spent
    """The backbone's pass over every picture, for the features that are kept."""
    feature_bytes: int
    memory_bytes: int
    """The most that the run's process, or its GPU, holds at once, `mapped_bytes` included."""
    mapped_bytes: int
    """Of it, pages of kept pictures or features, which the system takes back where memory is short."""


def calibrated(
    plan: Plan, stream: Stream, counts: Sequence[SessionCount], *, options: RunOptions, set_up: Spent
) -> Times:
    """Return what `plan` will spend: `stream` in miniature is carried out in a temporary folder. It leaves nothing.

    `counts` are those of the whole run and `set_up` is what it took to build the stream.
    """
    device = pick_device(options.device)
    forget_peak(device)
    with tempfile.TemporaryDirectory(prefix="clbench-") as folder, _cache_in(Path(folder)) as cache:
        how = dataclasses.replace(options, results=Path(folder), resume=False, keep_weights=False, keep_scores=False)
        run = Rehearsal(stream, cache=cache, device=device)
        with leaving_nothing():
            run.run(_shortened(plan, stream, options), how)
    train, after, scoring, saving = Spent(), Spent(), Spent(), Spent()
    for session, count, took in zip(stream.sessions, counts, run.took, strict=True):
        each = count.images / count.epochs
        train += took.setting_up + took.first * each + took.later * (each * (count.epochs - 1))
        after += (took.before + took.after) * (count.own / took.own)
        scoring += took.scoring * (count.scored / took.scored) + _measures(stream, session)
        saving += took.saving
    rows = len(all_rows(stream))
    mapped = 0 if device.type == "cuda" else rows * (run.picture_bytes + run.feature_bytes)
    return Times(
        parts={
            "setting up": set_up + run.building,
            "training": train,
            "around sessions": after,
            "scoring": scoring,
            "saving": saving,
        },
        pictures=run.reading * len(stream.table),
        features=run.passing * rows,
        feature_bytes=run.feature_bytes * rows,
        memory_bytes=_whole_memory(run, peak_memory(device), batch_size=plan.train.batch_size) + mapped,
        mapped_bytes=mapped,
    )


def _whole_memory(run: Rehearsal, peak: int, *, batch_size: int) -> int:
    """Return what the run holds with whole batches, where its miniature held `peak` with smaller ones.

    What a step keeps for its way back grows with the batch; weights, gradients, moments and loaded code do not.
    """
    return peak + round(run.kept.bytes * (batch_size / run.batch_size - 1))


def start_of_a_process(backbone: str) -> Spent:
    """Return what a new process spends before it can do anything: importing torch, the loop and the backbones."""
    words = "import clbench.train.run, clbench.train.loop, torchvision.transforms.v2"
    words += "" if backbone == SMALL else ", timm"
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", "-c", words], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(time.perf_counter() - begin, cpu)


@dataclass
class _Took:
    """What one session of the miniature spent."""

    own: int
    scored: int
    before: Spent = NOTHING
    setting_up: Spent = NOTHING
    first: Spent = NOTHING
    """Of the first epoch, for each image."""
    later: Spent = NOTHING
    """Of the others."""
    after: Spent = NOTHING
    scoring: Spent = NOTHING
    saving: Spent = NOTHING
    ends: list[tuple[Spent, int, int]] = field(default_factory=list)
    """Of each step: when it ended, its images, its epoch."""


class Rehearsal:
    """What is handed into a run so that it is made on a few images of every session, and what the clocks said of it."""

    def __init__(self, whole: Stream, *, cache: Path, device: torch.device) -> None:
        self.whole = whole
        self.cache = cache
        self.device = device
        self.took: list[_Took] = []
        self.reading, self.passing, self.building = Spent(), Spent(), Spent()
        self.feature_bytes, self.picture_bytes = 0, 0
        self.kept = KeptTensors()

    def run(self, plan: Plan, options: RunOptions) -> None:
        """Carry out the miniature, which leaves no record."""
        self.batch_size = plan.train.batch_size
        parts = Parts(
            stream=lambda _: self._miniature(),
            seen_by=lambda _, stream: stream,  # it is cut from what the strategy sees
            source=self._source,
            around=self._around,
            keeps_record=False,
        )
        Run(plan, options, watch=self._hear, parts=parts).carry_out()

    def _miniature(self) -> Stream:
        size = (STEPS + 1) * self.batch_size
        sessions = tuple(_part(session, size) for session in self.whole.sessions)
        tested = _spread(self.whole.test_rows, max(2 * self.batch_size, 128))
        return dataclasses.replace(self.whole, sessions=sessions, test_rows=tested, val_rows=self.whole.val_rows[:0])

    def _source(self, plan: Plan, stream: Stream, *, cache: bool | None, **_: object) -> ImageSource:
        table = self.whole.table
        source = make_source(plan, table, cache=False)
        if isinstance(source, FeatureRows):
            return source
        self.pictures = content_key(source, table)
        if not is_kept(len(table), size=source.size, wanted=cache):
            return source
        file = cache_file(f"{table.name}-{self.pictures}", size=source.size, folder=self.cache)
        if plan.trial is None:
            self.pictures = file.stem
        self.picture_bytes = 3 * source.size**2
        kept = CachedImages(file, count=len(table), size=source.size, behind=source)
        if kept.kept.is_there():
            return kept
        held = _Held(source, all_rows(stream))
        self.reading = held.each
        return held

    @contextmanager
    def _around(self, run: Run, phase: Phase, session: Session | None) -> Iterator[None]:
        if phase == "growth":
            yield
            return
        if phase == "session":
            assert session is not None
            self.took.append(_Took(own=len(session.rows), scored=len(run.stream.test_rows)))
        begin = clocks(self.device)
        if phase == "scoring":
            self.took[-1].after = begin - (self.took[-1].ends[-1][0] if self.took[-1].ends else self.trained)
        yield
        end = clocks(self.device)
        if phase == "network":
            self.building = end - begin
        elif phase == "features":
            self._note_features(run, end - begin)
        elif phase == "scoring":
            self.scored = end
            self.took[-1].scoring = end - begin
        else:
            self._note_session(run.strategy, begin, end)

    def _note_features(self, run: Run, spent: Spent) -> None:
        rows = len(all_rows(run.stream))
        self.passing = spent * (1 / rows)
        if isinstance(run.source, StoredFeatures):
            self.feature_bytes = run.source.path.stat().st_size // rows
        backbone, kind = run.strategy.net.backbone, run.options.features
        assert isinstance(backbone, Backbone) and kind != "off"
        whole = feature_file(
            backbone, self.whole, run.plan.train, kind=kind, pictures=self.pictures, device=self.device
        )
        if (self.cache / whole).exists():
            self.passing = NOTHING
            self.picture_bytes = 0  # nobody looks at pictures any more

    def _note_session(self, strategy: Strategy, begin: Spent, end: Spent) -> None:
        took = self.took[-1]
        took.saving = end - self.scored
        took.before = (self.trained - begin) if overrides(strategy, "prepare") else NOTHING
        if not took.ends:  # a closed form: all of it is done around the session
            return
        starts = [self.trained, *(at for at, _, _ in took.ends)]
        each = [
            ((at - start) * (1 / images), epoch) for start, (at, images, epoch) in zip(starts, took.ends, strict=False)
        ]
        first = [spent for spent, epoch in each if epoch == 0]
        took.first = middle(first[1:] or first)
        took.later = middle([spent for spent, epoch in each if epoch] or [took.first])
        took.setting_up = ((first[0] - took.first) * took.ends[0][1]).positive

    def _hear(self, event: Event) -> None:
        if isinstance(event, StepEnded):
            self.kept.end()
            self.took[-1].ends.append((clocks(self.device), event.images, event.epoch))
        elif isinstance(event, SessionStarted):
            self.kept.begin()
            self.trained = clocks(self.device)


class _Held:
    """A source some of whose pictures are in memory, as a cache would have them, and what it took to make one."""

    def __init__(self, source: ImageSource, rows: npt.NDArray[np.int64]) -> None:
        source.read(rows[:8])  # what is imported or opened at first is no cost of a picture
        begin = clocks()
        self._pictures = torch.cat([source.read(rows[at : at + 256]) for at in range(0, len(rows), 256)])
        self.each = (clocks() - begin) * (1 / len(rows))
        self.source, self.rows, self.size = source, rows, source.size

    def read(self, rows: npt.NDArray[np.int64]) -> torch.Tensor:
        """Return uint8 [n, 3, size, size]."""
        places = np.searchsorted(self.rows, rows)
        if not np.array_equal(self.rows.take(places, mode="clip"), rows):
            return self.source.read(rows)  # others too are looked at, by whoever asks which pictures these are
        return self._pictures[torch.from_numpy(places)]

    def whole(self, rows: npt.NDArray[np.int64]) -> Iterator[torch.Tensor]:
        """Yield uint8 [3, h, w] for each of `rows`, made every time as behind a cache."""
        return whole_pictures(self.source, rows)


def _shortened(plan: Plan, stream: Stream, options: RunOptions) -> Plan:
    """Return the plan with two epochs, and with smaller batches where whole ones would take too long."""
    train = plan.train
    rounds = min(max(train.epochs, train.base_epochs), EPOCHS)
    size = train.batch_size
    if options.features == "off":
        # a step costs about four passes forward: there and back, and perhaps a teacher
        most = PATIENCE / (4 * _forward(plan, options) * rounds * (STEPS + 1) * len(stream.sessions))
        size = min(size, max(int(most), 4))
    return dataclasses.replace(
        plan, train=msgspec.structs.replace(train, epochs=rounds, base_epochs=0, batch_size=size)
    )


def _forward(plan: Plan, options: RunOptions) -> float:
    """Return the seconds of one image's way through the backbone, whatever else the machine is doing."""
    train, device = plan.train, pick_device(options.device)
    if train.backbone == "none":
        return 1e-9
    backbone = build_backbone(train.backbone, image_size=train.image_size, channels_last=train.channels_last).to(device)
    some = torch.zeros(4, 3, train.image_size, train.image_size, dtype=torch.uint8, device=device)
    with torch.no_grad():
        backbone(some)
        begin = clocks(device)
        backbone(some)
        took = clocks(device) - begin
    return (min(took.wall, took.cpu) if device.type == "cpu" else took.wall) / len(some)


@contextmanager
def _cache_in(folder: Path) -> Iterator[Path]:
    """Let whatever is kept be kept in `folder` for a while; yield where it was kept before."""
    from clbench.files.user_folders import cache_folder

    before, named = cache_folder(), os.environ.get("CLBENCH_CACHE")
    os.environ["CLBENCH_CACHE"] = str(folder / "cache")
    try:
        yield before
    finally:
        if named is None:
            del os.environ["CLBENCH_CACHE"]
        else:
            os.environ["CLBENCH_CACHE"] = named


def _measures(stream: Stream, session: Session) -> Spent:
    """Return what AP and the counts of the whole test set take, on random scores; of many a part, which is scaled."""
    rows = stream.test_rows[: max(PART // session.seen, 1)]
    scores = np.random.default_rng(0).random((len(rows), session.seen), dtype=np.float32)
    truth, begin = stream.truth(rows), clocks()
    if is_streamed(len(stream.test_rows), session.seen):
        measures = MeasuredParts(session.seen, ranking="logits")
        measures.add(scores, truth=truth[:, : session.seen], growing=np.isin(rows, session.test_rows))
        measures.result(labels=truth.shape[1])
    else:
        evaluate(scores, truth=truth, test_rows=rows, session=session, ranking="logits")
    return (clocks() - begin) * (len(stream.test_rows) / max(len(rows), 1))


def _part(session: Session, size: int) -> Session:
    chosen = _spread(np.arange(len(session.rows)), size)
    return dataclasses.replace(session, rows=session.rows[chosen], targets=session.targets[chosen])


def _spread(rows: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """Return `size` of the rows, evenly spread, or all where there are fewer."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(size, len(rows))).astype(np.int64))]
