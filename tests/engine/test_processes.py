"""How many processes read pictures, and what is told while the cache fills."""

from __future__ import annotations

import queue
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from clbench.data.pictures.read_ahead import death_told, read_ahead
from clbench.data.pictures.sources import CachedImages, SceneImages, cached
from clbench.errors import RunError
from clbench.files import shared_memory
from clbench.many.worker_pool import _gpu_queue
from clbench.train import reader_processes as processes
from clbench.train.events import Event, Making, telling
from clbench.train.failures import lost
from clbench.train.options import AUTO
from clbench.train.reader_processes import MOST, loader_processes
from clbench.train.run import RunOptions

CPU, GPU = torch.device("cpu"), torch.device("cuda")


class Flat:
    """Pictures of one colour."""

    size = 4

    def read(self, rows):
        return torch.zeros(len(rows), 3, 4, 4, dtype=torch.uint8)


def test_what_is_asked_for_is_what_is_taken() -> None:
    assert loader_processes(3, Flat(), device=CPU) == 3
    assert loader_processes(0, Flat(), device=GPU, share=8) == 0


def test_auto_is_none_where_training_or_copying_needs_the_core(tmp_path: Path) -> None:
    cache = CachedImages(tmp_path / "pictures.u8", count=1, size=4)
    assert loader_processes(AUTO, Flat(), device=CPU, share=8) == 0
    assert loader_processes(AUTO, cache, device=GPU, share=8) == 0


def test_auto_leaves_one_core_for_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loader_processes(AUTO, Flat(), device=GPU, share=8) == 7
    assert loader_processes(AUTO, Flat(), device=GPU, share=1) == 0
    assert loader_processes(AUTO, Flat(), device=GPU, share=200) == MOST
    monkeypatch.setattr(processes, "cores", lambda: 5)
    assert loader_processes(AUTO, Flat(), device=GPU) == 4


def test_auto_asks_how_much_shared_memory_there_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    batch = 64 * 3 * 4 * 4
    for batches, readers in ((100, 7), (9, 4), (8, 3), (2, 0), (0, 0)):
        found = shared_memory.Room(total=10 * batch, free=batches * batch)
        monkeypatch.setattr(shared_memory, "room", lambda found=found: found)
        assert loader_processes(AUTO, Flat(), device=GPU, share=8, batch=64) == readers
        assert loader_processes(5, Flat(), device=GPU, share=8, batch=64) == 5, "what is asked for is taken"
    assert "3 processes read pictures instead of 7" in caplog.text
    monkeypatch.setattr(shared_memory, "room", lambda: None)
    assert loader_processes(AUTO, Flat(), device=GPU, share=8, batch=64) == 7


def test_a_batch_that_finds_no_room_in_shared_memory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: torch.Tensor) -> None:
        raise RuntimeError("No space left on device (28)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", full)
    monkeypatch.setattr("clbench.data.pictures.read_ahead.PATIENCE", 0.1)
    with pytest.raises(RunError, match="finds no room in shared memory") as caught:
        list(read_ahead(Flat(), np.arange(8), batch=4, readers=1))  # the reader is forked
    assert "--workers 0" in caught.value.hint and "--shm-size" in caught.value.hint


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), EOFError(), FileNotFoundError(2, "no socket")])
def test_a_reader_that_goes_while_it_hands_a_batch_over_is_a_loader_that_died(error: Exception) -> None:
    with pytest.raises(RuntimeError, match="went while it handed a batch over") as caught, death_told(2):
        raise error
    told = lost(caught.value, run="a run", state_file=Path("state.pt"))
    assert told is not None and "a loader process died" in told.message
    with pytest.raises(type(error)), death_told(0):
        raise error
    met = FileNotFoundError("Caught FileNotFoundError in DataLoader worker process 0.")
    with pytest.raises(FileNotFoundError), death_told(2):
        raise met


SMALL = """
import sys
import numpy as np
from clbench.data.pictures.read_ahead import read_ahead
from clbench.data.pictures.sources import SceneImages

source = SceneImages(lambda rows: np.zeros((len(rows), 256, 256, 3), np.uint8), size=256, native=256)
try:
    list(read_ahead(source, np.arange(8), batch=4, readers=2))
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.mark.slow
def test_a_small_shared_memory_ends_a_run_within_seconds() -> None:
    command = (
        f"mount -t tmpfs -o size=300k tmpfs {shared_memory.FOLDER} && exec {sys.executable} -W ignore -c '{SMALL}'"
    )
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    done = subprocess.run(["unshare", "-m", "sh", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "RunError: a process that reads pictures finds no room" in done.stderr
    assert "0.3 MB are free" in done.stderr


class Noted:
    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, event: Event) -> None:
        assert isinstance(event, Making)
        self.said.append(f"{event.what}: {event.done} of {event.total}")


def test_filling_the_cache_is_told_at_its_beginning_and_end() -> None:
    watch = Noted()
    source = cached(Flat(), key=lambda: "told", count=600, wanted=True, progress=telling(watch, "pictures"))
    assert isinstance(source, CachedImages)
    assert watch.said == ["pictures: 256 of 600", "pictures: 600 of 600"]
    cached(Flat(), key=lambda: "told", count=600, wanted=True, progress=telling(watch, "pictures"))
    assert len(watch.said) == 2, "a cache that is there is not filled again"


def test_long_work_is_told_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("clbench.train.events.time.monotonic", lambda: float(next(clock)))
    watch = Noted()
    told = telling(watch, "pictures", seconds=3)
    for done in range(1, 9):
        told(done, 8)
    assert watch.said == [f"pictures: {done} of 8" for done in (1, 4, 7, 8)]


def test_scenes_are_no_cache() -> None:
    scenes = SceneImages(lambda rows: rows, size=4, native=4)  # type: ignore[arg-type, return-value]
    assert loader_processes(AUTO, scenes, device=GPU, share=3) == 2


class Plain:
    """What a multiprocessing context gives, without a process."""

    Queue = queue.Queue


def gpus_of_workers(jobs: int, *, device: str = "auto") -> list[str] | None:
    queued = _gpu_queue(RunOptions(device=device), jobs, Plain)
    return None if queued is None else [queued.get() for _ in range(jobs)]


@pytest.fixture
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)


@pytest.mark.usefixtures("three_gpus")
def test_every_worker_sees_one_gpu_and_more_workers_share_them() -> None:
    assert gpus_of_workers(3) == ["0", "1", "2"]
    assert gpus_of_workers(5, device="cuda") == ["0", "1", "2", "0", "1"]


@pytest.mark.usefixtures("three_gpus")
@pytest.mark.parametrize("chosen", ["4,6,7", "GPU-4a, GPU-6b, GPU-7c"])
def test_workers_use_the_gpus_that_were_chosen_for_the_sweep_and_no_others(
    chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    first, second, third = (name.strip() for name in chosen.split(","))
    assert gpus_of_workers(4) == [first, second, third, first]


@pytest.mark.usefixtures("three_gpus")
def test_workers_on_a_gpu_that_was_named_or_on_the_cpu_are_not_pinned() -> None:
    assert gpus_of_workers(2, device="cuda:1") is None
    assert gpus_of_workers(2, device="cpu") is None
