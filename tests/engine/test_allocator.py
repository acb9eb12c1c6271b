"""Freed memory is kept for the next step."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys, torch
from clbench.train.environment import keep_freed_memory
told = sys.argv[1] == "kept" and keep_freed_memory()
def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(16, 1 << 20)
before = pages()
for _ in range(60):
    torch.ones(16, 1 << 20)
print(int(told), pages() - before)
"""


def faults(how: str) -> tuple[int, int]:
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    told, count = done.stdout.split()
    return int(told), int(count)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another malloc")
def test_memory_that_a_step_frees_serves_the_next_step() -> None:
    told, kept = faults("kept")
    assert told
    # sixty-four megabytes, sixty times over; where they come to lie settles within the first few
    assert kept * 3 < faults("as it comes")[1]
