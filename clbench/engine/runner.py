"""One run: a plan becomes a record, resumed where it stopped, finished runs skipped."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch
from filelock import Timeout

from clbench.catalog import digest_read
from clbench.data.images import ImageSource
from clbench.data.stream import Session, Stream
from clbench.engine import distributed
from clbench.engine import state as states
from clbench.engine.allocator import keep_freed_memory
from clbench.engine.budget import check_counted, count_stored
from clbench.engine.environment import pick_device
from clbench.engine.failures import explained, is_loader_death, lost
from clbench.engine.features import Kind, stored_features
from clbench.engine.files import whole_file
from clbench.engine.outcome import Evaluation
from clbench.engine.place import place_of
from clbench.engine.prepare import build_network, configuration, content_key, make_source, make_strategy, make_stream
from clbench.engine.processes import AUTO, loader_processes
from clbench.engine.progress import Progress
from clbench.engine.randomness import seed_torch
from clbench.engine.recording import check_scores, make_record, now
from clbench.engine.savepoint import Savepoint, restore_inside, restore_plugins, saved_exemplars
from clbench.engine.session import LiveSession
from clbench.engine.stopping import Interrupted, StopSignals
from clbench.engine.strategy import LEAK, Strategy
from clbench.engine.view import SessionView, steps_per_epoch
from clbench.engine.watch import Silent, Telling, Watch
from clbench.errors import DataError, ResultsError, RunError
from clbench.ledger.record import read_record, write_record
from clbench.nn.memory import Exemplars
from clbench.nn.ranks import rank, world
from clbench.resolve import Plan

log = logging.getLogger(__name__)


class TakenError(RunError):
    """Another process is carrying out this very run at this moment."""


@dataclass(frozen=True)
class RunOptions:
    """How to run, none of which may move a number: where results go, on what, how often state is saved."""

    results: Path = Path("results")
    device: str = "auto"
    workers: int = AUTO
    """Processes that read pictures; AUTO decides by where they come from and what trains."""
    cores: int = 0
    """How many cores the run may count on; 0 means all of the machine's."""
    threads: int = 1
    cache: bool | None = None
    """Whether pictures are kept decoded on disk; None keeps them where that is small."""
    features: Kind = "off"
    """Whether the features of a frozen backbone are kept on disk: its maps, or what the head pools of them."""
    save_minutes: float = 10.0
    save_steps: int = 0
    """Save every so many steps too; 0 means by time alone."""
    resume: bool = True
    keep_weights: bool = False
    """Keep the weights scored after every session, which `clbench explain` reads."""


def run(plan: Plan, options: RunOptions, *, watch: Watch | None = None) -> Path:
    """Carry out `plan` and return the path of its record; a finished run returns at once.

    State is saved after each session and every `save_minutes`; an interrupted run goes on where it stopped and ends
    with the same record. Raises ClbenchError with the next step to take; whatever it raises, the last state stays.
    """
    options = dataclasses.replace(options, device=distributed.start(options.device))
    return Run(plan, options, watch=watch if watch and rank() == 0 else Silent()).carry_out()


class Run:
    """A run while it is carried out."""

    def __init__(self, plan: Plan, options: RunOptions, *, watch: Watch) -> None:
        self.plan = plan
        self.options = options
        self.watch = watch
        self.train = plan.train
        self.strategy = self._make_strategy()
        self.configuration = configuration(plan, self.strategy)
        self.place = place_of(plan, self.configuration, results=options.results)
        self.folder, self.record, self.work = self.place.folder, self.place.record, self.place.work
        self.state_file = self.place.state_file
        self.name = plan.title
        self.progress = Progress()
        self.exemplars: Exemplars | None = None
        self.stop = StopSignals()

    # ------------------------------------------------------------------ what a run is made of

    def _make_strategy(self) -> Strategy:
        return make_strategy(self.plan)

    def _make_stream(self) -> Stream:
        return make_stream(self.plan, self.strategy)

    def _make_source(self) -> ImageSource:
        told = Telling(self.watch, f"{self.stream.table.name}: pictures into the cache")
        return make_source(self.plan, self.stream.table, cache=self.options.cache, progress=told)

    def _build_network(self) -> None:
        build_network(self.plan, self.strategy, self.stream, self.device)

    # ------------------------------------------------------------------ around the training

    def carry_out(self) -> Path:
        """Return the path of the record, which exists afterwards."""
        if self._finished():
            record = read_record(self.record)  # a damaged record is an error, not a finished run
            if rank() == 0:
                self.place.tidy_up()
            if record.strategy.sha256 != digest_read(self.plan.entry):
                self.watch.message(
                    f"{self.name}: finished before {self.plan.entry.path.name} was changed; --no-resume runs it again"
                )
            return self.record
        if rank() == 0:
            self.place.make()
        try:
            with self.place.held() if rank() == 0 else contextlib.nullcontext():
                if self._finished():
                    return self.record
                if rank() == 0:
                    self.place.remove_unfinished()
                return self._carry_out()
        except Timeout:
            raise TakenError(
                f"{self.name}: another process is carrying out this very run ({self.work}).",
                hint="Wait for it; its record will be used. clbench status shows what is running.",
            ) from None

    def _finished(self) -> bool:
        """Whether the record exists already; rank 0 decides for all."""
        try:
            return bool(distributed.from_first(self.options.resume and self.record.exists()))
        except OSError as error:
            raise self.place.unwritable(error) from error

    def _carry_out(self) -> Path:
        before = torch.get_rng_state(), torch.get_num_threads()
        self.device = pick_device(self.options.device)
        torch.set_num_threads(self.options.threads)
        keep_freed_memory()
        try:
            with self.stop:
                self._from_start_to_end()
        except KeyboardInterrupt:
            raise Interrupted(self.state_file if self.state_file.exists() else None) from None
        finally:
            torch.set_rng_state(before[0])
            torch.set_num_threads(before[1])
        self.watch.run_finished(run=self.name, record=self.record, seconds=self.progress.total_seconds)
        return self.record

    def _from_start_to_end(self) -> None:
        self._set_up()
        self._train_all()
        if rank() == 0:
            self._write_record()
        distributed.from_first(None)  # nobody goes on before the record is there

    def _write_record(self) -> None:
        record = make_record(
            self.plan,
            self.strategy,
            self.stream,
            self.progress,
            configuration=self.configuration,
            device=self.device,
            threads=self.options.threads,
        )
        self._write_config(dataset=record.scenario.dataset)
        write_record(record, self.record)
        self.state_file.unlink(missing_ok=True)

    def _write_config(self, *, dataset: str) -> None:
        import yaml

        text = yaml.safe_dump(
            {
                "scenario": self.plan.scenario.name,
                "dataset": dataset,
                "strategy": {self.plan.entry.name: self.strategy.values()},
                "train": msgspec.to_builtins(self.train),
            },
            sort_keys=False,
        )
        with whole_file(self.folder / "config.yaml", what="the configuration", scratch=self.work) as file:
            file.write(text.encode())

    # ------------------------------------------------------------------ set-up and state

    def _set_up(self) -> None:
        self.stream = self._make_stream()
        self.watch.run_started(
            run=self.name,
            strategy=self.plan.entry.name,
            seed=self.plan.seed,
            sessions=len(self.stream.sessions),
            stand_in=self.plan.stand_in,
        )
        self.source = self._make_source()
        self._build_network()
        if self.options.features != "off":
            self.source = self._store_features(self.options.features)
        # the loop imports avalanche, which takes seconds; everything that can be wrong has been looked at by now
        from clbench.engine.loop import SharedLoop

        self.savepoint = Savepoint(self.state_file, identity=self._identity())
        self.saved = self.savepoint.load() if self.options.resume else None
        if self.saved is None:
            self.progress = Progress(started=now())
        else:
            self.progress = self.savepoint.progress(self.saved, sessions=len(self.stream.sessions))
            if rank() == 0:
                check_scores(self.progress, folder=self.work)
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
            workers=loader_processes(self.options.workers, self.source, device=self.device, share=self.options.cores),
            on_step=self._on_step,
        )
        if self.saved is not None:
            with self.savepoint.understood():
                restore_plugins(self.loop, self.saved)

    def _store_features(self, kind: Kind) -> ImageSource:
        return stored_features(
            self.source,
            self.strategy,
            self.stream,
            self.train,
            kind=kind,
            content=lambda: content_key(self.source, self.stream.table),
            device=self.device,
            progress=Telling(self.watch, f"{self.stream.table.name}: features of the backbone"),
        )

    def _identity(self) -> dict[str, str]:
        digest = self.stream.digest()
        return {
            "scenario": self.plan.scenario.digest(),
            "configuration": self.configuration,
            "the strategy's file": digest_read(self.plan.entry),
            "seed": str(self.plan.seed),
            "session and test images": digest.images,
            "visible labels": digest.labels,
            "torch": str(torch.__version__),
            "world size": str(world()),
            "device": self.device.type,
        }

    def _save_state(self, *, inside: bool) -> None:
        self.savepoint.save(self.strategy, self.loop, self.progress, inside=inside, exemplars=self.exemplars)

    # ------------------------------------------------------------------ sessions

    def _train_all(self) -> None:
        for session in self.stream.sessions[self.progress.session :]:
            self._one_session(session)

    def _live(self, session: Session, *, structure_only: bool = False) -> LiveSession:
        return LiveSession(
            session,
            source=self.source,
            device=self.device,
            batch_size=self.train.batch_size,
            stored=lambda: count_stored(self.strategy, image_size=1).rows,
            online=self.plan.scenario.online,
            structure_only=structure_only,
        )

    def _begin(self, session: Session, *, structure_only: bool) -> None:
        seed = self.plan.seed
        seed_torch(seed, "session", session.index)
        self.strategy._seed = (seed, session.index, "begin")
        self.strategy.begin_session(self._live(session, structure_only=structure_only))
        fixed = self.train.freeze == "backbone" or (self.train.freeze == "after-base" and session.index > 0)
        if fixed:
            self.strategy.net.backbone.requires_grad_(False)
        self.strategy.to(self.device)

    def _one_session(self, session: Session) -> None:
        clock = time.monotonic()
        progress, strategy, seed = self.progress, self.strategy, self.plan.seed
        live = strategy._live = self._live(session)
        resumed = self.saved if progress.inside else None
        self.saved = None
        if resumed is None:
            # structure only here too, so that what would fail on resume fails at once
            self._begin(session, structure_only=True)
            distributed.check_equal(strategy, what=f"session {session.index}, after growth")
            seed_torch(seed, "prepare", session.index)
            strategy._seed = (seed, session.index, "prepare")
            strategy.eval()
            strategy.prepare(live)
            if LEAK in strategy.marks():
                # the one way to a hidden label, and it cannot be taken without the mark in the record
                stored = count_stored(strategy, image_size=1).rows
                strategy.reveal(stored, self.stream.truth(stored)[:, : session.seen])
            self.exemplars = strategy.rehearse(live)
            if self.exemplars is not None:
                check_counted(strategy, self.exemplars.rows, own=session.rows)
        else:
            with self.savepoint.understood():
                self.exemplars = saved_exemplars(resumed)
        view = SessionView(
            session,
            source=self.source,
            ids=self.stream.table.ids,
            augment=self.train.augment,
            seed=seed,
            exemplars=self.exemplars,
        )
        steps = steps_per_epoch(len(view), self.train.batch_size)
        self.session_clock = clock
        self.base_seconds = progress.train_seconds
        self.base_total = progress.total_seconds
        self.view = view
        self.watch.session_started(
            run=self.name, session=session.index, labels=session.learned, images=len(view), steps=steps
        )
        try:
            with self.stop.patient():
                mean_loss = self.loop.train_session(
                    view,
                    start=(progress.epoch, progress.step),
                    restore=partial(self._restore_inside, resumed) if resumed is not None else None,
                )
        except (RunError, DataError) as error:
            self._rescue()
            raise explained(error, run=self.name, ids=self.stream.table.ids, work=self.work) from error
        except RuntimeError as error:
            if is_loader_death(error):
                self._rescue()
            told = lost(error, run=self.name, state_file=self.state_file)
            if told is None:
                raise
            raise told from error
        if self.stop.asked:
            raise Interrupted(self.state_file)
        seed_torch(seed, "end", session.index)
        strategy._seed = (seed, session.index, "end")
        strategy.eval()
        with torch.no_grad():
            strategy.end_session(live)
        progress.train_seconds = self.base_seconds + time.monotonic() - clock
        self._evaluate(session, mean_loss=mean_loss)
        progress.total_seconds = self.base_total + time.monotonic() - clock
        progress.session, progress.epoch, progress.step = session.index + 1, 0, 0
        progress.train_seconds, progress.images_seen = 0.0, 0
        self._save_state(inside=False)

    def _restore_inside(self, saved: dict[str, Any]) -> None:
        with self.savepoint.understood():
            restore_inside(self.strategy, self.loop, saved)

    def _evaluate(self, session: Session, *, mean_loss: float) -> None:
        evaluation = Evaluation(
            self.name,
            self.stream,
            self.source,
            self.train,
            self.device,
            self.work,
            self.options.keep_weights,
            self.watch,
        )
        self.progress.done.append(
            evaluation.of(session, strategy=self.strategy, loop=self.loop, progress=self.progress, mean_loss=mean_loss)
        )

    def _on_step(self, epoch: int, step: int) -> None:
        loop, progress = self.loop, self.progress
        whole = step == loop.steps
        progress.epoch, progress.step = (epoch + 1, 0) if whole else (epoch, step)
        progress.images_seen += sum(loop.counts)
        self.watch.step(
            run=self.name,
            session=self.view.session,
            epoch=epoch,
            step=loop.step_index,
            steps=loop.steps * loop.train_epochs,
            images=sum(loop.counts),
            loss=loop.mean_loss,
        )
        # what follows the last step, the evaluation, may take long and may be interrupted
        last = loop.step_index == loop.steps * loop.train_epochs
        due = self.savepoint.age > 60 * min(self.options.save_minutes, 1.0 if last else math.inf)
        counted = self.options.save_steps and loop.step_index % self.options.save_steps == 0
        if due or counted or self.stop.asked:
            self._save_inside()
        if self.stop.asked:
            raise Interrupted(self.state_file)

    def _save_inside(self) -> None:
        self.loop.check_losses()  # a state that is not finite helps nobody
        elapsed = time.monotonic() - self.session_clock
        self.progress.train_seconds = self.base_seconds + elapsed
        self.progress.total_seconds = self.base_total + elapsed
        self._save_state(inside=True)

    def _rescue(self) -> None:
        """Save what can be continued after an error that came from outside: between two steps all is consistent."""
        if self.progress.inside and self.loop.between_steps:
            with contextlib.suppress(ResultsError, RunError):
                self._save_inside()
