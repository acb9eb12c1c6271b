"""What this machine has, found out without torch."""

from __future__ import annotations

import os
import sys
from pathlib import Path

GPU_FILES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvhost-gpu", "/dev/kfd", "/dev/dxg")
"""What the drivers of NVIDIA (also of its small boards), of AMD and of Windows below Linux put there."""


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpu_count() -> int:
    """Return how many GPUs torch sees; it is not imported to be asked where Linux has no file of any GPU's driver."""
    if "torch" not in sys.modules and sys.platform == "linux" and not any(Path(name).exists() for name in GPU_FILES):
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
