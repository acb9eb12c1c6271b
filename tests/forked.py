"""The command line in a process of its own that has imported everything before it was forked.

An interpreter that starts anew imports torch and Avalanche for seconds before it does what a test is about. One fork
server for each process of pytest imports them once; a process forked from it costs a fraction. It has a session,
a working folder, an environment and files for its output of its own, as one that was started anew would.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
"""Makes processes that have imported what a run needs; one process of it serves all tests that follow."""
FORKS.set_forkserver_preload(["forked_imports"])


class Forked:
    """A command line that runs, with the methods of subprocess.Popen that tests use."""

    def __init__(
        self, words: Sequence[object], *, cwd: Path, env: Mapping[str, str] | None = None, tree: Path | None = None
    ) -> None:
        """Start `clbench WORDS` in `cwd`; of the package in the folder `tree`, or of the one that is tested."""
        self.args = ["clbench", *map(str, words)]
        self._folder = Path(tempfile.mkdtemp(prefix="forked-"))
        self._said: list[str] = []
        variables = dict(os.environ if env is None else env)
        self._process = FORKS.Process(target=_command, args=(self.args, cwd, variables, self._folder, tree))
        self._process.start()

    @property
    def pid(self) -> int:
        """The process, which leads a group and a session of its own."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, that of a signal below zero; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the same."""
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to this process, if it still runs."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once there is one. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Return what it wrote to stdout and stderr, once it has ended."""
        self.wait(timeout)
        if not self._said:
            self._said = [(self._folder / name).read_text(errors="replace") for name in ("stdout", "stderr")]
            shutil.rmtree(self._folder, ignore_errors=True)
        out, err = self._said
        return out, err


def clbench(
    *words: object,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    tree: Path | None = None,
    timeout: float = 240,
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a forked process and return what it said; one that takes too long is ended."""
    process = Forked(words, cwd=cwd, env=env, tree=tree)
    try:
        out, err = process.communicate(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode is not None
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def _command(words: list[str], cwd: Path, variables: dict[str, str], folder: Path, tree: Path | None) -> None:
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT), number)
        setattr(sys, name, os.fdopen(number, "w", buffering=1, closefd=False))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    warnings.simplefilter("ignore" if variables.get("PYTHONWARNINGS") == "ignore" else "default")
    sys.argv = [str(Path(tree or Path(__file__).parents[1]) / "clbench" / "__main__.py"), *words[1:]]
    if tree is not None:
        for module in [name for name in sys.modules if name.partition(".")[0] == "clbench"]:
            del sys.modules[module]
        sys.path.insert(0, str(tree))
    from clbench.cli import main

    main()
