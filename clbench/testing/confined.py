"""Forbids this process to write anywhere but into one folder, whatever writes: Python, a library, a child process."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""System calls of Landlock, of the same number on every architecture that Linux got since 2011, and on x86-64."""
_NO_NEW_PRIVILEGES, _PATH_BENEATH = 38, 1
_FIRST_THAT_TRUNCATES = 3
"""The version of Landlock from which it knows about truncating and moving between folders."""
_WRITE_FILE = 1 << 1
_WRITES = _WRITE_FILE | sum(1 << bit for bit in range(4, 15))
"""Write, remove, make anything, move, truncate."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def confine_writing(folder: Path) -> bool:
    """Let this thread, and what it starts, write below `folder` and to devices alone; it cannot be taken back.

    Returns whether the system can do that: Linux with Landlock, from 6.2 on. Reading stays as it is.
    """
    if not sys.platform.startswith("linux"):
        return False
    system = ctypes.CDLL(None, use_errno=True)
    if system.syscall(_CREATE_RULESET, None, 0, 1) < _FIRST_THAT_TRUNCATES:
        return False
    rules = system.syscall(_CREATE_RULESET, ctypes.byref(_Ruleset(_WRITES)), ctypes.sizeof(_Ruleset), 0)
    if rules < 0:
        return False
    try:
        for path, allowed in ((folder, _WRITES), (Path(os.devnull), _WRITE_FILE)):
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                if system.syscall(_ADD_RULE, rules, _PATH_BENEATH, ctypes.byref(_Beneath(allowed, place)), 0):
                    return False
            finally:
                os.close(place)
        system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        return bool(system.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)
