"""A build of clbench, tried from outside: its command line, and its Python where no command leads to what is tried."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

Seen = tuple[bool, str]
"""Whether the fault is there, and what was seen, in a few words."""
LIMIT = 900
"""Seconds that a command may take, on a busy machine."""
PYTHON = (sys.executable, "-W", "ignore")
WAITED = 124
"""The exit code of a command that did not end."""
OWN, MINE = "scenarios/own.yaml", "strategies/mine.py"
"""Where a folder of one's own has them, which every command finds by name."""
WAS = {
    "clbench.records.record": "clbench.ledger.record",
    "clbench.data.fetch.unpack": "clbench.data.archive",
    "clbench.data.fetch.download": "clbench.data.download",
    "clbench.data.datasets.dataset": "clbench.data.sources",
}
"""Modules that had other names."""
TINY: dict[str, Any] = {
    "name": "own", "version": 1, "title": "Four labels.", "dataset": "scenes",
    "options": {"train": "100", "test": "100"}, "labels": {"sessions": [["person", "chair"], ["car", "cup"]]},
    "strategies": ["naive"], "seeds": [0],
    "train": {"backbone": "clbench_small", "image_size": 32, "epochs": 1, "batch_size": 16, "optimizer": "adamw",
              "lr": 0.003, "loss": "bce", "reduction": "mean", "augment": "flip"},
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault of an old build: the promise it broke, in the words of docs/trust.md, and what brings it out."""

    promise: str
    tried: str
    seen: Callable[[Build], Seen]


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, and what it printed."""

    code: int
    text: str

    @property
    def crashed(self) -> bool:
        return self.code == 1 or "Traceback" in self.text

    def well(self) -> Ended:
        """Return itself; RuntimeError with what was printed where it did not end well."""
        if self.code:
            raise RuntimeError(self.text)
        return self

    @property
    def word(self) -> str:
        return {0: "done", WAITED: "waits for ever", 1: "crashes"}.get(self.code, f"exit code {self.code}")


class Door:
    """A process that has imported a tree's clbench and carries out commands in children of its own."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self._process = subprocess.Popen(
            [*PYTHON, str(Path(__file__).with_name("door.py"))], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment(),
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        """Return the variables of a command, without what this user has set for clbench."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLBENCH_", "COLUMNS"))}
        return kept | {"PYTHONPATH": str(self.tree), "OMP_NUM_THREADS": "1"}

    def ask(self, **what: Any) -> int:
        """Return the exit code of what is asked for."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate()


@dataclasses.dataclass(frozen=True)
class Build:
    """A build of clbench, and an empty folder that it works in."""

    door: Door
    folder: Path

    def clbench(self, *words: str, limit: float = LIMIT, nobody: bool = False, **environment: str) -> Ended:
        """Carry out a command; environment variables are changed by name. `nobody` leaves an administrator's rights."""
        user = 65534 if nobody and os.getuid() == 0 else None
        return self._asked(limit=limit, user=user, changed=environment, words=words)

    def python(self, code: str) -> Ended:
        """Carry out Python code in a process of its own; what it imports is looked for under its earlier name too."""
        for name, earlier in WAS.items():
            if not (self.door.tree / f"{name.replace('.', '/')}.py").exists():
                code = code.replace(f"from {name} import", f"from {earlier} import")
        return self._asked(code=code)

    def _asked(self, *, limit: float = LIMIT, user: int | None = None, **what: Any) -> Ended:
        out = self.folder / "said.txt"
        out.touch()
        out.chmod(0o666)
        variables = self._environment(what.pop("changed", {}))
        places = {"out": str(out), "folder": str(self.folder)}
        code = self.door.ask(**places, environment=variables, user=user, limit=limit, **what)
        return Ended(code, out.read_text(errors="replace"))

    def _environment(self, changed: Mapping[str, str]) -> dict[str, str]:
        return self.door.environment() | {"CLBENCH_CACHE": str(self.folder / "cache")} | dict(changed)

    def anew(self, *words: str, limit: float = LIMIT, **changed: str) -> Ended:
        """Carry out a process that has imported nothing."""
        try:
            done = subprocess.run(
                words, cwd=self.folder, env=self._environment(changed), timeout=limit, check=False,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Ended(WAITED, "")
        return Ended(done.returncode, done.stdout.decode(errors="replace"))

    def put(self, name: str, content: str | bytes) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def scenario(self, *, train: dict[str, Any] | None = None, **changed: Any) -> str:
        """Write a small scenario, some of it changed, and return its file's name."""
        about = TINY | changed | {"train": TINY["train"] | (train or {})}
        name = f"scenarios/{about['name']}.yaml"
        self.put(name, yaml.safe_dump(about, sort_keys=False))
        return name

    def run(self, *words: str, strategy: str = "", limit: float = LIMIT, **about: Any) -> Ended:
        """Run the small scenario with a strategy of one's own, whose text may be given."""
        chosen = []
        if strategy:
            self.put(MINE, f'"""Mine."""\n{strategy}')
            chosen = ["--strategy", MINE]
        how = ("--device", "cpu", "--jobs", "1", *words)
        return self.clbench("run", self.scenario(**about), *chosen, *how, limit=limit)

    def record_files(self) -> list[Path]:
        return sorted(self.folder.glob("results/*/*/*/seed*.json"))

    def record(self) -> dict[str, Any]:
        """Return the one record that there is."""
        (file,) = self.record_files()
        plain: dict[str, Any] = json.loads(file.read_text())
        return plain
