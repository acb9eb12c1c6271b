"""One run on several processes of a Ray cluster: Ray places them, torch.distributed carries their messages."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from clbench.errors import CutOffError, DataError, UsageError
from clbench.many.ray.driver import STOP_SECONDS, connect, environment, import_ray
from clbench.many.ray.mailbox import ANSWER_SECONDS, LISTEN_SECONDS, Line, Mailbox
from clbench.many.several_devices import told
from clbench.train.stopping import termination_interrupts

START_SECONDS = 120.0
"""How long the cluster may take to find room for all processes."""
LEFT_SECONDS = 60.0
"""How long the others have to notice that a process of their run is gone."""
COMMAND = (sys.executable, "-m", "clbench")
Said = tuple[str, str]
"""("out" or "err", a line)"""


def launch(
    count: int,
    words: Sequence[str],
    *,
    address: str,
    device: str,
    cpus: float,
    say: Callable[[Said], None],
) -> None:
    """Carry out `clbench WORDS` in `count` processes of the cluster at `address` that share every run.

    Each takes `cpus` of a node, and a GPU where every node has one. Folders have the same path on all nodes. What they
    print goes to `say`. Raises UsageError where the cluster is missing or has no room, DataError where a node does not
    see this folder, RunError or SystemExit for a process that failed, KeyboardInterrupt after a stop.
    """
    ray = import_ray()
    started = not ray.is_initialized()
    if started:
        connect(ray, address)
    try:
        with termination_interrupts():
            _carry_out(ray, count, words, device=device, cpus=cpus, say=say)
    finally:
        if started:
            ray.shutdown()


def _carry_out(
    ray: Any,
    count: int,
    words: Sequence[str],
    *,
    device: str,
    cpus: float,
    say: Callable[[Said], None],
) -> None:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = float(device != "cpu" and all(node.get("GPU", 0) for node in nodes))
    share = {"CPU": cpus, **({"GPU": gpus} if gpus else {})}
    group = ray.util.placement_group([share] * count, strategy="SPREAD")
    try:
        if not group.wait(START_SECONDS):
            have = ", ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes)
            raise UsageError(
                f"--devices {count}: the cluster has no room for {count} processes of {cpus:g} CPUs and {gpus:g} GPUs "
                f"(its nodes have {have}).",
                hint="Ask for fewer, or for less with --threads or --workers; or wait until runs have ended.",
            )
        _shared(ray, group, count, words, share=share, say=say)
    finally:
        ray.util.remove_placement_group(group)


def _shared(
    ray: Any, group: Any, count: int, words: Sequence[str], *, share: Mapping[str, float], say: Callable[[Said], None]
) -> None:
    strategies = ray.util.scheduling_strategies
    near = strategies.NodeAffinitySchedulingStrategy(node_id=ray.get_runtime_context().get_node_id(), soft=False)
    mailbox = ray.remote(num_cpus=0, scheduling_strategy=near)(Mailbox).remote()
    line, folder = Line(mailbox), str(Path.cwd())

    def on(number: int, work: Callable[..., Any], *arguments: Any) -> Any:
        place = strategies.PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=number)
        task = ray.remote(
            num_cpus=share["CPU"], num_gpus=share.get("GPU", 0), max_retries=0, scheduling_strategy=place
        )(work)
        return task.remote(*arguments)

    host, port = ray.get(on(0, meeting_place))
    shared = {"MASTER_ADDR": host, "MASTER_PORT": str(port), "WORLD_SIZE": str(count), **environment()}
    waiting = {
        on(number, member, list(words), folder, shared | {"RANK": str(number)}, line): number for number in range(count)
    }
    codes: dict[int, int] = {}
    deadline = 0.0
    try:
        while waiting and (not deadline or time.monotonic() < deadline):
            done, _ = ray.wait(list(waiting), num_returns=1, timeout=0.5)
            _pass_on(ray, mailbox, say)
            for reference in done:
                number = waiting.pop(reference)
                codes[number] = _code(ray, reference, number)
                if codes[number] and not deadline:
                    deadline = time.monotonic() + LEFT_SECONDS
        if waiting:
            ray.get(mailbox.stop.remote(), timeout=ANSWER_SECONDS)
            ray.wait(list(waiting), num_returns=len(waiting), timeout=STOP_SECONDS)
    except KeyboardInterrupt:
        ray.get(mailbox.stop.remote(), timeout=ANSWER_SECONDS)
        ray.wait(list(waiting), num_returns=len(waiting), timeout=STOP_SECONDS)
        _pass_on(ray, mailbox, say)
        raise
    _pass_on(ray, mailbox, say)
    failed = {number: code for number, code in codes.items() if code}
    if failed:
        raise told(failed, count=count)


def _code(ray: Any, reference: Any, number: int) -> int:
    try:
        ended: int | DataError = ray.get(reference)
    except ray.exceptions.RayError as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CutOffError(
            f"Process {number + 1}: the cluster lost it ({type(error).__name__}: {reason}).",
            hint="The same command goes on from the last saved state.",
        ) from error
    if isinstance(ended, DataError):
        raise ended
    return ended


def _pass_on(ray: Any, mailbox: Any, say: Callable[[Said], None]) -> None:
    with contextlib.suppress(ray.exceptions.RayError, TimeoutError):
        for said in ray.get(mailbox.take.remote(), timeout=ANSWER_SECONDS):
            say(said)


# ---------------------------------------------------------------------- on a node


def meeting_place() -> tuple[str, int]:
    """Return the address of this node, and a port that is free, where the processes find each other."""
    ray = import_ray()
    with socket.socket() as free:
        free.bind(("", 0))
        return str(ray.util.get_node_ip_address()), int(free.getsockname()[1])


def member(words: Sequence[str], folder: str, variables: Mapping[str, str], line: Line | Mailbox) -> int | DataError:
    """Carry out `clbench WORDS` in the folder `folder` as one of several processes, and return its exit code.

    What it prints goes line by line to `line`, through which the driver asks it to stop too. Where this node does not
    see the folder, that is returned.
    """
    if not Path(folder).is_dir():
        return DataError(
            f"{folder} is not on the node {socket.gethostname()}.",
            hint="Start the command in a folder that every node sees, under the same path.",
        )
    # each sees the GPU that Ray gave it, and no other
    own = {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", **variables}
    process = subprocess.Popen(
        [*COMMAND, *words],
        cwd=folder,
        env=os.environ | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None and process.stderr is not None
    readers = [
        threading.Thread(target=_tell, args=(stream, kind, line), daemon=True)
        for stream, kind in ((process.stdout, "out"), (process.stderr, "err"))
    ]
    for reader in readers:
        reader.start()
    asked = False
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LISTEN_SECONDS)
        if not asked and process.poll() is None and line.stopping():
            asked = True
            process.terminate()
    for reader in readers:
        reader.join(10)
    line.flush()
    return process.returncode


def _tell(stream: IO[str], kind: str, line: Line | Mailbox) -> None:
    with stream:
        for text in stream:
            line.put((kind, text.rstrip("\n")))
