from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from data_makers import coco_part, jpeg, put

from clbench.data.datasets import registry as known
from clbench.data.datasets.dataset import Dataset, Source
from clbench.data.fetch import data_verbs as verbs
from clbench.errors import DataError, UsageError


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def part(name: str, boxes: dict[int, list[tuple[int, int]]]) -> tuple[bytes, bytes]:
    content = coco_part(name, boxes)
    photos = zipped({f"{name}/{image['file_name']}": jpeg() for image in content["images"]})  # type: ignore[attr-defined]
    return json.dumps(content).encode(), photos


TRAIN, TRAIN_PHOTOS = part("train2014", {1: [(1, 0)], 2: [(3, 0)]})
VAL, VAL_PHOTOS = part("val2014", {3: [(17, 0)]})
FILES = {
    "annotations_trainval2014.zip": zipped(
        {"annotations/instances_train2014.json": TRAIN, "annotations/instances_val2014.json": VAL}
    ),
    "train2014.zip": TRAIN_PHOTOS,
    "val2014.zip": VAL_PHOTOS,
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        data = FILES.get(self.path.strip("/"))
        self.send_response(200 if data else 404)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        self.wfile.write(data or b"")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def coco(server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A COCO 2014 of three photos, served from this machine under the official file names."""
    official = known.DATASETS["coco2014"]
    base = f"http://127.0.0.1:{server.server_address[1]}"
    files = tuple(
        replace(
            source,
            urls=(f"{base}/gone", f"{base}/{source.file}"),
            bytes=len(FILES[source.file]),
            checksum="md5:" + hashlib.md5(FILES[source.file]).hexdigest(),
        )
        for source in official.sources
    )
    small = replace(official, sources=files)
    monkeypatch.setitem(known.DATASETS, "coco2014", small)
    return small


def test_listing_needs_nothing_and_says_where_things_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLBENCH_DATA", str(tmp_path))
    (tmp_path / "voc2007").mkdir()
    rows = {row.name: row for row in verbs.list_datasets()}
    assert rows["voc2007"].place == tmp_path / "voc2007"
    assert rows["coco2014"].place is None
    assert rows["coco2014"].automatic
    assert not rows["rapv2"].automatic


def test_get_fetches_unpacks_and_leaves_a_data_set_that_opens(coco: Dataset, tmp_path: Path) -> None:
    seen: list[str] = []
    got = verbs.get("coco2014", root=tmp_path, progress=lambda what, done, total: seen.append(what), pause=0.0)
    assert got.fetched == tuple(FILES)
    assert got.unchecked == ()
    assert got.next_step == f"clbench data check coco2014 --root {tmp_path}"
    assert len(known.open_table("coco2014", root=tmp_path, options={})) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["annotations", "train2014", "val2014"]
    assert {"train2014.zip", "unpacking train2014.zip"} <= set(seen)


def test_get_again_fetches_nothing(coco: Dataset, tmp_path: Path, server: ThreadingHTTPServer) -> None:
    verbs.get("coco2014", root=tmp_path, pause=0.0)
    server.asked.clear()  # type: ignore[attr-defined]
    got = verbs.get("coco2014", root=tmp_path, pause=0.0)
    assert got.already == tuple(FILES)
    assert server.asked == []  # type: ignore[attr-defined]


def test_without_a_folder_get_uses_the_data_folder(
    coco: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLBENCH_DATA", str(tmp_path / "disk"))
    assert verbs.get("coco2014", pause=0.0).root == tmp_path / "disk" / "coco2014"
    assert len(known.open_table("coco2014", root=None, options={})) == 3


def test_archives_stay_when_asked_or_when_they_were_there_before(coco: Dataset, tmp_path: Path) -> None:
    put(tmp_path / "val2014.zip", VAL_PHOTOS)
    got = verbs.get("coco2014", root=tmp_path, pause=0.0)
    assert got.already == ("val2014.zip",)
    assert (tmp_path / "val2014.zip").exists()
    assert not (tmp_path / "train2014.zip").exists()
    verbs.get("coco2014", root=tmp_path / "two", keep_archives=True, pause=0.0)
    assert (tmp_path / "two" / "train2014.zip").exists()


def test_an_archive_of_the_users_that_is_not_the_official_one_is_neither_used_nor_removed(
    coco: Dataset, tmp_path: Path
) -> None:
    put(tmp_path / "val2014.zip", b"mine")
    with pytest.raises(DataError, match=r"val2014.zip is already there, but it has 4 bytes, expected"):
        verbs.get("coco2014", root=tmp_path, pause=0.0)
    put(tmp_path / "val2014.zip", VAL_PHOTOS[:-1] + b"x")
    with pytest.raises(DataError, match="its checksum is not the official one"):
        verbs.get("coco2014", root=tmp_path, pause=0.0)
    assert (tmp_path / "val2014.zip").read_bytes() == VAL_PHOTOS[:-1] + b"x"


def test_an_unpacking_that_broke_off_is_continued(coco: Dataset, tmp_path: Path) -> None:
    verbs.get("coco2014", root=tmp_path, keep_archives=True, pause=0.0)
    lost = tmp_path / "train2014" / "COCO_train2014_000000000002.jpg"
    lost.unlink()
    put(tmp_path / ".train2014.zip.unpacking")
    verbs.get("coco2014", root=tmp_path, pause=0.0)
    assert lost.exists()
    assert not (tmp_path / ".train2014.zip.unpacking").exists()


def test_other_addresses_can_be_named_and_must_give_the_same_file(
    coco: Dataset, server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    base = f"http://127.0.0.1:{server.server_address[1]}"
    with pytest.raises(DataError, match="expected"):
        verbs.get("coco2014", root=tmp_path, mirrors={"val2014.zip": (f"{base}/train2014.zip",)}, pause=0.0)
    with pytest.raises(UsageError, match=r"has no file 'val.zip'. Did you mean 'val2014.zip'"):
        verbs.get("coco2014", root=tmp_path, mirrors={"val.zip": ()}, pause=0.0)


def test_a_right_archive_with_a_wrong_content_is_noticed(
    coco: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        known.DATASETS, "coco2014", replace(coco, sources=(replace(coco.sources[1], makes=("train2014/x.jpg",)),))
    )
    with pytest.raises(DataError, match=r"unpacked, but .*x.jpg is not there"):
        verbs.get("coco2014", root=tmp_path, pause=0.0)


def test_what_has_no_checksum_is_named(coco: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tuple(replace(source, checksum="", bytes=0) for source in coco.sources)
    monkeypatch.setitem(known.DATASETS, "coco2014", replace(coco, sources=files))
    assert verbs.get("coco2014", root=tmp_path, pause=0.0).unchecked == tuple(FILES)


@pytest.mark.parametrize("name", ["pa100k", "peta", "rapv1", "rapv2"])
def test_what_no_program_may_fetch_comes_with_instructions(tmp_path: Path, name: str) -> None:
    got = verbs.get(name, root=tmp_path)
    assert got.fetched == ()
    assert "Homepage: http" in got.by_hand[-1]
    assert any(".mat" in line for line in got.layout)
    assert list(tmp_path.iterdir()) == []


def test_id_lists_are_fetched_as_files_and_checked_by_checksum(
    tmp_path: Path, server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FILES, "list", b"[1, 2]")
    base = f"http://127.0.0.1:{server.server_address[1]}"
    digest = "sha256:" + hashlib.sha256(b"[1, 2]").hexdigest()
    lists = Source("COCOseq/ids/train.json", (f"{base}/list",), bytes=6, checksum=digest)
    monkeypatch.setitem(known.DATASETS, "prs-lists", replace(known.DATASETS["prs-lists"], sources=(lists,)))
    assert not verbs.check("prs-lists", root=tmp_path).ok
    assert verbs.get("prs-lists", root=tmp_path, pause=0.0).fetched == ("COCOseq/ids/train.json",)
    assert (tmp_path / "COCOseq" / "ids" / "train.json").read_bytes() == b"[1, 2]"
    assert verbs.check("prs-lists", root=tmp_path).ok
    put(tmp_path / "COCOseq" / "ids" / "train.json", b"[1, 3]")
    assert not verbs.check("prs-lists", root=tmp_path).ok
