"""Which files a process means to write and which processes it starts, told by the system, whatever does it and
whether it is refused or not: C libraries and child processes too."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import platform
import select
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_NO_NEW_PRIVILEGES, _SET_FILTER = 38, 1
_ALL_THREADS, _WITH_LISTENER, _OR_ERROR = 1, 8, 16
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _TELL, _NO_SUCH_CALL = 0x7FFF0000, 0x7FC00000, 0x00050000 | 38
_RECEIVE, _ANSWER, _GO_ON = 0xC0502100, 0xC0182101, 1
_NOTICE = struct.Struct("QIIiIQ6Q")
_HERE, _LONGEST = -100, 4096
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_THREAD = 0x10000
"""The flag of a call that starts a thread and no process."""
_ABSENT = (425, 435, 437)
"""io_uring_setup, clone3, openat2, whose arguments no filter can see: they are not there, and callers take others."""


class _Call(NamedTuple):
    """Which arguments name the file: its folder (None: the current one) and its path; and which holds the flags."""

    folder: int | None
    path: int | None
    flags: int | None = None


class _System(NamedTuple):
    """What differs between processors."""

    architecture: int
    seccomp: int
    clone: int
    calls: dict[int, _Call]


_SYSTEMS = {
    "x86_64": _System(
        0xC000003E,
        317,
        56,
        {2: _Call(None, 0, 1), 257: _Call(0, 1, 2)}
        | dict.fromkeys((76, 83, 84, 85, 87, 133), _Call(None, 0))  # truncate mkdir rmdir creat unlink mknod
        | dict.fromkeys((82, 86, 88), _Call(None, 1))  # rename link symlink
        | dict.fromkeys((258, 259, 263), _Call(0, 1))  # mkdirat mknodat unlinkat
        | dict.fromkeys((264, 265, 316), _Call(2, 3))  # renameat linkat renameat2
        | {266: _Call(1, 2)}  # symlinkat
        | dict.fromkeys((57, 58), _Call(None, None)),  # fork vfork
    ),
    "aarch64": _System(
        0xC00000B7,
        277,
        220,
        {56: _Call(0, 1, 2), 45: _Call(None, 0), 36: _Call(1, 2)}
        | dict.fromkeys((33, 34, 35), _Call(0, 1))
        | dict.fromkeys((37, 38, 276), _Call(2, 3)),
    ),
}


class Ear:
    """Hears what another process says of itself through `speak`; it is made before that process is forked."""

    def __init__(self) -> None:
        self.written: list[str] = []
        """Absolute paths of files that were opened for writing, made, moved to, cut or removed, or were to be."""
        self.started = 0
        """How many processes were started."""
        pair = socket.socketpair() if sys.platform == "linux" else (None, None)
        self._here: socket.socket | None = pair[0]
        self._there: socket.socket | None = pair[1]
        self._over = threading.Event()

    def speak(self) -> bool:
        """Have the system tell of this process and all that it starts, from now on and for good.

        Returns whether it can: Linux from 5.7 on, on x86-64 and ARM, where nobody else listens.
        """
        system = _SYSTEMS.get(platform.machine())
        if self._there is None or system is None or sys.byteorder != "little":
            return False
        library = ctypes.CDLL(None, use_errno=True)
        lines = _filter(system)
        text = ctypes.create_string_buffer(b"".join(lines))
        program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(lines), ctypes.addressof(text)))
        library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        told = library.syscall(system.seccomp, _SET_FILTER, _ALL_THREADS | _WITH_LISTENER | _OR_ERROR, program)
        if told < 0:
            return False
        socket.send_fds(self._there, [b"."], [told])
        os.close(told)
        return True

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Hear what is said meanwhile; the process that speaks has ended by then, or what it still asks is refused."""
        listener = threading.Thread(target=self._listen, daemon=True)
        listener.start()
        try:
            yield
        finally:
            self._over.set()
            if self._there is not None:
                self._there.close()
            listener.join()

    def _listen(self) -> None:
        if self._here is None:
            return
        system, told = _SYSTEMS.get(platform.machine()), -1
        try:
            while not self._over.is_set() and told < 0:
                if select.select([self._here], [], [], 0.05)[0]:
                    _, passed, _, _ = socket.recv_fds(self._here, 1, 1)
                    if not passed:
                        return
                    told = passed[0]
            if system is None or told < 0:
                return
            poll = select.poll()
            poll.register(told, select.POLLIN)
            while not self._over.is_set():
                for _, event in poll.poll(50):
                    if not event & select.POLLIN:
                        return
                    with contextlib.suppress(OSError):  # whoever asked is gone
                        self._hear(told, system)
        finally:
            self._here.close()
            if told >= 0:
                os.close(told)

    def _hear(self, told: int, system: _System) -> None:
        notice = bytearray(_NOTICE.size)
        fcntl.ioctl(told, _RECEIVE, notice)
        ticket, process, _, call, _, _, *given = _NOTICE.unpack(notice)
        meant = system.calls.get(call)
        if meant is None or meant.path is None:
            self.started += 1
        else:
            path = _path(process, None if meant.folder is None else given[meant.folder], given[meant.path])
            if path is not None:
                self.written.append(path)
        fcntl.ioctl(told, _ANSWER, struct.pack("QqiI", ticket, 0, 0, _GO_ON))


def _path(process: int, folder: int | None, address: int) -> str | None:
    """Return the file that a process means, or None where the system does not let it be read."""
    try:
        with Path(f"/proc/{process}/mem").open("rb", buffering=0) as memory:
            memory.seek(address)
            # no page but those that the name lies in is surely there
            text = memory.read(min(_LONGEST, 4096 - address % 4096))
            if b"\0" not in text:
                text += memory.read(_LONGEST)
        number = _HERE if folder is None else ctypes.c_int32(folder & 0xFFFFFFFF).value
        beside = f"/proc/{process}/cwd" if number == _HERE else f"/proc/{process}/fd/{number}"
        name = os.fsdecode(text.partition(b"\0")[0])
        return os.path.normpath(name if name.startswith("/") else Path(beside).readlink() / name)
    except OSError:
        return None


_Line = tuple[int, int, int | str, int | str]
"""What to do, its number, and how many lines to leave out, or to which end to go, where it holds and where not."""
_ENDS = {"allow": _ALLOW, "tell": _TELL, "absent": _NO_SUCH_CALL}


def _filter(system: _System) -> list[bytes]:
    """Return the program that the system asks at every call: whether it is let through, told, or not there."""
    lines: list[_Line] = [(_LOAD, 4, 0, 0), (_EQUAL, system.architecture, 0, "absent"), (_LOAD, 0, 0, 0)]
    lines += [(_EQUAL, number, "absent", 0) for number in _ABSENT]
    for number, call in system.calls.items():
        if call.flags is None:
            lines.append((_EQUAL, number, "tell", 0))
        else:
            lines += _by_flags(number, call.flags, _WRITES, "tell", "allow")
    lines += _by_flags(system.clone, 0, _THREAD, "allow", "tell")

    def jump(index: int, way: int | str) -> int:
        return way if isinstance(way, int) else len(lines) - index - 1 + list(_ENDS).index(way)

    program = [(code, jump(index, yes), jump(index, no), value) for index, (code, value, yes, no) in enumerate(lines)]
    program += [(_RETURN, 0, 0, end) for end in _ENDS.values()]
    return [struct.pack("HBBI", *line) for line in program]


def _by_flags(number: int, argument: int, bits: int, some: str, none: str) -> list[_Line]:
    """Return the lines that look at the flags of one call: whether any of the bits is there."""
    return [(_EQUAL, number, 0, 2), (_LOAD, 16 + 8 * argument, 0, 0), (_ANY_BIT, bits, some, none)]
