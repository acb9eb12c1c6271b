"""What is given is looked at before it is read: no pipe makes a reader wait, no huge file fills the memory."""

from __future__ import annotations

import os
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clbench.data.datasets.coco import read_instances
from clbench.data.datasets.matlab import MatFile
from clbench.data.datasets.open_images import _blocks
from clbench.data.datasets.text import read_text
from clbench.data.fetch.photo_probe import probe
from clbench.data.fetch.unpack import unpack
from clbench.data.own_table.npz_and_json import read_npz
from clbench.data.parquet_file import open_parquet
from clbench.data.pictures.decode import decode
from clbench.data.pictures.photo_digest import files_digest
from clbench.data.sparse.open_folder import open_csr
from clbench.data.xml_tree import read_xml
from clbench.errors import ClbenchError, DataError
from clbench.files.given import LARGEST_TABLE, LARGEST_TEXT, open_given, read_given
from clbench.files.yaml_text import read_mapping
from clbench.nn.text.table import read_text_table
from clbench.records.record import read_record
from clbench.records.verify.verify import verify
from clbench.spec.scenario import load_scenario
from clbench.stream.published_lists import read_lists
from clbench.train.resume import state as states
from clbench.tune.journal import read_journal
from clbench.weights.resolve import resolve

OWN = {"val": "refuse"}
READERS: dict[str, Callable[[Path], object]] = {
    "a.yaml": load_scenario,
    "sweep.yaml": lambda path: read_mapping(path, what="a sweep", hint=""),
    "labels.npz": lambda path: read_npz(path, name="own", values=OWN),
    "labels.csv": lambda path: read_text(path, name="own"),
    "instances.json": lambda path: read_instances(path, name="own"),
    "a.xml": lambda path: read_xml(path, root="annotation"),
    "a.mat": lambda path: MatFile(path, name="own"),
    "a.jpg": decode,
    "seed0.json": read_record,
    "state.pt": states.load,
    "trials.json": lambda path: read_journal(path, about={}),
    "texts.npz": lambda path: read_text_table(str(path)),
    "weights.pth": lambda path: resolve(str(path), backbone="resnet18"),
    "archive.zip": lambda path: unpack(path, into=path.parent / "into"),
    "archive.tar.gz": lambda path: unpack(path, into=path.parent / "into"),
    "shard.parquet": open_parquet,
    "oidv6-train-annotations-human-imagelabels.csv": lambda path: list(_blocks(path, {}, name="own")),
    "about.json": lambda path: open_csr(path.parent),
    "Split-COCO.zip": lambda path: read_lists("agcn:split-coco", source="a.yaml", folder=path.parent),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", READERS)
def test_no_reader_waits_for_a_pipe(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(ClbenchError, match=r"not a plain file|not a readable state"):
        READERS[name](tmp_path / name)
    assert not verify(tmp_path / name).ok and probe(tmp_path / name).problem


def test_a_pipe_in_place_of_a_photo_is_absent_from_their_digest(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(b"a photo")
    paths = [tmp_path / name for name in ("a.jpg", "b.jpg")]
    with_pipe = files_digest(["a", "b"], paths)
    paths[0].unlink()
    assert with_pipe == files_digest(["a", "b"], paths) != ""


def test_a_list_of_ids_is_not_unpacked_where_it_is_larger_than_any(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "Split-COCO.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Split-COCO/task0/train.csv", bytes(LARGEST_TEXT + 1))
    with pytest.raises(DataError, match="larger than any list"):
        read_lists("agcn:split-coco", source="a.yaml", folder=tmp_path)


def test_what_is_larger_than_anything_read_here_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)  # a hole: it takes no room
    for read in (read_given, open_given):
        with pytest.raises(OSError, match=r"1,099,511,627,776 bytes, at most 1,000 are read"):
            read(tmp_path / "large", largest=1000)
    for name in ("a.yaml", "labels.csv", "instances.json", "a.xml", "a.jpg", "seed0.json"):
        os.link(tmp_path / "large", tmp_path / name)
        with pytest.raises(ClbenchError, match=r"bytes"):
            READERS[name](tmp_path / name)


def table(**more: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "paths": np.array(["a.jpg", "b.jpg"]),
        "labels": np.array(["cat"]),
        "y": np.array([[1], [0]], dtype=np.int8),
        "split": np.array(["train", "test"]),
    } | more


def test_reading_a_small_file_makes_no_room_for_the_largest(tmp_path: Path) -> None:
    path = tmp_path / "about.json"
    path.write_bytes(b"{}")
    tracemalloc.start()
    try:
        assert read_given(path, largest=LARGEST_TABLE) == b"{}"
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_arrays_that_no_table_has_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "labels.npz"
    np.savez(path, **table(other=np.array([{"an": "object"}], dtype=object), features=np.zeros(100_000)))
    monkeypatch.setattr("clbench.data.own_table.npz_and_json.LARGEST", 10_000)  # of what is read
    assert read_npz(path, name="own", values=OWN).labels == ["cat"]
    np.savez(path, **table(member=np.zeros((2, 20_000), dtype=np.bool_)))
    with pytest.raises(DataError, match=r"its arrays would take 4\d,\d+ bytes"):
        read_npz(path, name="own", values=OWN)
