"""What a run is made of, put together from its plan, anew or as a saved state left it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from clbench.data.pictures.photo_digest import pictures_digest
from clbench.data.pictures.sources import ImageSource
from clbench.errors import ResultsError
from clbench.imports.uncollected import uncollected
from clbench.method.session import LiveSession
from clbench.method.strategy import Strategy, as_seen_by
from clbench.metrics.without_ap import told_without_ap
from clbench.nn.backbones.by_name import Backbone
from clbench.nn.memory import Exemplars
from clbench.nn.shared.ranks import rank, world
from clbench.plan.load_strategy import digest_read
from clbench.plan.plan import Plan
from clbench.ranks import together as distributed
from clbench.seeds import seed_torch
from clbench.stream.stream import Session, Stream, without_positives
from clbench.train.events import Message, RunStarted, StreamBuilt, Watch, telling
from clbench.train.make_record import check_recordable, now
from clbench.train.options import AUTO, Kind, RunOptions
from clbench.train.prepare import (
    build_network,
    check_stored,
    check_uses,
    content_key,
    make_source,
    plan_backbone,
    plan_features,
    plan_stream,
    plan_weights,
)
from clbench.train.reader_processes import loader_processes
from clbench.train.resume import state as states
from clbench.train.resume.progress import Progress
from clbench.train.resume.savepoint import Savepoint, restore_plugins
from clbench.train.resume.witness import Witness, witness_process
from clbench.train.scoring.score_file import check_scores
from clbench.train.stored_features import stored_features
from clbench.weights.hub import HUB
from clbench.weights.stand_in import STAND_IN

MADE_ONCE = "stand-in for pretraining, made once in about two minutes, steps"

Phase = Literal["network", "features", "growth", "session", "scoring"]


def plan_source(plan: Plan, stream: Stream, *, cache: bool | None, progress: Callable[[int, int], None]) -> ImageSource:
    """Return where the plan's pictures come from."""
    return make_source(plan, stream.table, cache=cache, progress=progress)


def unwatched(run: Any, phase: Phase, session: Session | None) -> AbstractContextManager[None]:
    """Let a phase of a run pass unnoticed."""
    return nullcontext()


@dataclass(frozen=True)
class Parts:
    """What a run is made of, by default as its plan says; who tries strategies out, or takes times, hands in others.

    `stream` is the scenario's, `seen_by` what a strategy sees of it, `source` where pictures come from, `around` gives
    the context in which a phase of the run passes, `witness` who remembers the scores; `keeps_record` says whether a
    record is left, `keeps_sources` whether copies of what ran lie beside it.
    """

    stream: Callable[[Plan], Stream] = plan_stream
    seen_by: Callable[[Strategy, Stream], Stream] = as_seen_by
    source: Callable[..., ImageSource] = plan_source
    backbone: Callable[[Plan], Backbone] = plan_backbone
    around: Callable[[Any, Phase, Session | None], AbstractContextManager[None]] = unwatched
    witness: Callable[[], AbstractContextManager[Witness]] = witness_process
    keeps_record: bool = True
    keeps_sources: bool = True


class Assembly:
    """The parts of one run and where its files lie; `clbench.train.run.Run` carries it out."""

    device: torch.device
    witness: Witness
    known: dict[str, Any]
    """The sections of the record that do not wait for a session, as they were before the first."""

    def __init__(self, plan: Plan, options: RunOptions, *, watch: Watch, parts: Parts) -> None:
        self.parts = parts
        self.plan = plan
        self.options = options
        self.watch = watch
        self.train = plan.train
        self.strategy = plan.new_strategy()
        self.place = plan.place(options.results)
        self.folder, self.record, self.work = self.place.folder, self.place.record, self.place.work
        self.state_file = self.place.state_file
        self.name = plan.title
        self.progress = Progress()
        self.exemplars: Exemplars | None = None
        self.counted: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
        """The rows stored when the last finished session was over, whatever memories say when asked again."""

    # ------------------------------------------------------------------ putting it together

    def _set_up(
        self, *, on_step: Callable[[int, int], None], waiting: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        weights = plan_weights(self.plan, progress=telling(self.watch, MADE_ONCE, seconds=10))
        if weights != self.plan.weights:
            self.plan = dataclasses.replace(self.plan, weights=weights)
        if self.plan.input_note:
            self.watch(Message(f"{self.name}: {self.plan.input_note}"))
        stream = self.parts.stream(self.plan)
        self.watch(StreamBuilt(self.name, stream))
        self.stream = self.parts.seen_by(self.strategy, stream)
        self.watch(
            RunStarted(
                self.name,
                strategy=self.plan.entry.name,
                seed=self.plan.seed,
                sessions=len(self.stream.sessions),
                stand_in=self.plan.stand_in,
            )
        )
        if self.plan.trial is None and (missing := without_positives(self.stream)):
            line = told_without_ap(missing, labels=len(self.stream.labels))
            self.watch(Message(f"{self.plan.scenario.name}: {line}", once=True))
        self.photos = self._photos()
        told = telling(self.watch, f"{self.stream.table.name}: pictures into the cache")
        self.source = self.parts.source(self.plan, self.stream, cache=self.options.cache, progress=told)
        features = plan_features(self.plan)
        self.image_bytes = features.row_bytes if features else 0
        check_stored(self.plan, kind=self.options.features)
        with self.parts.around(self, "network", None):
            self.pretrained = build_network(
                self.plan, self.strategy, self.stream, self.device, backbone=self._make_backbone
            )
        if self.parts.keeps_record:
            self.known = check_recordable(self.plan, self.strategy, self.stream)
        if self.options.features != "off":
            with self.parts.around(self, "features", None):
                self.source = self._store_features(self.options.features)
        self.readers = self._readers()
        # the loop imports avalanche, which takes seconds; everything that can be wrong has been looked at by now
        with uncollected():
            from clbench.train.loop import SharedLoop

        self.savepoint = Savepoint(
            self.state_file, identity=self._identity(), photos_without=lambda image: self._photos(without=image)
        )
        self.saved = self._load_state() if self.options.resume else None
        if self.saved is None:
            self.progress = Progress(started=now())
        else:
            self.progress = self.savepoint.progress(self.saved, sessions=len(self.stream.sessions))
            distributed.by_first(lambda: check_scores(self.progress, folder=self.work))
            for session in self.stream.sessions[: self.progress.session + self.progress.inside]:
                self._begin(session, structure_only=True)
            with self.savepoint.understood():
                states.load_strategy_state(self.strategy, self.saved["strategy"])
        self.strategy.to(self.device)
        self.loop = SharedLoop(
            strategy=self.strategy,
            train=self.train,
            seed=self.plan.seed,
            device=self.device,
            workers=self._readers(augment=self.train.augment),
            on_step=on_step,
            waiting=waiting,
        )
        if self.saved is not None:
            with self.savepoint.understood():
                restore_plugins(self.loop, self.saved)

    def _photos(self, *, without: str = "") -> str:
        plan, table = self.plan, self.stream.table
        return pictures_digest(table, dataset=plan.dataset, root=plan.root, options=plan.options, without=without)

    def _readers(self, *, augment: str = "none") -> int:
        """Return how many processes read pictures that are changed by `augment`."""
        # stored features are copied as fast as another process could hand them on
        stored = self.options.features != "off"
        wanted = 0 if stored and self.options.workers == AUTO else self.options.workers
        return loader_processes(
            wanted,
            self.source,
            device=self.device,
            share=self.options.cores,
            augment=augment,
            batch=max(self.train.batch_size, 64),
        )

    def _store_features(self, kind: Kind) -> ImageSource:
        return stored_features(
            self.source,
            self.strategy,
            self.stream,
            self.train,
            kind=kind,
            content=lambda: content_key(self.source, self.stream.table),
            device=self.device,
            progress=telling(self.watch, f"{self.stream.table.name}: features of the backbone"),
        )

    def _identity(self) -> dict[str, str]:
        digest = self.stream.digest()
        return {
            "scenario": self.plan.scenario.digest(),
            "configuration": self.plan.configuration,
            "the strategy's file": digest_read(self.plan.entry),
            "seed": str(self.plan.seed),
            "session and test images": digest.images,
            "visible labels": digest.labels,
            **({"photos": self.photos} if self.photos else {}),
            "torch": str(torch.__version__),
            "world size": str(world()),
            "device": self.device.type,
            # a file's digest is part of the configuration; what the hub publishes may change
            **({"weights": self.plan.weights.sha256} if self.plan.weights.name in (HUB, STAND_IN) else {}),
        }

    def _load_state(self) -> dict[str, Any] | None:
        saved = self.savepoint.load()
        if distributed.from_first(saved is not None) and saved is None:
            raise ResultsError(
                f"{self.state_file}: the first process goes on from this state, and process {rank() + 1} does not see "
                "it.",
                hint="Name a folder that every machine sees with --results.",
            )
        return saved

    def _save_state(self, *, inside: bool) -> None:
        self.savepoint.save(self.strategy, self.loop, self.progress, inside=inside, exemplars=self.exemplars)

    def _make_backbone(self, plan: Plan) -> Backbone:
        self.backbone = self.parts.backbone(plan)
        return self.backbone

    def _freeze(self) -> None:
        """Stop training the backbone that the strategy was given; what it sets around or behind that is its own."""
        check_uses(self.backbone, self.strategy, name=self.name, freeze=self.train.freeze)
        self.backbone.requires_grad_(False)

    def _count(self) -> None:
        """Look up the rows of what was stored when the last finished session was over."""
        ids = self.stream.table.ids
        self.counted = np.flatnonzero(np.isin(ids, np.array(self.progress.counted, dtype=ids.dtype)))

    def _live(self, session: Session, *, structure_only: bool = False) -> LiveSession:
        return LiveSession(
            session,
            source=self.source,
            device=self.device,
            batch_size=self.train.batch_size,
            stored=lambda: self.counted,
            readers=self.readers,
            online=self.plan.scenario.online,
            structure_only=structure_only,
        )

    def _begin(self, session: Session, *, structure_only: bool) -> None:
        seed = self.plan.seed
        with self.parts.around(self, "growth", session):
            seed_torch(seed, "session", session.index)
            self.strategy._seed = (seed, session.index, "begin")
            self.strategy.begin_session(self._live(session, structure_only=structure_only))
            fixed = self.train.freeze == "backbone" or (self.train.freeze == "after-base" and session.index > 0)
            if fixed:
                self._freeze()
            self.strategy.to(self.device)
