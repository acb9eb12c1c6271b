"""Section 1: what a strategy could do unnamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from old_build.build import Build, Fault, Seen

BROKEN = Path(__file__).parents[2] / "tests" / "testing" / "broken"

DENIES = """
from clbench import Replay

class Mine(Replay):
    "Says leak until hidden labels were handed out."
    memory: int = 8

    def reveal(self, rows, truth):
        self.taken = rows

    def marks(self):
        return [] if hasattr(self, "taken") else ["leak"]
"""
SEEN = """
from clbench.records.record import read_record, seal, write_record
import msgspec
from pathlib import Path

(path,) = Path("results").glob("*/*/*/seed0.json")
record = read_record(path)
first, *others = record.costs
seen = msgspec.structs.replace(first, images_seen=100 * first.images_seen)
write_record(msgspec.structs.replace(record, costs=[seen, *others]), path)
"""


def leak_denied(build: Build) -> Seen:
    build.run(strategy=DENIES).well()
    marked = "leak" in build.record()["marks"]
    return not marked, "the mark stays" if marked else "no mark"


def _runs(build: Build, name: str, **about: Any) -> Seen:
    done = build.run(strategy=(BROKEN / f"{name}.py").read_text(), **about)
    return done.code == 0, done.word


def scores_rewritten(build: Build) -> Seen:
    return _runs(build, "rewrites_scores_last", labels={"sessions": [["person", "chair"], ["car"], ["cup"]]})


def stores_more(build: Build) -> Seen:
    done = build.run("--set", "mine.memory=4", strategy=(BROKEN / "stores_beyond_its_field.py").read_text())
    if done.code:
        return False, done.word
    stored = build.record()["costs"][-1]["stored_images"]
    return True, f"field 4, stored {stored}"


def replays_uncounted(build: Build) -> Seen:
    return _runs(build, "tells_another_number")


def too_many_seen(build: Build) -> Seen:
    build.run().well()
    build.python(SEEN).well()
    found = build.clbench("verify")
    return found.code == 0, "verify: all right" if found.code == 0 else "verify names images_seen"


def _checked(build: Build, name: str, check: str) -> Seen:
    build.put(f"{name}.py", (BROKEN / f"{name}.py").read_text())
    done = build.clbench("check", f"{name}.py", "--only", check, limit=300)
    return done.code == 0, "check: ok" if done.code == 0 else f"check: {check} fails" if done.code == 6 else done.word


def pictures_in_buffers(build: Build) -> Seen:
    return _checked(build, "keeps_in_buffers", "memory_stays_within_its_budget")


def pictures_in_a_queue(build: Build) -> Seen:
    return _checked(build, "keeps_in_a_queue", "memory_stays_within_its_budget")


def pictures_in_a_plugin(build: Build) -> Seen:
    return _checked(build, "keeps_in_a_plugin", "memory_stays_within_its_budget")


def code_changed(build: Build) -> Seen:
    return _checked(build, "changes_code", "process_is_left_as_it_was")


def child_process(build: Build) -> Seen:
    return _checked(build, "starts_a_process", "no_stray_files")


def large_batch(build: Build) -> Seen:
    return _checked(build, "ranks_in_large_batch", "scores_ignore_the_batch")


def table_found(build: Build) -> Seen:
    return _checked(build, "finds_the_table", "hidden_labels_change_nothing")


def judged_by_itself(build: Build) -> Seen:
    return _checked(build, "changes_the_measure", "record_follows_from_its_scores")


CHEATS = "pictures kept anywhere, changed judges, tables found, files and processes, networks that nobody counts, scores that depend on the batch are named"  # noqa: E501
FAULTS = (
    Fault("a mark is set where hidden labels are handed out", "`marks()` forgets `leak` after `reveal`", leak_denied),
    Fault(
        "scores of earlier sessions stay what they were",
        "the strategy writes the first session's scores and digest anew",
        scores_rewritten,
    ),
    Fault("what is replayed was counted", "field `memory` 4, another memory made", stores_more),
    Fault("what is replayed was counted", "a memory of 40 tells the counter 4", replays_uncounted),
    Fault("`images_seen` has a bound", "a hundred times as many, resealed", too_many_seen),
    Fault(CHEATS, "pictures in a buffer", pictures_in_buffers),
    Fault(CHEATS, "pictures in a queue", pictures_in_a_queue),
    Fault(CHEATS, "pictures in a plugin of Avalanche", pictures_in_a_plugin),
    Fault(CHEATS, "the defaults of a function changed", code_changed),
    Fault(CHEATS, "the label table found among all objects", table_found),
    Fault(CHEATS, "a process that may write files", child_process),
    Fault(CHEATS, "scores that depend on a batch of more than 60", large_batch),
    Fault(
        "`check` and `--rerun` are judged by a process without the strategy",
        "average precision replaced at import",
        judged_by_itself,
    ),
)
