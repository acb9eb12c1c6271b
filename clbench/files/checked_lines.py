"""Lines of a text file that is only ever added to, each ending with its own checksum."""

from __future__ import annotations

import zlib

from clbench.errors import ResultsError

MARK = "crc32-"


def checked(line: str) -> str:
    r"""Return a line of comma-separated cells with a last cell that holds its CRC-32, and a line end.

    >>> checked("time,loss")
    'time,loss,crc32-cdee823b\n'
    """
    return f"{line},{MARK}{zlib.crc32(line.encode()):08x}\n"


def intact(text: bytes) -> list[str]:
    r"""Return the lines that are as they were written, without their checksums; all others are left out.

    >>> intact(b"time,loss,crc32-cdee823b\ntime,lost,crc32-cdee823b\ntime")
    ['time,loss']
    """
    cells = (line.rpartition(b",") for line in text.split(b"\n"))
    return [line.decode() for line, _, mark in cells if mark == f"{MARK}{zlib.crc32(line):08x}".encode()]


def check_lines(text: bytes) -> None:
    """Raise ResultsError naming the first line that is not as it was written; a file without checksums passes.

    A last line that a killed process left without its end is no damage.
    """
    *lines, _ = text.split(b"\n")
    if not any(f",{MARK}".encode() in line for line in lines):
        return
    for number, line in enumerate(lines, start=1):
        found, _, _ = line.rpartition(b",")
        if line != found + f",{MARK}{zlib.crc32(found):08x}".encode():
            raise ResultsError(f"line {number} is not as it was written")
