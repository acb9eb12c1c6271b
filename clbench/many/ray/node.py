"""A node's side of runs on a cluster: one run is carried out here, and its files go where they are wanted."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clbench.errors import ClbenchError, CutOffError, DataError, TakenError, UsageError
from clbench.files.whole_file import in_place_of
from clbench.many.one import RunOutcome, one
from clbench.many.ray.mailbox import Line, Mailbox, connected
from clbench.plan import catalog
from clbench.records.record import read_record
from clbench.train.events import relay

if TYPE_CHECKING:
    from clbench.plan.plan import Plan
    from clbench.train.options import RunOptions

TAKEN_SECONDS = 60.0
"""How long a task waits for a run's lock: the process of a node that was just lost may take a moment to notice."""


@dataclass(frozen=True)
class Answer:
    """What a task returns: the record's path, or an error; the files themselves where the driver cannot see them."""

    record: str = ""
    error: ClbenchError | None = None
    files: dict[str, bytes] = field(default_factory=dict)


def carry_out(plan: Plan, options: RunOptions, probe: str, line: Line | Mailbox, number: int = 0) -> Answer:
    """Carry out one run on this node, below its results where it sees `probe`, else in a folder of its own.

    `number` is the run's place in the driver's list. Stops as on Ctrl-C when the driver asks for it through `line`.
    """
    logging.basicConfig(format="%(message)s")
    shared = Path(probe).exists()
    if not shared:
        name = hashlib.sha256(str(options.results).encode()).hexdigest()[:16]
        options = dataclasses.replace(options, results=Path(tempfile.gettempdir()) / "clbench-results" / name)
    try:
        plan = at_home(plan)
    except ClbenchError as error:
        return Answer(error=error)
    try:
        with connected(line, number):
            outcome = _when_free(lambda: one(plan, options, relay(line.put)))
    except KeyboardInterrupt as interrupt:
        return Answer(error=CutOffError(f"{plan.title}: {str(interrupt) or 'Stopped.'}"))
    if outcome.record is None:
        return Answer(error=outcome.error)
    if shared:
        return Answer(record=str(outcome.record))
    files = packed(outcome.record)
    # the driver keeps them; what stayed here could be taken for a finished run by another sweep
    outcome.record.unlink()
    shutil.rmtree(outcome.record.with_name(f"seed{plan.seed}"), ignore_errors=True)
    return Answer(record=str(outcome.record), files=files)


def _when_free(work: Callable[[], RunOutcome]) -> RunOutcome:
    deadline = time.monotonic() + TAKEN_SECONDS
    while True:
        outcome = work()
        if not isinstance(outcome.error, TakenError) or time.monotonic() > deadline:
            return outcome
        time.sleep(1.0)


def at_home(plan: Plan) -> Plan:
    """Return the plan with the paths that hold on this node.

    Raises UsageError when the strategy's file is missing or another, DataError when the data set's folder is missing.
    """
    host = socket.gethostname()
    if plan.root is not None and not plan.root.is_dir():
        raise DataError(
            f"{plan.title}: {plan.root} is not on the node {host}.",
            hint="The data has the same path on every node; a shared file system is the simplest way.",
        )
    if plan.entry.path.is_file():
        return plan
    if plan.entry.origin == "local":
        raise UsageError(
            f"{plan.title}: {plan.entry.path} is not on the node {host}.",
            hint="Keep own strategies in a folder that every node sees.",
        )
    # an installed clbench may lie elsewhere on this node
    return dataclasses.replace(plan, entry=catalog.find_strategy(plan.entry.name))


# ---------------------------------------------------------------------- files on their way


def packed(record: Path) -> dict[str, bytes]:
    """Return the files of a finished run by their place in the configuration's folder; a trial's scores stay behind."""
    work = record.with_suffix("")
    beside = sorted(path for form in ("scores-*.npy", "*.py", "*.yaml", "*.pins.json") for path in work.glob(form))
    paths = [record, record.parent / "config.yaml", *beside]
    return {path.relative_to(record.parent).as_posix(): path.read_bytes() for path in paths if path.exists()}


def receive(files: dict[str, bytes], plan: Plan, options: RunOptions) -> Path:
    """Write a run's files as they came from another node, the record last, and return the record's path."""
    record = plan.place(options.results).record
    for name in sorted(files, key=lambda name: name == record.name):
        target = record.parent / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with in_place_of(target, flush=False) as file:
            file.write(files[name])
    read_record(record)
    return record
