"""The job array of docs/slurm on a real Slurm, which the tests start themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from slurm_site import missing, slurm
from tiny_scenarios import scenario

from clbench.records.record import read_record

SCRIPT = Path(__file__).parents[2] / "docs" / "slurm" / "array.sh"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(missing()), reason=missing() or "never"),
]


@pytest.fixture(scope="module")
def site() -> Iterator[dict[str, str]]:
    with slurm(nodes=2, cpus=2) as found:
        yield found


class Place:
    """A folder from which jobs are handed in."""

    def __init__(self, folder: Path, site: dict[str, str]) -> None:
        self.folder = folder
        program = folder / "bin" / "clbench"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m clbench "$@"\n')
        program.chmod(0o755)
        self.environment = os.environ | site | {"PATH": f"{program.parent}:{site['PATH']}", "OMP_NUM_THREADS": "1"}

    def call(self, *words: str) -> str:
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}{self.outputs()}"
        return done.stdout

    def submit(self, *words: str, tasks: str) -> None:
        """Hand in the array and wait until it has ended well."""
        options = ["--wait", f"--array={tasks}", "--cpus-per-task=1"]
        self.call("sbatch", *options, str(SCRIPT), *words, "--device", "cpu")

    def outputs(self) -> str:
        return "\n".join(file.read_text() for file in sorted(self.folder.glob("slurm-*.out")))

    def contents(self, results: str) -> dict[str, str]:
        files = (self.folder / results).rglob("seed?.json")
        return {str(file.relative_to(self.folder / results)): read_record(file).content for file in files}


@pytest.fixture
def place(tmp_path: Path, site: dict[str, str]) -> Place:
    return Place(tmp_path, site)


def sweep_file(place: Place, *, epochs: int, strategies: list[str], seeds: list[int]) -> str:
    scenario(place.folder, train={"epochs": epochs})
    content = {"scenarios": ["miniature.yaml"], "strategies": strategies, "seeds": seeds}
    (place.folder / "sweep.yaml").write_text(yaml.safe_dump(content))
    return "sweep.yaml"


def test_the_tasks_of_an_array_make_the_records_of_one_process(place: Place) -> None:
    sweep = sweep_file(place, epochs=2, strategies=["naive", "er"], seeds=[0, 1])
    place.submit(sweep, "--results", "shared", tasks="0-1")
    place.call("clbench", "sweep", sweep, "--results", "alone", "--jobs", "1", "--device", "cpu")
    assert len(place.contents("shared")) == 4
    assert place.contents("shared") == place.contents("alone"), place.outputs()


def test_a_cancelled_task_saves_its_state_and_the_next_job_goes_on(place: Place) -> None:
    sweep = sweep_file(place, epochs=40, strategies=["naive"], seeds=[0])
    words = ["sbatch", "--parsable", "--array=0-0", "--cpus-per-task=1", str(SCRIPT), sweep, "--device", "cpu"]
    job = place.call(*words).strip()
    deadline = time.monotonic() + 400
    while not (states := list(place.folder.rglob("state.pt"))) and time.monotonic() < deadline:
        time.sleep(0.05)
    place.call("scancel", job)
    while place.call("squeue", "--noheader") and time.monotonic() < deadline:
        time.sleep(0.5)
    assert "the state is saved" in place.outputs() and states[0].stat().st_size > 0
    place.submit(sweep, tasks="0-0")
    place.call("clbench", "sweep", sweep, "--results", "alone", "--jobs", "1", "--device", "cpu")
    assert len(place.contents("results")) == 1
    assert place.contents("results") == place.contents("alone"), place.outputs()
