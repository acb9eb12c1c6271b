"""Section 3: runs that were lost, or went on from what had been damaged."""

from __future__ import annotations

import io
import re
import subprocess
import zipfile
from pathlib import Path

from old_build.build import MINE, OWN, PYTHON, Build, Ended, Fault, Seen
from old_build.values import PHOTOS, photos
from PIL import Image

SAYS = """
from clbench import Strategy

class Mine(Strategy):
    "{title}"

    def marks(self):
        return {marks}

    def end_session(self, session):
        self.over = session.index == 1

    def notes(self):
        return {notes}
"""
STOPS = """
from pathlib import Path
from clbench import Strategy

class Mine(Strategy):
    "Stops in its second session."

    def prepare(self, session):
        if session.index == 1 and Path("stop").exists():
            raise KeyboardInterrupt
"""
CALIBRATED = ("--set", "train.freeze=backbone", "--set", "train.augment=none")


def _kept(build: Build, done: Ended) -> Seen:
    """Whether a run trained both sessions and left nothing."""
    lost = "session 2" in done.text and not build.record_files()
    return lost, "refused after the training" if lost else "done" if done.code == 0 else "refused before the first step"


def bad_mark(build: Build) -> Seen:
    return _kept(build, build.run(strategy=SAYS.format(title="Mine.", marks="['Two words']", notes="{}")))


def long_title(build: Build) -> Seen:
    return _kept(build, build.run(strategy=SAYS.format(title="T" * 30_000, marks="[]", notes="{}")))


def bad_note(build: Build) -> Seen:
    notes = "{'a': 1} if hasattr(self, 'over') and self.over else {}"
    return _kept(build, build.run(strategy=SAYS.format(title="Mine.", marks="[]", notes=notes)))


def flipped_state(build: Build) -> Seen:
    stop = build.put("stop", "")
    build.run(strategy=STOPS)
    (state,) = build.folder.rglob("state.pt")
    content = bytearray(state.read_bytes())
    with zipfile.ZipFile(state) as parts:
        largest = max(parts.infolist(), key=lambda part: part.file_size)
    header = largest.header_offset
    names = sum(int.from_bytes(content[header + at : header + at + 2], "little") for at in (26, 28))
    content[header + 30 + names + largest.file_size // 2 // 4 * 4 + 2] ^= 1 << 6  # a bit of a weight
    state.write_bytes(content)
    stop.unlink()
    done = build.run(strategy=STOPS)
    return done.code == 0, "goes on to another record" if done.code == 0 else "refused by name"


def blank_cache(build: Build) -> Seen:
    photos(build)
    build.run("--cache", **PHOTOS).well()
    (kept,) = build.folder.glob("cache/**/*.u8")
    kept.write_bytes(kept.read_bytes()[:3072] + bytes(3072) + kept.read_bytes()[6144:])
    done = build.run("--cache", "--seed", "1", **PHOTOS)
    return done.code == 0, "trains on a blank picture" if done.code == 0 else "stops, and makes it again"


def changed_log(build: Build) -> Seen:
    build.run("--log", "csv").well()
    (log,) = build.folder.rglob("log.csv")
    log.write_text(re.sub(r"(\d)(\d)(\.\d+)", r"\g<2>\g<1>\g<3>", log.read_text()).replace("0.", "0.9", 1))
    found = build.clbench("verify")
    return found.code == 0, "verify: all right" if found.code == 0 else "verify names the line"


def small_shared_memory(build: Build) -> Seen:
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"], capture_output=True).returncode:
        raise NotImplementedError("no file system can be mounted here")
    photos(build)
    name = build.scenario(train={"image_size": 256, "batch_size": 8}, **PHOTOS)
    words = [*PYTHON, "-m", "clbench", "run", name, "--device", "cpu", "--jobs", "1", "--no-cache", "--workers", "2"]
    small = f"mount -t tmpfs -o size=300k tmpfs /dev/shm && exec {' '.join(words)}"
    done = build.anew("unshare", "-m", "sh", "-c", small, limit=120)
    said = done.code not in (0, 1, 124) and "shared memory" in done.text
    return not said, done.word + (", names shared memory" if said else "")


def no_home(build: Build) -> Seen:
    run = ("-m", "clbench", "run", build.scenario(), "--device", "cpu", "--jobs", "1")
    done = build.anew(*PYTHON, *run, HOME="/dev/null/nobody")
    return done.code != 0, done.word


def large_picture(build: Build) -> Seen:
    photos(build)
    buffer = io.BytesIO()
    Image.new("1", (20_000, 10_000)).save(buffer, "PNG")
    build.put("scenarios/photos/1.png", buffer.getvalue())
    table = build.folder / "scenarios/mine.csv"
    table.write_text(table.read_text().replace("photos/1.jpg", "photos/1.png"))
    done = build.run(**PHOTOS)
    named = "1.png" in done.text and "Decompression" not in done.text
    return done.code == 0 or not named, f"{done.word}, {'names' if named else 'does not name'} the picture"


def lone_image(build: Build) -> Seen:
    done = build.run("--set", "train.batch_size=1", "--set", "train.backbone=resnet10t")
    return done.code != 2, f"{done.word}{'' if done.code == 2 else ', in the training'}"


def listed_twice(build: Build) -> Seen:
    done = build.run("--jobs", "2", strategies=["naive", "naive"])
    return done.code not in (0, 2), "refused by name" if done.code == 2 else f"{done.word}, half way"


def one_code(build: Build) -> Seen:
    wrong = {"labels": {"sessions": [["persn", "chair"], ["car", "cup"]]}}
    codes = [build.run("--dry-run", **wrong).code, build.run(**wrong).code]
    return codes[0] != codes[1], f"{codes[0]} from `--dry-run`, {codes[1]} from `run`"


def calibrated(build: Build) -> Seen:
    many = {"options": {"train": "400", "test": "300"}, "train": {"batch_size": 4}}
    done = build.run("--dry-run", "--calibrate", "--features", "maps", *CALIBRATED, **many)
    return done.code != 0, done.word


def travels(build: Build) -> Seen:
    build.run(strategy=SAYS.format(title="Mine.", marks="[]", notes="{}")).well()
    (file,) = build.record_files()
    for name in (MINE, OWN):
        (build.folder / name).unlink()
    beside = [file.with_suffix("") / Path(name).name for name in (MINE, OWN)]
    found = build.clbench("verify", str(file), "--rerun", "--strategy", str(beside[0]), "--scenario", str(beside[1]))
    return found.code != 0, "runs again" if found.code == 0 else "cannot be run again"


def scores_without_data(build: Build) -> Seen:
    photos(build)
    build.run(**(PHOTOS | {"name": "aphotos"})).well()
    build.run().well()
    (build.folder / "scenarios/mine.csv").unlink()
    found = build.clbench("verify", "--scores", COLUMNS="200")
    goes_on = "own" in found.text and "re-scored" in found.text
    return not goes_on, "the rest is scored again" if goes_on else f"ends, {found.word}"


def no_git(build: Build) -> Seen:
    build.clbench("run", build.scenario(), "--device", "cpu", "--jobs", "1", PATH=str(build.folder)).well()
    record = build.record()
    told = record["code"].get("dirty") is None and "dirty-unknown" in record["marks"]
    return not told, "unknown, and marked" if told else "called clean"


HELD = "what no record can hold is found before the first step, and costs no training later"
DAMAGED = "damaged states, caches and logs are named"
ODD = "pictures over Pillow's limit, batches of one image, a strategy listed twice"
FAULTS = (
    Fault(HELD, "a mark of two words", bad_mark),
    Fault(HELD, "a title of 30,000 letters", long_title),
    Fault(HELD, "a note that becomes a number at the end", bad_note),
    Fault(DAMAGED, "a flipped bit in a saved state", flipped_state),
    Fault(DAMAGED, "a blank picture in the cache", blank_cache),
    Fault(DAMAGED, "a digit changed in `log.csv`", changed_log),
    Fault("no run waits for ever", "two loaders, 0.3 MB of shared memory", small_shared_memory),
    Fault("a home that cannot be written is no obstacle", "`HOME` below `/dev/null`", no_home),
    Fault(ODD, "a blank picture of 200 million pixels", large_picture),
    Fault(ODD, "batches of one image, batch norm on one position", lone_image),
    Fault(ODD, "`naive` listed twice, two runs at once", listed_twice),
    Fault("a mistake has one exit code", "a label that does not exist", one_code),
    Fault(
        "calibrating looks at the pictures that are meant", "`--calibrate --features maps` on new pictures", calibrated
    ),
    Fault("what ran travels beside the record", "scenario and strategy gone", travels),
    Fault("`verify --scores` goes on where data is missing", "one of two data sets gone", scores_without_data),
    Fault("`dirty` is unknown where git is not", "no git", no_git),
)
