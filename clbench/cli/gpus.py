"""The GPUs that the driver shows this process, asked without torch, whose import takes longer than all else here."""

from __future__ import annotations

import ctypes
import runpy
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

LIBRARIES = ("libcuda.so.1", "nvcuda.dll")


def gpus(driver: Any = None) -> list[tuple[str, int]]:
    """Return name and bytes of memory of each GPU, as CUDA_VISIBLE_DEVICES leaves them; none without a driver."""
    driver = driver or _driver()
    count = ctypes.c_int()
    if driver is None or driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return []
    return list(_each(driver, count.value))


def _each(driver: Any, count: int) -> Iterator[tuple[str, int]]:
    for number in range(count):
        device, memory, name = ctypes.c_int(), ctypes.c_size_t(), ctypes.create_string_buffer(256)
        driver.cuDeviceGet(ctypes.byref(device), number)
        driver.cuDeviceGetName(name, len(name), device)
        driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
        yield name.value.decode(), memory.value


def _driver() -> Any:
    for library in LIBRARIES:
        try:
            return ctypes.CDLL(library)
        except OSError:
            continue
    return None


def torch_cuda() -> str | None:
    """Return the CUDA version that torch was built for, None for a build without; torch is not imported."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    found: str | None = runpy.run_path(str(Path(spec.origin).with_name("version.py"))).get("cuda")
    return found
