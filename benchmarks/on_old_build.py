"""What an old build did wrong, brought out there and in this one.

    git worktree add --detach OLD 0b7f010
    python benchmarks/on_old_build.py --old OLD [--only PART] [--write docs/trust.md]

Each row is a small scenario with a strategy, a file or a setting that is odd in one way, given to both builds by their
command lines. Both run in the environment of this Python. Everything happens in temporary folders and in children of
this process. The exit code is 1 where this build has a fault, or the old one has not.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

from old_build import cheats, runs, strangers, values
from old_build.build import Build, Door, Fault, Seen

FAULTS: tuple[Fault, ...] = (*cheats.FAULTS, *values.FAULTS, *runs.FAULTS, *strangers.FAULTS)
HERE = Path(__file__).resolve().parents[1]
MARKS = re.compile(r"(<!-- on an old build -->\n).*?(<!-- /on an old build -->)", re.DOTALL)


def seen_by(door: Door, fault: Fault) -> Seen:
    """Try it in an empty folder."""
    with tempfile.TemporaryDirectory(prefix="clbench-old-") as folder:
        return fault.seen(Build(door, Path(folder)))


def row(fault: Fault, old: Door, here: Door) -> tuple[str, bool]:
    """Try a fault in both builds; return its row of the table and whether it is as it should be."""
    try:
        (before, then), (still, now) = seen_by(old, fault), seen_by(here, fault)
    except NotImplementedError as missing:
        before, still, then, now = True, False, "not tried", str(missing)
    remark = " **still there**" * still + " **no fault in the old build**" * (not before)
    return f"| {fault.tried} | {then} | {now}{remark} |", before and not still


def main() -> int:
    """Try what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", type=Path, required=True, help="the tree of the old build")
    parser.add_argument("--only", default="", help="part of what is tried")
    parser.add_argument("--write", type=Path, help="a Markdown file whose block becomes the table")
    asked = parser.parse_args()
    old, here = Door(asked.old.resolve()), Door(HERE)
    rows, right = ["| tried | the old build | this one |", "|---|---|---|"], True
    for fault in FAULTS:
        if asked.only in fault.tried:
            line, as_meant = row(fault, old, here)
            rows, right = [*rows, line], right and as_meant
            print(line, file=sys.stderr, flush=True)
    old.close()
    here.close()
    table = "".join(f"{line}\n" for line in rows)
    print(table, end="")
    if asked.write:
        text = asked.write.read_text(encoding="utf-8")
        asked.write.write_text(MARKS.sub(lambda found: f"{found[1]}{table}{found[2]}", text), encoding="utf-8")
    return int(not right)


if __name__ == "__main__":
    sys.exit(main())
