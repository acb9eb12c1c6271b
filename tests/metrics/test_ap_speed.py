from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.alone]

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "bench_ap.py"

# Most of our time is NumPy's sort of values. Where AVX-512 stores compressed vectors slowly (AMD Zen 4), its AVX-512
# sort takes four times as long as its AVX2 sort, which every x86 processor of the last ten years runs well.
WITHOUT_AVX512 = "X86_V4 AVX512_ICL AVX512_SPR AVX512_SKX"


def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_ap", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def speed_of_average_precision() -> tuple[float, float]:
    """Return clbench's speed relative to scikit-learn's, and the largest difference of the values."""
    bench = benchmark()
    methods = bench.average_precision_methods()
    two = {name: methods[name] for name in ("scikit-learn, per label", "clbench")}
    ours = bench.compare(two, *bench.coco_like(), repeats=5)[1]
    return ours.ratio, ours.difference


def test_average_precision_at_coco_size_is_ten_times_as_fast_as_scikit_learn() -> None:
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": WITHOUT_AVX512, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    ratio, difference = json.loads(done.stdout)
    assert difference <= 1e-12
    assert ratio >= 10


def test_average_precision_is_ten_times_as_fast_with_whatever_sort_numpy_chooses() -> None:
    ratio, difference = speed_of_average_precision()
    assert difference <= 1e-12
    assert ratio >= 10


def test_f1_at_coco_size_is_twenty_times_as_fast_as_scikit_learn() -> None:
    bench = benchmark()
    ours = bench.compare(bench.f1_methods(), *bench.coco_like(), repeats=5)[1]
    assert ours.difference <= 1e-12
    assert ours.ratio >= 20


if __name__ == "__main__":
    print(json.dumps(speed_of_average_precision()))
