"""A storm over what a run leaves: it is killed, its files have bits flipped, its readers get damaged files.

    python benchmarks/storm.py [--kills 300] [--flips 500] [--inputs 5000] [--seed 0] [--write docs/trust.md]

Everything happens in a temporary folder and in children of this process, each with a time limit; nothing else on the
machine is touched. A row of the table counts how what was tried ended. What stands under "anything else" is a defect,
and the exit code says whether there is any.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import re
import signal
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import clbench.train.loop
from clbench.data.datasets.coco import read_instances
from clbench.data.features.feature_file import find_features
from clbench.data.fetch.unpack import unpack
from clbench.data.own_table import table_file
from clbench.data.pictures.photo_digest import files_digest
from clbench.data.shards.shards import find_shards
from clbench.data.sparse.files import write_csr
from clbench.data.sparse.labels import Entries
from clbench.data.sparse.open_folder import open_csr
from clbench.data.xml_tree import read_xml
from clbench.errors import ClbenchError, DataError
from clbench.files.checked_lines import checked
from clbench.files.checked_rows import CheckedRows, sums_file, writing_rows
from clbench.files.sealed_json import sealed, unsealed
from clbench.many.sweep_file import load_sweep
from clbench.plan.plans import plan
from clbench.records.record import read_record
from clbench.records.verify.against_stream import verifications
from clbench.records.verify.verify import verify
from clbench.spec.scenario import load_scenario
from clbench.train.events import Event, StepEnded, Watch, silent
from clbench.train.resume import state as states
from clbench.train.resume.kept_weights import read_weights, weights_file
from clbench.train.run import RunOptions, run
from clbench.tune.journal import Journal, Trial, read_journal, write_journal
from clbench.weights import known_files

LIMIT = 120
"""Seconds that a child may take."""
OUTCOMES = ("the same", "read", "refused", "made again", "anything else")
SCENARIO = """
name: storm
version: 1
title: Three small sessions.
dataset: scenes
options: {train: 100, test: 100}
labels: {sessions: [[person, chair], [car, cup], [bottle, dining table]]}
train: {backbone: clbench_small, image_size: 32, epochs: 2, batch_size: 8, optimizer: adamw, lr: 3.0e-3, loss: bce,
        reduction: mean, augment: flip}
strategies: [er]
seeds: [0]
"""
CSV = b'file,split,labels,unknown\na.jpg,train,"cat;dog",\nb.jpg,test,cat,dog\n'
MARKS = re.compile(r"(<!-- storm -->\n).*?(<!-- /storm -->)", re.DOTALL)
Ends = Counter[str]


def carried_out(folder: Path, *, results: Path, watch: Watch = silent, **options: Any) -> Path:
    """Carry out, or go on with, the one run that all of this is about."""
    (wanted,) = plan(str(folder / "storm.yaml"), strategies=["er"], sets=["er.memory=20"])
    return run(wanted, RunOptions(results=results, device="cpu", **options), watch=watch)


def child(work: Callable[[], object], *, kill_after: float | None = None) -> int:
    """Do `work` in a child of this process, killed after some seconds, and return its wait status."""
    pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(LIMIT)
            work()
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            os._exit(1)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)  # a child that ended stays ours until it is waited for
    return os.waitpid(pid, 0)[1]


def kills(folder: Path, *, count: int, rng: random.Random) -> Iterator[tuple[str, Ends]]:
    """Kill the run again and again, each time going on from what the one before left; compare every record."""
    begin = time.monotonic()
    right = read_record(carried_out(folder, results=folder / "whole")).content
    took, ends, number = time.monotonic() - begin, Counter[str](), 0
    while ends["went on"] < count:
        results = folder / f"killed-{number}"
        status = child(
            lambda results=results: carried_out(folder, results=results, save_steps=3),
            kill_after=rng.uniform(0.0, took / 2),
        )
        if os.WIFSIGNALED(status):
            ends["went on"] += 1
            if not ends["went on"] % 50:
                print(f"{ends['went on']} kills: {dict(ends)}", file=sys.stderr, flush=True)
            continue
        ends[_ended(status, results, right)] += 1
        number += 1
    ends[_ended(child(lambda: carried_out(folder, results=results)), results, right)] += 1
    yield f"run killed {ends['went on']} times, {sum(ends[name] for name in OUTCOMES)} records", ends


def _ended(status: int, results: Path, right: str) -> str:
    records = list(results.rglob("seed0.json"))
    same = status == 0 and len(records) == 1 and read_record(records[0]).content == right
    return "the same" if same else "anything else"


# ---------------------------------------------------------------------- flipped bits


def readers(folder: Path) -> dict[str, tuple[Path, Callable[[Path], object]]]:
    """Return the kinds of files that a run leaves: one of each, and how it is read to something comparable."""
    record = carried_out(folder, results=folder / "left", keep_weights=True)
    work = record.with_suffix("")
    (state,) = stopped(folder).rglob("state.pt")
    kept = folder / "pictures.u8"
    with writing_rows(kept) as writer:
        writer.add(np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), dtype=np.uint8))

    def rows(_: Path) -> object:
        checked = CheckedRows(kept, count=40, shape=(3, 8, 8), kind=np.uint8)
        if not checked.is_there():
            raise MadeAgainError
        return checked.read(np.arange(40)).tobytes()

    labels, kept_table = own_table(folder)

    def table(_: Path) -> object:
        return table_file.read(labels, root=labels.parent, options={}, photos=False).digest()

    def found(_: Path) -> object:
        (outcome,) = verifications([record], results=folder / "left", scores=True, scenario=folder / "storm.yaml")
        if outcome.findings:
            raise DataError(str(outcome.findings[0]))
        return read_record(record).content

    def same_strategy(path: Path) -> object:
        if hashlib.sha256(path.read_bytes()).hexdigest() != read_record(record).strategy.sha256:
            raise DataError("not the strategy of the record")
        return True

    def same_scenario(path: Path) -> object:
        if load_scenario(path).digest() != read_record(record).scenario.digest:
            raise DataError("not the scenario of the record")
        return True

    about = {"scenario": "storm", "seeds": [0]}
    trials, told = folder / "search-0.json", folder / "progress.json"
    write_journal(Journal(about, [Trial(n, {"train.lr": 0.1 / (n + 1)}, "done", 0.5, [0.5]) for n in range(4)]), trials)
    told.write_bytes(sealed({"session": 1, "past": {"0": 120}, "maps": [{"session": 0, "growing": 0.61}]}))
    weights = folder / "own.pth"
    weights.write_bytes(b"weights")
    known_files.sha256_of(weights)
    (index,) = known_files.weights_folder().glob("*.json")

    scores = work / read_record(record).scores[-1].file
    log = work / "log.csv"
    log.write_text("".join(checked(f"2026-01-01,step,{step}") for step in range(40)), encoding="utf-8")
    return {
        "record": (record, found),
        "scores": (scores, found),
        "config.yaml": (record.with_name("config.yaml"), found),
        "log.csv": (log, found),
        "state.pt": (state, lambda path: exact(states.load(path))),
        "weights-N.pt": (weights_file(work, 0), lambda path: exact(read_weights(work, session=0))),
        "strategy's file": (work / "er.py", same_strategy),
        "scenario's file": (work / "storm.yaml", same_scenario),
        "kept pictures, features": (kept, rows),
        "their checksums": (sums_file(kept), rows),
        "kept label table": (kept_table, table),
        "trials of a search": (trials, lambda path: read_journal(path, about=about)),
        "progress.json": (told, lambda path: unsealed(path.read_bytes())),
        "digests of weights files": (index, lambda _: known_files.sha256_of(weights)),
        **kept_of_own_data(folder / "parquet", cache=folder / "cache"),
    }


def kept_of_own_data(folder: Path, *, cache: Path) -> dict[str, tuple[Path, Callable[[Path], object]]]:
    """Return, as `readers` does, what is kept of features, pictures and photos beside a table of one's own."""
    from pyarrow import parquet, table

    folder.mkdir()
    pictures = [bytes([shade]) * 200 for shade in range(40)]
    parquet.write_table(table({"x": [[0.5 * row, 1.0, 2.0] for row in range(40)]}), folder / "x.parquet")
    parquet.write_table(table({"key": [f"{row}.jpg" for row in range(40)], "image": pictures}), folder / "p.parquet")
    for row, content in enumerate(pictures):
        (folder / f"{row}.jpg").write_bytes(content)

    def features(_: Path) -> object:
        return find_features(folder, "x.parquet", name="own").files[0].reader()(np.arange(40)).tobytes()

    def packed(_: Path) -> object:
        shards = find_shards(folder, "p.parquet", name="own")
        return [shards.read(row) for row in range(len(shards))]

    def photos(_: Path) -> object:
        return files_digest(names := [f"{row}.jpg" for row in range(40)], [folder / name for name in names])

    def lists(_: Path) -> object:
        try:
            return open_csr(listed).digest()
        except DataError as error:
            raise MadeAgainError from error

    listed = folder / "own.csr"
    entries = Entries(np.arange(41), np.arange(40, dtype=np.int32) % 3, None, 3, unlisted=0)
    write_csr(listed, labels=["cat", "dog", "cow"], entries=entries, test=np.arange(40) > 20)
    for read in (features, packed, photos):
        read(folder)
    (numbers,), (index,), (unpacked,), (digest,) = (
        (cache / kind).glob(f"*{ending}")
        for kind, ending in (("features", ".f32"), ("shards", ".npz"), ("shards", ".pictures"), ("photos", ""))
    )
    return {
        "kept features of Parquet": (numbers, features),
        "the checksums of these": (sums_file(numbers), features),
        "what is known of shards": (index, packed),
        "kept pictures of Parquet": (unpacked, packed),
        "digests of photos": (digest, photos),
        "kept lists of labels": (listed / "columns.npy", lists),
    }


def own_table(folder: Path) -> tuple[Path, Path]:
    """Write a table of one's own, have it read once, and return its file and the one that is kept of it."""
    labels = folder / "own" / "labels.csv"
    labels.parent.mkdir()
    labels.write_bytes(CSV)
    table_file.read(labels, root=labels.parent, options={}, photos=False)
    (kept,) = (folder / "cache" / "tables").glob("*.npz")
    return labels, kept


def stopped(folder: Path) -> Path:
    """Stop the run inside its second session and return its results folder, with the state that it left."""

    def watch(event: Event) -> None:
        if isinstance(event, StepEnded) and (event.session, event.step) == (1, 4):
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        carried_out(folder, results=folder / "stopped", watch=watch, save_steps=1)
    return folder / "stopped"


def exact(value: object) -> bytes:
    """Return the bytes of a value, which two values share only where no bit of them differs."""
    written = io.BytesIO()
    torch.save(value, written)
    return written.getvalue()


class MadeAgainError(Exception):
    """What was kept is not used, and is made again from what it was made of."""


def flips(folder: Path, *, count: int, rng: random.Random) -> Iterator[tuple[str, Ends]]:
    """Flip `count` single bits, one at a time, in every kind of file; each file is put back before the next."""
    kinds = readers(folder)
    pristine = {path: path.read_bytes() for path, _ in kinds.values()}
    for kind, (path, read) in kinds.items():
        right, ends = read(path), Counter[str]()
        whole = pristine[path]
        for _ in range(count):
            bit = rng.randrange(8 * len(whole))
            changed = bytearray(whole)
            changed[bit // 8] ^= 1 << bit % 8
            path.write_bytes(changed)
            try:
                ends["the same" if read(path) == right else "anything else"] += 1
            except MadeAgainError:
                ends["made again"] += 1
            except ClbenchError:
                ends["refused"] += 1
            except Exception as error:
                print(f"{kind}, bit {bit}: {type(error).__name__}: {error}", file=sys.stderr)
                ends["anything else"] += 1
            for each, content in pristine.items():  # what was found damaged may have been removed
                each.write_bytes(content)
        yield f"{kind}, {sum(ends.values())} flipped bits", ends


# ---------------------------------------------------------------------- generated inputs


def inputs(folder: Path, *, count: int, rng: random.Random) -> Iterator[tuple[str, Ends]]:
    """Give damaged files of every kind to their readers: a value or an error of the suite's own, within seconds."""
    kinds = samples(folder)
    for number, (kind, (content, name, read)) in enumerate(kinds.items()):
        ends = Counter[str]()
        share = count // len(kinds) + (number < count % len(kinds))
        place = folder / "given" / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content)
        read(place)  # undamaged, it can be read
        for _ in range(share):
            place.write_bytes(damaged(content, rng))
            signal.alarm(LIMIT)
            try:
                read(place)
                ends["read"] += 1
            except ClbenchError:
                ends["refused"] += 1
            except Exception as error:
                print(f"{kind}: {type(error).__name__}: {error}", file=sys.stderr)
                ends["anything else"] += 1
            signal.alarm(0)
        yield f"{kind}, {share} damaged ones", ends


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return the bytes with one of them changed, or up to three stretches cut out, overwritten or repeated."""
    if rng.random() < 0.5:
        place = rng.randrange(len(content))
        other = rng.choice([rng.randrange(256), *b"0 9\n,:-"])
        return content[:place] + bytes([other]) + content[place + 1 :]
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(content) + 1)
        end = min(len(content), start + rng.randrange(40))
        middle = rng.choice([b"", rng.randbytes(rng.randrange(12)), content[start:end] * 3, b"[" * 300, b"{", b'"'])
        content = content[:start] + middle + content[end:]
    return content or b"\0"


def samples(folder: Path) -> dict[str, tuple[bytes, str, Callable[[Path], object]]]:
    """Return a whole file of each kind, its name and its reader."""
    packed, taped, arrays = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.txt", b"some text" * 20)
    with tarfile.open(fileobj=taped, mode="w:gz") as tape:
        member = tarfile.TarInfo("a/b.txt")
        member.size = 9
        tape.addfile(member, io.BytesIO(b"some text"))
    names = {"paths": np.array(["a.jpg", "b.jpg"]), "labels": np.array(["cat"]), "split": np.array(["train", "test"])}
    np.savez(arrays, **names, y=np.array([[1], [0]], dtype=np.int8))
    instances = {
        "images": [{"id": 1, "file_name": "a.jpg", "split": "train"}, {"id": 2, "file_name": "b.jpg", "split": "test"}],
        "annotations": [{"image_id": 1, "category_id": 5, "iscrowd": 0}],
        "categories": [{"id": 5, "name": "cat"}],
    }
    labels = json.dumps(instances).encode()
    sweep = b"scenarios: [tiny]\nstrategies: [er]\nseeds: [0]\nset: {train.epochs: 1}\n"
    record = next((folder / "left").rglob("seed0.json")).read_bytes()

    def own(path: Path) -> object:
        return table_file.read(path, root=path.parent, options={}, photos=False)

    def whole(path: Path) -> object:
        found = verify(path)
        if not found.ok:
            raise DataError(str(found.findings[0]))
        return found

    def unpacked(path: Path) -> object:
        with tempfile.TemporaryDirectory(dir=folder) as into:
            return unpack(path, into=Path(into))

    return {
        "scenario": (SCENARIO.encode(), "storm.yaml", load_scenario),
        "sweep": (sweep, "sweep.yaml", load_sweep),
        "record": (record, "seed0.json", whole),
        "table as CSV": (CSV, "labels.csv", own),
        "table as NPZ": (arrays.getvalue(), "labels.npz", own),
        "annotations as JSON": (labels, "a.json", lambda path: read_instances(path, name="own")),
        "annotations as XML": (b"<annotation><object><name>cat</name></object></annotation>", "a.xml",
                               lambda path: read_xml(path, root="annotation")),
        "zip": (packed.getvalue(), "a.zip", unpacked),
        "tar": (taped.getvalue(), "a.tar.gz", unpacked),
    }  # fmt: skip


def main() -> int:
    """Let it storm and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    for name, number in (("kills", 300), ("flips", 500), ("inputs", 5000), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--write", type=Path, help="a Markdown file whose block `storm` becomes the table")
    asked = parser.parse_args()
    assert clbench.train.loop.SharedLoop  # imported before anything is forked
    torch.set_num_threads(1)
    rows: list[tuple[str, Ends]] = []
    with tempfile.TemporaryDirectory(prefix="clbench-storm-") as place:
        folder = Path(place)
        os.environ["CLBENCH_CACHE"] = str(folder / "cache")
        (folder / "storm.yaml").write_text(SCENARIO)
        for part, count in ((kills, asked.kills), (flips, asked.flips), (inputs, asked.inputs)):
            for row in part(folder, count=count, rng=random.Random(f"{asked.seed} {part.__name__}")):
                rows.append(row)
                print(f"{row[0]}: {dict(row[1])}", file=sys.stderr, flush=True)
    lines = [f"| what | {' | '.join(OUTCOMES)} |", f"|---|{'---:|' * len(OUTCOMES)}"]
    lines += [f"| {what} | {' | '.join(str(ends[name]) for name in OUTCOMES)} |" for what, ends in rows]
    table = "\n".join(lines) + "\n"
    print(table)
    if asked.write:
        text = asked.write.read_text(encoding="utf-8")
        asked.write.write_text(MARKS.sub(lambda found: f"{found[1]}{table}{found[2]}", text), encoding="utf-8")
    return int(any(ends["anything else"] for _, ends in rows))


if __name__ == "__main__":
    sys.exit(main())
