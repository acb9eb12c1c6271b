"""The machine and the code of a run: what its record says of them, and how it keeps its memory."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import gc
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

import clbench
from clbench.data.pictures.decode import torchcodec_decoder
from clbench.nn.shared.ranks import world
from clbench.records.schema import CodePart

M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
PACKAGES = (
    "torch",
    "torchvision",
    "avalanche-lib",
    "timm",
    "numpy",
    "scipy",
    "torchcodec",
    "pillow",
    "safetensors",
    "optuna",
)
"""What touches pixels, numbers, weights or trials."""


def describe(
    device: torch.device, *, threads: int, pictures: bool = True
) -> dict[str, str | int | float | bool | None]:
    """Return versions, device and thread count: what may move a number's last digits; of `pictures` the decoder too."""
    found: dict[str, str | int | float | bool | None] = {
        "python": platform.python_version(),
        "system": platform.system(),
    }
    found |= _versions()
    if pictures:
        found["jpeg_decoder"] = "torchcodec" if torchcodec_decoder() else "pillow"
    found["device"] = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    found["cpu"] = platform.machine()
    found["cpu_model"] = _cpu_model()
    found["cpu_capability"] = torch.backends.cpu.get_cpu_capability()
    found["numpy_kernels"] = _numpy_kernels()
    found["threads"] = threads
    found["world_size"] = world()
    return found


@functools.cache
def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


@functools.cache
def _numpy_kernels() -> str:
    """Return the instruction sets that NumPy uses here beyond its baseline: they choose its sort and its sums."""
    told: Any = np.show_config(mode="dicts")
    return " ".join(told.get("SIMD Extensions", {}).get("found", [])) or "baseline"


@functools.cache
def _cpu_model() -> str:
    """Return which processor this is: kernels are chosen by model and caches, and each rounds in its own way."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return platform.processor()
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    numbers = "/".join(told[key] for key in ("cpu family", "model", "stepping") if key in told)
    return " ".join(filter(None, (told.get("model name", platform.processor()), numbers)))


@functools.cache
def code() -> CodePart:
    """Return clbench's version and, when it runs from a git checkout, the commit and whether anything was changed.

    `dirty` is None in a checkout whose git cannot be asked: not installed, of another owner, or too slow. Asked once in
    a process: what it has imported stays what it is.
    """
    folder = Path(clbench.__file__).resolve().parent
    if not _in_checkout(folder):
        return CodePart(version=clbench.__version__, commit="", dirty=False)
    commit = _git(folder, "rev-parse", "HEAD")
    # a results folder inside the checkout fills while runs go on; only code and scenarios can move a number
    changed = _git(folder.parent, "status", "--porcelain", "--", "clbench", "strategies", "scenarios")
    unknown = commit is None or changed is None
    return CodePart(version=clbench.__version__, commit=commit or "", dirty=None if unknown else bool(changed))


def _in_checkout(folder: Path) -> bool:
    """Return whether the package is a file of a repository, and not installed into a folder that may lie in one."""
    if "site-packages" in folder.parts or not any((parent / ".git").exists() for parent in folder.parents):
        return False
    listed = _git(folder, "ls-files", "__init__.py")
    return listed is None or listed != ""


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git says, None where it cannot be asked."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def pick_device(name: str) -> torch.device:
    """Return the device called `name`; `auto` is the first GPU if there is one.

    Raises UsageError where there is no such device.
    """
    from clbench.errors import UsageError

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"--device {name}: {str(error).splitlines()[0]}",
            hint="Use auto, cpu or cuda; clbench doctor shows what is here.",
        ) from error
    return device


def forget_peak(device: torch.device) -> bool:
    """Let `peak_memory` count from what is held now; False where the system keeps the peak of the whole process."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return True
    return_freed_memory()
    try:
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets the peak of the resident set
    except OSError:
        return False
    return True


def peak_memory(device: torch.device) -> int:
    """Return the largest number of bytes held so far: of the GPU, else of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    import resource

    # kibibytes on Linux, bytes on macOS
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if platform.system() == "Darwin" else 1024)


@functools.cache
def keep_freed_memory() -> bool:
    """Tell glibc's malloc to keep what this process frees; return whether it was told.

    By default every large activation is mapped for itself and unmapped when freed, so that each step has the kernel
    clear the same pages again. On two CPU cores that took 70 % of the time of an efficientnet's forward pass at 224
    pixels, batch 64. No number changes: tensors lie where they would, aligned as before. Source: mallopt(3).
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(M_MMAP_MAX, 0)) and bool(libc.mallopt(M_TRIM_THRESHOLD, -1))


def return_freed_memory() -> None:
    """Give what is kept back to the system once, where that can be said (glibc), so that only what is used counts."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
