"""Apply each deliberate fault of faults.yaml to a copy of the tree and say which test notices.

    python benchmarks/faults/inject.py [PART OF A NAME] [--check]

Exits with 1 when a fault goes unnoticed, a test fails without one, or the text that a fault replaces does no longer
occur exactly once. `--check` looks at the texts alone. Libraries are imported once; every fault has a forked process.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


class Failures:
    """Notes the tests that fail, for pytest."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.names.append(report.nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.names.append(report.nodeid)


def place(tree: Path, old: str) -> Path:
    """Return the one file that has `old` in it, once."""
    found = [
        path
        for folder in ("clbench", "strategies")
        for path in (tree / folder).rglob("*.py")
        for _ in range(path.read_text().count(old))
    ]
    if len(found) != 1:
        raise LookupError(f"{old!r} occurs {len(found)} times, not once: the code has moved on; mend faults.yaml")
    return found[0]


def copied(folder: Path) -> Path:
    """Copy what git tracks, and what it does not ignore, into a new tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def tested(tree: Path, tests: list[str], answer: Any) -> None:
    """Run tests of a tree in this process and send which of them failed; none is `-x`-ed away."""
    os.chdir(tree)
    os.environ |= {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(tree))
    import pytest

    failures = Failures()
    said = os.open(tree / "said.txt", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(said, number)
    words = ["-x", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    words += ["-m", "not slow and not alone and not exhaustive"]
    code = pytest.main([*words, *(f"tests/{name}" for name in tests)], plugins=[failures])
    answer.send((int(code), failures.names, str(getattr(sys.modules.get("clbench"), "__file__", ""))))


def outcome(tree: Path, tests: list[str]) -> list[str]:
    """Return the tests that fail in a tree."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=tested, args=(tree, tests, theirs))
    child.start()
    theirs.close()
    try:
        code, names, imported = ours.recv()
    except EOFError:
        return [f"(the process that ran the tests died: {(tree / 'said.txt').read_text()[-1500:]})"]
    finally:
        child.join()
    if not imported.startswith(str(tree)):
        raise RuntimeError(f"the tests ran on {imported}, not on the copy")
    if code not in (0, 1):
        return names or [f"(pytest ended with {code}: {(tree / 'said.txt').read_text()[-500:]})"]
    return names


def main() -> int:
    """Apply the faults that are asked for and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", default="")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    faults = [fault for fault in yaml.safe_load((HERE / "faults.yaml").read_text()) if asked.part in fault["name"]]
    wrong = 0
    for fault in faults:
        try:
            place(ROOT, fault["old"])
        except LookupError as error:
            wrong += 1
            print(f"MOVED     {fault['name']}: {error}")
    if asked.check or wrong:
        print(f"{len(faults) - wrong} of {len(faults)} faults can be applied")
        return int(bool(wrong))
    for heavy in ("avalanche.training.templates", "hypothesis", "matplotlib.pyplot", "pandas", "sklearn", "timm"):
        with contextlib.suppress(ImportError):
            __import__(heavy)
    with tempfile.TemporaryDirectory() as folder:
        tree = copied(Path(folder).resolve())
        needed = sorted({name for fault in faults for name in fault["tests"]})
        for name in outcome(tree, needed):
            print(f"FAILS     without any fault: {name}")
            wrong += 1
        for fault in faults if not wrong else ():
            path = place(tree, fault["old"])
            whole, begin = path.read_text(), time.monotonic()
            path.write_text(whole.replace(fault["old"], fault["new"]))
            names = outcome(tree, fault["tests"])
            path.write_text(whole)
            wrong += not names
            print(f"{'noticed' if names else 'UNNOTICED':9s} {time.monotonic() - begin:5.1f} s  {fault['name']}: "
                  f"{path.relative_to(tree)}  {names[0] if names else ''}", flush=True)  # fmt: skip
    print(f"{len(faults)} faults, {wrong} unnoticed or broken")
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
