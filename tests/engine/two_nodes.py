"""Carries out a sweep on two Ray nodes of this machine and kills one of them in the middle of a run.

    python two_nodes.py SWEEP.yaml RESULTS

Started as a process of its own by test_cluster.py. Prints as JSON what was killed and what became of the runs.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import ray
from ray import cluster_utils

from clbench.many.ray.driver import Cluster, Share
from clbench.many.sweep_file import expand, load_sweep
from clbench.train.events import Event, RunFinished, StepEnded
from clbench.train.run import RunOptions


class Counts:
    """Counts what arrives from the nodes."""

    steps = 0
    finished = 0

    def __call__(self, event: Event) -> None:
        self.steps += isinstance(event, StepEnded)
        self.finished += isinstance(event, RunFinished)


def in_the_middle(raylet: psutil.Process) -> str:
    """Return the run that a process of this node is carrying out with a saved state, or ""."""
    for process in raylet.children(recursive=True):
        try:
            locks = [Path(file.path) for file in process.open_files() if file.path.endswith(".lock")]
        except psutil.Error:
            continue
        for lock in locks:
            if lock.name.startswith("seed") and (lock.with_suffix("") / "state.pt").exists():
                return str(lock.with_suffix(".json"))
    return ""


def kill_in_the_middle(node: object, told: dict[str, object]) -> None:
    (info,) = node.all_processes["raylet"]  # type: ignore[attr-defined]
    raylet = psutil.Process(info.process.pid)
    while not (record := in_the_middle(raylet)):
        time.sleep(0.02)
    victims = [raylet, *raylet.children(recursive=True)]
    for process in victims:
        os.kill(process.pid, signal.SIGKILL)
    told |= {"killed": record, "processes": len(victims), "record_there": Path(record).exists()}


def main(sweep: Path, results: Path) -> None:
    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
    cluster = cluster_utils.Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "_system_config": quick},
    )
    nodes = [cluster.head_node, cluster.add_node(num_cpus=1)]
    ray.init(address=cluster.address, log_to_driver=False)
    here = ray.get_runtime_context().get_node_id()
    (other,) = [node for node in nodes if node.node_id != here]
    told: dict[str, object] = {"head_killed": other is cluster.head_node}
    killer = threading.Thread(target=kill_in_the_middle, args=(other, told), daemon=True)
    killer.start()
    watch = Counts()
    try:
        options = RunOptions(results=results, device="cpu", save_steps=3)
        with Cluster(options, address=cluster.address, share=Share(cpus=1)) as entered:
            outcomes = entered.carry_out(expand(load_sweep(sweep), path=sweep), watch)
    finally:
        ray.shutdown()
        cluster.shutdown()
    told |= {
        "errors": [str(outcome.error) for outcome in outcomes if outcome.error],
        "records": [str(outcome.record) for outcome in outcomes],
        "steps": watch.steps,
        "finished": watch.finished,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
