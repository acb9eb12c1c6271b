"""Sections 4 and 5: files and texts from strangers, and methods that did not fit."""

from __future__ import annotations

import os
import re
from pathlib import Path

from old_build.build import OWN, Build, Fault, Seen
from old_build.values import PHOTOS, photos
from packaging.requirements import Requirement

SHORTENED = """
from clbench.records.record import read_record, seal, to_text
import msgspec
from pathlib import Path

(path,) = Path("results").glob("*/*/*/seed1.json")
record = read_record(path)
path.write_bytes(to_text(seal(msgspec.structs.replace(record, learned=record.learned[:-1]))))
"""
PAGE = Path(__file__).parents[2] / "docs" / "strategy.md"
ASKED = """
    def begin_session(self, session):
        super().begin_session(session)
        self.net.between.register_forward_hook(lambda *_: setattr(type(self), "asked", True))

    def notes(self):
        return {"adapter": "asked" if hasattr(self, "asked") else "never asked"}
"""
UNPACKED = """
import io, tarfile, zipfile
from pathlib import Path
from clbench.data.fetch.unpack import unpack
from clbench.errors import DataError
{made}
try:
    unpack(Path("{name}"), into=Path("into"))
except DataError as error:
    print("refused", error)
else:
    print("unpacked")
"""
LONG_HEADER = """
info = tarfile.TarInfo("a.txt")
info.pax_headers = {"comment": "x" * 100_000}
with tarfile.open("x.tar", "w") as archive:
    archive.addfile(info, io.BytesIO())
"""
TAR_AS_ZIP = """
with tarfile.open("x.zip", "w") as archive:
    archive.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())
"""
FETCHED = """
import http.server, threading
from pathlib import Path
from clbench.data.datasets.dataset import Source
from clbench.data.fetch.download import fetch
OLD, NEW = bytes(range(256)) * 2000, bytes(range(256))[::-1] * 2000

class Careless(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        first = not Path("asked").exists()
        Path("asked").touch()
        self.send_response(206 if start else 200)
        self.send_header("ETag", '"1"' if first else '"2"')
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(NEW) - 1}/{len(NEW)}")
        self.send_header("Content-Length", str(len(NEW) - start))
        self.end_headers()
        self.wfile.write(OLD[:100_000] if first else NEW[start:])
        self.close_connection = True

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Careless)
threading.Thread(target=server.serve_forever, daemon=True).start()
source = Source(file="f", urls=(f"http://127.0.0.1:{server.server_port}/f",))
fetch(source, target=Path("f"), pause=0.01)
print("the new file" if Path("f").read_bytes() == NEW else "half of each")
"""


def pipe(build: Build) -> Seen:
    photos(build)
    build.run(**PHOTOS).well()
    (build.folder / "scenarios/photos/1.jpg").unlink()
    os.mkfifo(build.folder / "scenarios/photos/1.jpg")
    done = build.run("--no-resume", limit=180, **PHOTOS)
    return done.code != 3, done.word


def wrong_shape(build: Build) -> Seen:
    build.run().well()
    build.run("--seed", "1").well()
    build.python(SHORTENED).well()
    done = build.clbench("report", "curves", OWN, COLUMNS="200")
    goes_on = done.code in (0, 6) and "seed1.json" in done.text
    return not goes_on, "left out and named" if goes_on else f"no curve, {done.word}"


def link_as_lock(build: Build) -> Seen:
    (wanted,) = re.findall(r'"(filelock[^"]*)"', (build.door.tree / "pyproject.toml").read_text())
    return Requirement(wanted).specifier.contains("3.20.2"), f"asks for {wanted}"


def _unpacked(build: Build, made: str, name: str) -> Seen:
    said = build.python(UNPACKED.format(made=made, name=name)).well().text
    return said.startswith("unpacked"), said.split()[0]


def long_header(build: Build) -> Seen:
    return _unpacked(build, LONG_HEADER, "x.tar")


def tar_as_zip(build: Build) -> Seen:
    return _unpacked(build, TAR_AS_ZIP, "x.zip")


def other_etag(build: Build) -> Seen:
    said = build.python(FETCHED).well().text.strip()
    return said == "half of each", said


def closed_folder(build: Build) -> Seen:
    build.run().well()
    (file,) = build.record_files()
    file.parent.chmod(0)
    for folder in (build.folder, *build.folder.parents):
        if folder.stat().st_uid == os.getuid() and folder.is_relative_to(build.folder):
            folder.chmod(0o755)
    done = build.clbench("status", nobody=True)
    file.parent.chmod(0o755)
    told = "Permission denied" in done.text and not done.crashed
    return not told, f"{done.word}{', one sentence' if told else ''}"


def formula(build: Build) -> Seen:
    photos(build)
    table = build.folder / "scenarios/mine.csv"
    table.write_text(table.read_text().replace(",cat", ",=1+1"))
    build.run(**(PHOTOS | {"labels": {"sessions": [["=1+1"], ["dog"]]}})).well()
    build.clbench("report", "curves", OWN, COLUMNS="200")
    cells = [cell for path in build.folder.rglob("report/**/*.csv") for cell in re.split(r"[,\n]", path.read_text())]
    bare = [cell for cell in cells if cell.strip('"').startswith("=1+1")]
    assert any("=1+1" in cell for cell in cells)
    return bool(bare), "stands as it is" if bare else "stands as text"


def moves_cursor(build: Build) -> Seen:
    name = build.scenario()
    file = build.folder / name
    file.write_text(file.read_text().replace("Four labels.", '"Four\\alabels."'))
    done = build.clbench("list", "scenarios")
    assert "labels." in done.text
    raw = "\a" in done.text
    return raw, "reaches the terminal" if raw else "is written out"


def _page(build: Build, name: str, *words: str, more: str = "") -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"```python\n((?:(?!```).)*class {name}\(Strategy\):.*?)```", text, re.DOTALL)
    assert found is not None
    build.run(*words, strategy=found[1] + more).well()


def solved(build: Build) -> Seen:
    _page(build, "Solved")
    steps = sum(cost["steps"] for cost in build.record()["costs"])
    return steps > 0, f"trains {steps} steps all the same" if steps else "trains no step"


def adapted(build: Build) -> Seen:
    _page(build, "Adapted", "--set", "train.freeze=backbone", more=ASKED)
    asked = build.record()["notes"]["adapter"]
    return asked != "asked", f"the adapter is {asked}"


ARCHIVES = "archives have limits"
TEXTS = "texts of strangers are escaped where they land"
FIT = "methods without steps, adapters and wrapped backbones fit"
FAULTS = (
    Fault("parsers look before they read", "a pipe in place of a photo", pipe),
    Fault(
        "a record of the wrong shape is left out and named", "a record with a label too few beside another", wrong_shape
    ),
    Fault("links in place of locks are refused", "a filelock that follows links", link_as_lock),
    Fault(ARCHIVES, "a header of 100,000 letters in a tar", long_header),
    Fault(ARCHIVES, "a tar that is called zip", tar_as_zip),
    Fault("downloads end, and start afresh where the file became another", "another ETag in the middle", other_etag),
    Fault("a colleague's folder is one sentence", "a results folder without permission", closed_folder),
    Fault(TEXTS, "a label `=1+1` in CSV files", formula),
    Fault(TEXTS, "a title that rings the bell", moves_cursor),
    Fault(FIT, "closed-form ridge", solved),
    Fault(FIT, "an adapter, `freeze: backbone`", adapted),
)
