"""Carries out runs in forked processes and kills them: at a random instant, or at the n-th call of a function.

Forking after the imports makes a killed process cost a fraction of a second instead of ten. What is asked for are the
plan's arguments, the options (`always` has those of attempts that nobody kills), how many scores are `held`, and either
a list of `kills`, each {"call": name, "number": n, "file": ending}, or how many `times` to kill at random instants. An
attempt continues what the one before left; after one that ends well the next starts anew.
"""

from __future__ import annotations

import io
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import clbench.train.loop
from clbench.many.here import run_all
from clbench.metrics import of_parts
from clbench.plan.plans import plan as plans_of
from clbench.train.run import RunOptions
from clbench.train.scoring.score_file import ScoreFile

write = ScoreFile.add


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def half_a_block(file: ScoreFile, scores: Any) -> None:
    """Write the first half of some scores, and die."""
    write(file, scores[: len(scores) // 2])
    file._file.flush()
    die()


def half_written(save: Callable[..., Any]) -> Callable[..., Any]:
    """Write half of what `save` would write of a value into a file, and die."""

    def call(value: Any, file: Any, *rest: Any, **named: Any) -> None:
        whole = io.BytesIO()
        save(value, whole, *rest, **named)
        file.write(whole.getvalue()[: len(whole.getvalue()) // 2])
        file.flush()
        die()

    return call


def install(name: str, number: int, ending: str) -> None:
    """Die at the `number`-th call of what `name` stands for, counting those whose last argument ends with `ending`."""
    calls = [0]

    def counted(original: Callable[..., Any], fatal: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            calls[0] += not ending or str(arguments[-1]).endswith(ending)
            return (fatal if calls[0] >= number else original)(*arguments, **named)

        return call

    def dies_before(*_: Any, **__: Any) -> None:
        die()

    replace = Path.replace

    def dies_after(path: Path, target: Path) -> None:
        replace(path, target)
        die()

    if name == "torch.save":
        torch.save = counted(torch.save, half_written(torch.save))
    elif name == "scores":
        ScoreFile.add = counted(ScoreFile.add, half_a_block)  # type: ignore[method-assign]
    elif name == "fsync":
        os.fsync = counted(os.fsync, dies_before)
    elif name == "before replace":
        Path.replace = counted(replace, dies_before)  # type: ignore[method-assign]
    elif name == "after replace":
        Path.replace = counted(replace, dies_after)  # type: ignore[method-assign]
    elif name == "unlink":
        Path.unlink = counted(Path.unlink, dies_before)  # type: ignore[method-assign]
    else:
        raise ValueError(name)


def attempt(asked: dict[str, Any], results: Path, kill: dict[str, Any] | None) -> int:
    """Run in a forked process, killed as `kill` says, and return its wait status."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        try:
            of_parts.HELD = asked.get("held", of_parts.HELD)
            if kill and "call" in kill:
                install(kill["call"], kill["number"], kill.get("file", ""))
            how = asked["options"] if kill else asked.get("always", {})
            options = RunOptions(results=results, device="cpu", **how)
            outcomes = run_all(plans_of(**asked["plan"]), options, jobs=1)
            failed = [str(outcome.error) for outcome in outcomes if outcome.error]
            print("\n".join(failed), file=sys.stderr)
            os._exit(3 if failed else 0)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(4)
    if kill and "seconds" in kill:
        timer = threading.Timer(kill["seconds"], lambda: os.killpg(child, signal.SIGKILL))
        timer.start()
        _, status = os.waitpid(child, 0)
        timer.cancel()
    else:
        _, status = os.waitpid(child, 0)
    return status


def carry_out(asked: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked in this process and its children, and tell what became of the runs."""
    folder = Path(asked["folder"])
    torch.set_num_threads(1)
    assert clbench.train.loop.SharedLoop  # what a run imports late is paid once, here
    ended(attempt(asked, folder / "whole", None))
    begin = time.monotonic()
    ended(attempt(asked, folder / "again", None))  # with its pictures cached
    seconds = time.monotonic() - begin
    rng = random.Random(asked.get("seed", 0))
    kills = asked.get("kills") or [{"seconds": rng.uniform(0.1, 0.9) * seconds} for _ in range(asked["times"])]
    killed, finished = 0, ["again"]
    current = "killed-0"
    for kill in kills:
        status = attempt(asked, folder / current, kill)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            killed += 1
        else:
            ended(status)
            finished.append(current)
            current = f"killed-{len(finished)}"
    ended(attempt(asked, folder / current, None))
    return {"killed": killed, "finished": [*finished, current], "seconds": seconds}


def ended(status: int) -> None:
    if status != 0:
        raise SystemExit(f"an attempt that nobody killed ended with status {status}")


def alone(asked: dict[str, Any], cwd: Path, environment: dict[str, str]) -> None:
    """Do what is asked in a process made for it; what it tells lies in driven.json, what it says in driven.txt."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    said = os.open("driven.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for number in (1, 2):
        os.dup2(said, number)
    Path("driven.json").write_text(json.dumps(carry_out(asked)))
