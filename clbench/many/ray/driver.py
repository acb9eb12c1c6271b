"""Many runs on a Ray cluster: one task per run, on whatever node has room.

Ray schedules, restarts and counts devices; what it schedules is `clbench.train.run.run`, so a record made here is
the record made anywhere. Results belong into a folder that all nodes see. A node that does not see it works in a
folder of its own and sends the finished files back; only what it had not finished is lost with it.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clbench.errors import ClbenchError, CutOffError, UsageError
from clbench.files import roots
from clbench.many.one import RunOutcome, check_recipes, one, tell_failure
from clbench.many.ray.mailbox import ANSWER_SECONDS, Line, Mailbox
from clbench.many.ray.node import Answer, carry_out, receive
from clbench.train.events import Message, Watch
from clbench.train.options import AUTO
from clbench.train.stopping import termination_interrupts

if TYPE_CHECKING:
    from clbench.plan.plan import Plan
    from clbench.train.options import RunOptions

PASSED_ON = ("CLBENCH_", "OMP_", "MKL_", "HF_HOME", "TORCH_HOME", "XDG_CACHE_HOME")
"""Environment variables, by how they begin, that the runs have wherever they are carried out."""
READERS = 3
"""Loader processes that a run on a GPU gets where nobody said how many; --cpus-per-run or --workers says more."""
STOP_SECONDS = 60.0
"""How long runs have to save their state when the driver is interrupted."""
STOPPED = "Stopped; every run that heard of it in time has saved its state. The same command goes on from there."


@dataclass(frozen=True)
class Share:
    """What one run takes of a node. `gpus` None means one where the cluster has any; fractions share a GPU."""

    cpus: float = 0.0
    """0 means as many as the run has threads and loader processes; fractions are for runs that take moments."""
    gpus: float | None = None
    retries: int = 3
    """How often a run is started anew when its worker or its node dies; it goes on from its saved state."""


class Cluster:
    """The Ray cluster at `address`, which carries out runs while this is entered.

    `address` is `auto` (the cluster this machine belongs to), `local` (a cluster of this machine alone, which ends with
    this) or HOST:PORT. It is connected to when the first run is handed out.
    """

    def __init__(self, options: RunOptions, *, address: str = "auto", share: Share | None = None) -> None:
        self.options = dataclasses.replace(options, results=options.results.resolve())
        self.address = address
        self.share = share or Share()
        self._ray: Any = None
        self._started = False

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        if self._started:
            self._ray.shutdown()

    def carry_out(self, plans: Sequence[Plan], watch: Watch) -> list[RunOutcome]:
        """Carry out `plans`, one task each, and return their outcomes in the same order.

        One run that fails does not stop the others. What is finished is sent to nobody, since a node need not see it.
        Raises UsageError when Ray or the cluster is missing, or a recipe goes with no stored features;
        KeyboardInterrupt on SIGINT and SIGTERM.
        """
        check_recipes(plans, self.options)
        done = {i: one(plan, self.options, watch) for i, plan in enumerate(plans) if _is_finished(plan, self.options)}
        left = [plan for i, plan in enumerate(plans) if i not in done]
        fresh = iter(self._hand_out(left, watch) if left else [])
        return [done[i] if i in done else next(fresh) for i in range(len(plans))]

    def _hand_out(self, plans: Sequence[Plan], watch: Watch) -> list[RunOutcome]:
        told = self._ray is not None
        ray = self._ray = import_ray()
        if not ray.is_initialized():
            connect(ray, self.address)
            self._started = True
        resources = _resources(ray, self.options, self.share)
        if not told:
            watch(Message(_summary(ray, resources)))
        options = dataclasses.replace(self.options, cores=max(int(resources["num_cpus"]), 1))
        if not resources["num_gpus"]:
            options = dataclasses.replace(options, device="cpu")
        driver = _Driver(ray, plans, options, resources=resources, retries=self.share.retries, watch=watch)
        with termination_interrupts():
            return driver.carry_out()


def _is_finished(plan: Plan, options: RunOptions) -> bool:
    try:
        return options.resume and plan.place(options.results).record.exists()
    except ClbenchError:
        return False  # the one who carries it out says what is wrong


def import_ray() -> Any:
    """Return the module ray. Raises UsageError with the command that installs it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "Runs on a cluster need Ray, which is not installed.",
            hint="pip install -e '.[ray]' in the checkout of every node; without --address the runs stay here.",
        ) from error
    return ray


def connect(ray: Any, address: str) -> None:
    """Join the cluster at `address`, or start one of this machine. Raises UsageError where none answers."""
    try:
        ray.init(
            address=address,
            runtime_env={"env_vars": environment()},
            log_to_driver=False,
            logging_level=logging.ERROR,
            # the dashboard is a server that nobody asked for
            **({"include_dashboard": False} if address == "local" else {}),
        )
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise UsageError(
            f"--address {address}: no Ray cluster answers there ({str(error).splitlines()[0]}).",
            hint="Start one with `ray start --head`, or use --address local; docs/cluster.md shows both.",
        ) from error


def environment() -> dict[str, str]:
    """Return the variables of this process that decide what a run finds."""
    found = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    if roots.is_root(Path.cwd()):
        # workers start in a folder of Ray's
        paths = [str(Path.cwd()), *filter(None, [found.get("CLBENCH_PATH", "")])]
        found["CLBENCH_PATH"] = os.pathsep.join(paths)
    return found


def _resources(ray: Any, options: RunOptions, share: Share) -> dict[str, float]:
    """Return what each task asks for. Raises UsageError when no node has that much: the tasks would wait for ever."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    has_gpus = any(node.get("GPU", 0) > 0 for node in nodes)
    gpus = share.gpus if share.gpus is not None else float(has_gpus and options.device != "cpu")
    if options.device not in {"auto", "cpu"}:
        if options.device != "cuda":
            raise UsageError(
                f"--device {options.device}: on a cluster Ray says which GPU a run gets, expected auto, cpu or cuda.",
                hint="Use --device cuda, with --gpus-per-run for a part of one.",
            )
        if not gpus:
            what = "--gpus-per-run is 0" if has_gpus else "no node of the cluster has a GPU"
            raise UsageError(f"--device cuda: {what}, so the runs would be on CPUs.", hint="Use --device auto or cpu.")
    readers = options.workers if options.workers != AUTO else READERS if gpus else 0
    cpus = share.cpus or float(options.threads + readers)
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        most = ", ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes) or "none"
        raise UsageError(
            f"A run asks for {cpus:g} CPUs and {gpus:g} GPUs, which no node of the cluster has (they have {most}).",
            hint="Ask for less with --cpus-per-run, --gpus-per-run, --threads or --workers.",
        )
    return {"num_cpus": cpus, "num_gpus": gpus}


def _summary(ray: Any, resources: dict[str, float]) -> str:
    nodes = [node for node in ray.nodes() if node["Alive"]]
    return (
        f"Ray {ray.__version__}: {len(nodes)} node{'s' * (len(nodes) != 1)}; each run takes "
        f"{resources['num_cpus']:g} CPUs and {resources['num_gpus']:g} GPUs"
    )


# ---------------------------------------------------------------------- the driver


class _Driver:
    """Hands out tasks, passes on what they report, and collects what they return."""

    def __init__(
        self,
        ray: Any,
        plans: Sequence[Plan],
        options: RunOptions,
        *,
        resources: dict[str, float],
        retries: int,
        watch: Watch,
    ) -> None:
        self.ray = ray
        self.plans = plans
        self.options = options
        self.watch = watch
        here = ray.get_runtime_context().get_node_id()
        near = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node_id=here, soft=False)
        # beside the driver, so that it is not lost with another node
        self.mailbox = ray.remote(num_cpus=0, scheduling_strategy=near)(Mailbox).remote()
        self.task = ray.remote(**resources, max_retries=retries, scheduling_strategy="SPREAD")(carry_out)

    def carry_out(self) -> list[RunOutcome]:
        """Return the outcomes, in the order of the plans."""
        ray = self.ray
        outcomes: dict[int, RunOutcome] = {}
        probe = self.options.results / f".seen-{uuid.uuid4().hex}"
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        line = Line(self.mailbox)
        waiting = {self.task.remote(p, self.options, str(probe), line, i): i for i, p in enumerate(self.plans)}
        try:
            while waiting:
                done, _ = ray.wait(list(waiting), num_returns=1, timeout=0.5)
                self._pass_on()
                for reference in done:
                    index = waiting.pop(reference)
                    outcomes[index] = self._outcome(reference, self.plans[index])
                    tell_failure(outcomes[index], self.watch)
        except KeyboardInterrupt:
            self._stop(waiting)
            raise KeyboardInterrupt(STOPPED) from None
        finally:
            probe.unlink(missing_ok=True)
        self._pass_on()
        return [outcomes[i] for i in range(len(self.plans))]

    def _outcome(self, reference: Any, plan: Plan) -> RunOutcome:
        try:
            answer: Answer = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            lost = CutOffError(
                f"{plan.title}: the cluster lost it too often ({type(error).__name__}: {reason}).",
                hint="Start the same command again: what is finished is kept, this run goes on from its saved state.",
            )
            return RunOutcome(plan, error=lost)
        if answer.error is not None:
            return RunOutcome(plan, error=answer.error)
        record = Path(answer.record)
        if answer.files:
            record = receive(answer.files, plan, self.options)
        return RunOutcome(plan, record=record)

    def _pass_on(self) -> None:
        try:
            events = self.ray.get(self.mailbox.take.remote(), timeout=ANSWER_SECONDS)
        except (self.ray.exceptions.RayError, TimeoutError):
            return  # progress is a comfort; the runs do not need it
        for event in events:
            self.watch(event)

    def _stop(self, waiting: dict[Any, int]) -> None:
        """Ask every run to save its state and stop, and give those that have begun time for it."""
        try:
            begun = self.ray.get(self.mailbox.stop.remote(), timeout=STOP_SECONDS)
        except self.ray.exceptions.RayError:
            return  # no run can hear of it; Ray ends them with this driver
        references = [reference for reference, number in waiting.items() if number in begun]
        deadline = time.monotonic() + STOP_SECONDS
        while references and time.monotonic() < deadline:
            _, references = self.ray.wait(references, num_returns=1, timeout=1.0)
