"""What answers a build: a process that has imported what commands need and forks for each; run by build.py.

An interpreter that starts anew imports for seconds before it does what is meant. Each line of stdin asks for a command
or for code, in a folder, with an environment; the exit code goes to stdout, what is printed into a file.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import signal
import sys
import time
import traceback
from typing import Any

AHEAD = "numpy torch torchvision timm scipy.optimize pandas matplotlib.pyplot avalanche.training.templates clbench.cli"


def carried_out(asked: dict[str, Any]) -> None:
    """Do what is asked for, in a child."""
    out = os.open(asked["out"], os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in ((0, nothing), (1, out), (2, out)):
        os.dup2(file, number)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    if asked["user"] is not None:
        os.setuid(asked["user"])
    if "code" in asked:
        exec(compile(asked["code"], "<code>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = ["clbench", *asked["words"]]
        runpy.run_module("clbench", run_name="__main__", alter_sys=True)


def child(asked: dict[str, Any]) -> int:
    """Carry it out in a child that leads a group of its own; return its exit code, 124 where it takes too long."""
    pid = os.fork()
    if not pid:
        os.setsid()
        code = 1
        try:
            carried_out(asked)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    until = time.monotonic() + asked["limit"]
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return 124


def main() -> None:
    del sys.path[0]  # modules beside this file are no modules of a build
    for name in AHEAD.split():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        print(child(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
