"""One run: a plan becomes a record, resumed where it stopped, finished runs skipped."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import logging
import math
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import Timeout

from clbench.errors import ClbenchError, DataError, ResultsError, RunError, TakenError, UsageError
from clbench.files.given import LARGEST_TEXT, read_given
from clbench.files.whole_file import whole_file
from clbench.method.answers import exemplars
from clbench.method.lone_images import check_lone_image, lone_session
from clbench.method.stored import Replayable, count_stored
from clbench.method.strategy import LEAK, Strategy
from clbench.nn.shared.ranks import rank, world
from clbench.plan.load_strategy import digest_read
from clbench.plan.plan import Plan
from clbench.ranks import launched
from clbench.ranks import together as distributed
from clbench.records.configuration import configuration_text
from clbench.records.data_since import difference, sampled_of
from clbench.records.record import read_record, write_record
from clbench.seeds import seed_torch
from clbench.spec.orders import load_in_order
from clbench.spec.scenario import scenario_files
from clbench.stream.stream import Session
from clbench.train.assembly import Assembly, Parts
from clbench.train.batches import SessionView, steps_per_epoch
from clbench.train.environment import keep_freed_memory, pick_device
from clbench.train.events import Message, RunFinished, SessionStarted, StepEnded, Watch, silent
from clbench.train.failures import explained, is_loader_death, lost
from clbench.train.make_record import check_fields, make_record
from clbench.train.options import RunOptions
from clbench.train.resume.savepoint import restore_inside, saved_exemplars
from clbench.train.resume.witness import check_witnessed
from clbench.train.session_result import session_result
from clbench.train.stopping import Interrupted, StoppedWaiting, StopSignals

log = logging.getLogger(__name__)

__all__ = ["Run", "RunOptions", "run"]


def run(plan: Plan, options: RunOptions, *, watch: Watch | None = None) -> Path:
    """Carry out `plan` and return the path of its record; a finished run returns at once.

    State is saved after each session and every `save_minutes`; an interrupted run goes on where it stopped and ends
    with the same record. Raises ClbenchError with the next step to take; whatever it raises, the last state stays.
    """
    if launched.processes() > 1:
        # Avalanche refuses to be imported by any rank but the first once they are joined
        import clbench.train.loop  # noqa: F401
    options = dataclasses.replace(options, device=distributed.start(options.device))
    return Run(plan, options, watch=watch if watch and rank() == 0 else silent).carry_out()


@contextlib.contextmanager
def _looking(strategy: Strategy) -> Iterator[None]:
    """Let a verb look and not train: in evaluation mode, without gradients."""
    strategy.eval()
    with torch.no_grad():
        yield


class Run(Assembly):
    """A run while it is carried out."""

    def __init__(self, plan: Plan, options: RunOptions, *, watch: Watch, parts: Parts | None = None) -> None:
        super().__init__(plan, options, watch=watch, parts=parts or Parts())
        self.stop = StopSignals()
        self.copies: list[Path] = []

    # ------------------------------------------------------------------ around the training

    def carry_out(self) -> Path:
        """Return the path of the record, which exists afterwards."""
        if self._finished():
            distributed.by_first(self._look_at_record)
            return self.record
        distributed.by_first(self.place.make)
        with contextlib.ExitStack() as held:
            distributed.by_first(lambda: self._take(held))
            if self._finished():
                return self.record
            distributed.by_first(self.place.remove_unfinished)
            try:
                return self._carry_out()
            except BaseException as error:
                if rank() == 0:
                    self._leave(error)
                raise

    def _leave(self, error: BaseException) -> None:
        """Leave a state to go on from, or nothing but word of the failure; in no case a lock."""
        image = getattr(error, "row", None)
        if self.state_file.exists():
            # a photo that became another under the run may have been trained on before
            if image is not None and hasattr(self, "savepoint") and self._photos() == self.photos:
                with contextlib.suppress(ClbenchError):
                    self.savepoint.note_damaged(str(self.stream.table.ids[image]))
        elif not any(self.work.glob("scores-*")):
            for copy in self.copies:
                with contextlib.suppress(OSError):
                    copy.unlink()
        self.place.remove_if_empty()

    def _look_at_record(self) -> None:
        record = read_record(self.record)  # a damaged record is an error, not a finished run
        self.place.tidy_up()
        if record.strategy.sha256 != digest_read(self.plan.entry):
            changed = f"{self.name}: finished before {self.plan.entry.path.name} was changed; --no-resume runs it again"
            self.watch(Message(changed))
        plan = self.plan
        if plan.root is not None:
            told = difference(record.scenario.data, plan.dataset, root=plan.root, options=plan.options)
            sample = "" if told else sampled_of(plan.dataset, root=plan.root, options=plan.options)
            if told:
                self.watch(Message(f"{self.name}: finished, but {told}; --no-resume runs it again"))
            elif sample:
                self.watch(Message(f"{self.name}: finished. {sample}"))
        weights = self.plan.weights.sha256
        if weights and record.environment.get("weights_sha256", weights) != weights:
            self.watch(Message(f"{self.name}: finished with other weights of the hub; --no-resume runs it again"))

    def _take(self, held: contextlib.ExitStack) -> None:
        """Keep other processes from this run until `held` is left. Raises TakenError where one has it already."""
        try:
            held.enter_context(self.place.held())
        except Timeout:
            raise TakenError(
                f"{self.name}: another process is carrying out this very run ({self.work}).",
                hint="Wait for it; its record will be used. clbench status shows what is running.",
            ) from None
        except OSError as error:
            raise ResultsError(
                f"{self.work}.lock: cannot be taken ({error.strerror}).",
                hint="Remove what lies there, or name another folder with --results.",
            ) from error

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
            with self.parts.witness() as self.witness, self.stop:
                self._from_start_to_end()
        except KeyboardInterrupt:
            raise Interrupted(self.state_file if self.state_file.exists() else None) from None
        except RuntimeError as error:
            told = lost(error, run=self.name, state_file=self.state_file)
            if told is None:
                raise
            raise told from error
        finally:
            torch.set_rng_state(before[0])
            torch.set_num_threads(before[1])
        self.watch(RunFinished(self.name, self.record, self.progress.total_seconds))
        return self.record

    def _from_start_to_end(self) -> None:
        # several processes stop after the same step, which one that stops by itself would not reach
        self._set_up(on_step=self._on_step, waiting=self.stop.waiting if world() == 1 else contextlib.nullcontext)
        if self.parts.keeps_record and self.parts.keeps_sources and self.plan.trial is None:
            distributed.by_first(self._keep_sources)
        for entry in (done.scores for done in self.progress.done if done.scores):  # as they were found whole
            self.witness.note(entry["file"], entry["sha256"])
        for session in self.stream.sessions[self.progress.session :]:
            with self.parts.around(self, "session", session):
                self._one_session(session)
        if self.parts.keeps_record:
            distributed.by_first(self._write_record)

    def _write_record(self) -> None:
        record = make_record(
            self.plan,
            self.strategy,
            self.stream,
            self.progress,
            known=self.known,
            device=self.device,
            threads=self.options.threads,
            pretrained=self.pretrained,
            photos=self.photos,
        )
        # the last verbs have been asked by now
        check_witnessed(self.witness, {entry.file: entry.sha256 for entry in record.scores}, folder=self.work)
        self._write_config(dataset=record.scenario.dataset)
        write_record(record, self.record)
        self.state_file.unlink(missing_ok=True)

    def _keep_sources(self) -> None:
        """Copy the strategy's file and the scenario's beside the scores: whoever gets the record can run it again.

        What is no longer what runs is left out, and so is what another machine has.
        """
        entry, scenario = self.plan.entry, self.plan.scenario_path
        try:
            found = {entry.path: read_given(entry.path, largest=LARGEST_TEXT)}
            if hashlib.sha256(found[entry.path]).hexdigest() != digest_read(entry):
                found.clear()
            if load_in_order(scenario, self.plan.order).digest() == self.plan.scenario.digest():
                found |= {path: read_given(path, largest=LARGEST_TEXT) for path in scenario_files(scenario)}
        except (OSError, UsageError) as error:
            log.warning("%s: what runs is not copied beside its scores: %s", self.name, error)
            return
        for path, content in found.items():
            copy = self.work / path.name
            with whole_file(copy, what="the copy of what runs") as file:
                file.write(content)
            self.copies.append(copy)

    def _write_config(self, *, dataset: str) -> None:
        text = configuration_text(
            scenario=self.plan.scenario.name,
            order=self.plan.order,
            dataset=dataset,
            strategy=self.plan.entry.name,
            fields=self.known["strategy"].fields,
            train=self.train,
        )
        with whole_file(self.folder / "config.yaml", what="the configuration", scratch=self.work) as file:
            file.write(text.encode())

    # ------------------------------------------------------------------ sessions

    def _one_session(self, session: Session) -> None:
        clock = time.monotonic()
        progress, strategy, seed = self.progress, self.strategy, self.plan.seed
        live = strategy._live = self._live(session)
        self._count()
        may = Replayable(session.rows, self.counted, size=len(self.stream.table))
        resumed = self.saved if progress.inside else None
        self.saved = None
        if resumed is None:
            # structure only here too, so that what would fail on resume fails at once
            self._begin(session, structure_only=True)
            distributed.check_equal(strategy, what=f"session {session.index}, after growth")
            seed_torch(seed, "prepare", session.index)
            strategy._seed = (seed, session.index, "prepare")
            with _looking(strategy):
                strategy.prepare(live)
            if LEAK in strategy.marks():
                # the one way to a hidden label; the mark is set here, whatever `marks()` says when the record is made
                progress.leaked = True
                stored = np.intersect1d(count_stored(strategy, image_size=1).rows, self.counted)
                with _looking(strategy):
                    strategy.reveal(stored, self.stream.truth(stored)[:, : session.seen])
            with _looking(strategy):
                rehearsed = exemplars(strategy, "rehearse", strategy.rehearse(live), seen=session.seen)
            self.exemplars = None if rehearsed is None else may.taken(rehearsed, strategy=strategy)
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
        self._check_lone_images(session, view)
        self.session_clock = clock
        self.base_seconds = progress.train_seconds
        self.base_total = progress.total_seconds
        self.view = view
        images = min(len(view), self.train.batch_size)
        self.summed = {"mean": 1, "sum": session.seen, "total": session.seen * images}[self.train.reduction]
        self.watch(SessionStarted(self.name, session.index, labels=session.learned, images=len(view), steps=steps))
        try:
            with self.stop.patient():
                mean_loss = self.loop.train_session(
                    view,
                    may=may,
                    start=(progress.epoch, progress.step),
                    restore=partial(self._restore_inside, resumed) if resumed is not None else None,
                )
        except StoppedWaiting:
            self._rescue()
            raise
        except (RunError, DataError) as error:
            self._rescue()
            raise explained(error, run=self.name, ids=self.stream.table.ids, work=self.work) from error
        except RuntimeError as error:
            if is_loader_death(error):
                self._rescue()
                if self.stop.asked:  # the signal that asked for it ended the loaders too
                    raise KeyboardInterrupt from error
            raise
        if not self.loop.train_epochs:
            progress.images_seen = len(view)  # what a closed form looks at, once
        if distributed.anybody(self.stop.asked):
            raise Interrupted(self.state_file)
        seed_torch(seed, "end", session.index)
        strategy._seed = (seed, session.index, "end")
        with _looking(strategy):
            strategy.end_session(live)
        if self.parts.keeps_record:
            check_fields(self.plan, strategy, self.known, session=session.index)
        progress.train_seconds = self.base_seconds + time.monotonic() - clock
        with self.parts.around(self, "scoring", session):
            progress.done.append(session_result(self, session, mean_loss=mean_loss))
        progress.total_seconds = self.base_total + time.monotonic() - clock
        progress.session, progress.epoch, progress.step = session.index + 1, 0, 0
        progress.train_seconds, progress.images_seen = 0.0, 0
        self._save_state(inside=False)

    def _check_lone_images(self, session: Session, view: SessionView) -> None:
        """Say before anything is trained that a batch of one image would stop a session on the way."""
        size = self.train.batch_size
        sessions = self.stream.sessions[session.index :]
        found = session.index if len(view) == 1 else lone_session(sessions, self.strategy, batch_size=size)
        if found is not None and world() == 1:
            check_lone_image(self.strategy, self.source.read(session.rows[:1]).to(self.device), session=found)

    def _restore_inside(self, saved: dict[str, Any]) -> None:
        with self.savepoint.understood():
            restore_inside(self.strategy, self.loop, saved)

    def _on_step(self, epoch: int, step: int) -> None:
        loop, progress = self.loop, self.progress
        whole = step == loop.steps
        progress.epoch, progress.step = (epoch + 1, 0) if whole else (epoch, step)
        progress.images_seen += loop.parts.images
        self.watch(
            StepEnded(
                self.name,
                session=self.view.session,
                epoch=epoch,
                step=loop.step_index,
                steps=loop.steps * loop.train_epochs,
                images=loop.parts.images,
                read_loss=loop.losses.mean,
                summed=self.summed,
            )
        )
        # what follows the last step, the evaluation, may take long and may be interrupted
        last = loop.step_index == loop.steps * loop.train_epochs
        due = self.savepoint.age > 60 * min(self.options.save_minutes, 1.0 if last else math.inf)
        counted = self.options.save_steps and loop.step_index % self.options.save_steps == 0
        stop = distributed.agreed_to_stop(self.stop.asked, step=loop.step_index)
        if due or counted or stop:
            self._save_inside()
        if stop:
            distributed.from_first(None)  # whoever leaves first has the others ended, perhaps while they save
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
