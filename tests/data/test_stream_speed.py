"""Building a stream at the size of MS-COCO takes a moment and little memory."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from types import ModuleType

import pytest

from clbench.stream.build import build_stream

pytestmark = [pytest.mark.slow, pytest.mark.alone]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "bench_stream.py"
    spec = importlib.util.spec_from_file_location("bench_stream", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_stream_is_built_twenty_times_faster_than_by_a_loop_over_images(bench: ModuleType) -> None:
    table = bench.coco_sized()
    stream, fast = bench.timed(lambda: build_stream(table, bench.SPEC), repeats=3)
    start = time.perf_counter()
    sessions = bench.plain(table)
    assert time.perf_counter() - start > 20 * fast
    assert bench.same(stream, sessions)


def test_building_a_stream_holds_less_than_a_hundred_megabytes(bench: ModuleType) -> None:
    table = bench.coco_sized()
    assert bench.peak(lambda: build_stream(table, bench.SPEC)) < 100
