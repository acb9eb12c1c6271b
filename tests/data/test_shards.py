"""Photos in tars and Parquet files: what is read, and what is refused in one message."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from shard_makers import write_tar

from clbench.data.datasets.registry import open_table
from clbench.data.fetch.check import check_table
from clbench.data.pictures.photo_digest import pictures_digest
from clbench.data.pictures.sources import FolderImages
from clbench.data.shards.named_files import expanded
from clbench.data.shards.shard_pictures import ShardPictures
from clbench.data.shards.shards import find_shards
from clbench.data.sparse.files import write_csr
from clbench.data.sparse.table import listed
from clbench.errors import DataError, UsageError

CSV = "file,split,labels\nx/1.jpg,train,s;t\nx/2.png,train,s\nx/3.jpg,test,t;\n"


def picture(shade: int, kind: str = "jpeg") -> bytes:
    pixels = np.arange(12 * 10 * 3, dtype=np.uint8).reshape(12, 10, 3) // 4 + shade
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


PICTURES = {"x/1.jpg": picture(0), "x/2.png": picture(50, "png"), "x/3.jpg": picture(100)}
ONE = {"x/1.jpg": PICTURES["x/1.jpg"], "x/1.json": b'{"a": 1}', "x/2.png": PICTURES["x/2.png"]}
TWO = {"x/3.jpg": PICTURES["x/3.jpg"], "__about__": b"written by hand"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "labels.csv").write_text(CSV)
    write_tar(tmp_path / "own" / "a-0.tar", ONE)
    write_tar(tmp_path / "own" / "a-1.tar", TWO)
    return tmp_path / "own"


def opened(home: Path, **options: str) -> Any:
    return open_table(str(home), root=home, options={"shards": "a-*.tar", **options})


def test_a_name_stands_for_ranges_lists_and_whatever_is_there(home: Path) -> None:
    assert expanded("a") == ["a"]
    assert expanded("{train,test}-{08..10}.tar") == [
        f"{s}-{n}.tar" for s in ("train", "test") for n in ("08", "09", "10")
    ]
    for odd in ("{a}", "{3..1}", "{0..999999999}", "{0..99999}{0..9}"):
        with pytest.raises(UsageError, match=r"stands for|neither a range nor a list"):
            expanded(odd)
    assert [len(find_shards(home, named, name="own")) for named in ("a-*.tar", "a-{0..1}.tar", "a-{1,0}.tar")] == [
        3
    ] * 3
    for odd in ("a**.tar", "**-0.tar", "**"):
        with pytest.raises(UsageError, match=r"option shards is .*\*\*"):
            find_shards(home, odd, name="own")


def test_a_picture_in_a_shard_is_the_picture_that_its_file_would_be(home: Path) -> None:
    table, shards = opened(home), find_shards(home, "a-*.tar", name="own")
    for name, data in PICTURES.items():
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_bytes(data)
    loose = open_table(str(home), root=home, options={})
    inside, outside = ShardPictures(shards, table, size=8), FolderImages(loose, root=home, size=8)
    rows = np.array([2, 0, 1])
    assert torch.equal(inside.read(rows), outside.read(rows))
    assert all(torch.equal(a, b) for a, b in zip(inside.whole(rows), outside.whole(rows), strict=True))
    assert table.digest() == loose.digest()
    digests = [
        pictures_digest(t, dataset=str(home), root=home, options=o)
        for t, o in ((table, {"shards": "a-*.tar"}), (loose, {}))
    ]
    assert digests[0] == digests[1] != ""


def test_rows_name_members_or_keys_in_any_order(home: Path) -> None:
    (home / "labels.csv").write_text("file,split,labels\nx/3,test,t;\nx/1,train,s;t\n./x/2.png,train,s\n")
    table, shards = opened(home), find_shards(home, "a-*.tar", name="own")
    assert [shards.read(int(row)) for row in table.paths] == [
        PICTURES[f"x/{name}"] for name in ("3.jpg", "1.jpg", "2.png")
    ]
    assert shards.place(2).endswith("a-1.tar: x/3.jpg")


def test_a_table_of_lists_finds_its_pictures_by_id(home: Path) -> None:
    y = np.array([[1, 0], [1, 1], [0, 1]], dtype=np.int8)
    test = np.array([False, False, True])
    write_csr(home / "own.csr", labels=["s", "t"], entries=listed(y, unlisted=0), test=test, ids=np.array([2, 1, 3]))
    table = open_table(str(home / "own.csr"), root=home, options={"shards": "a-*.tar", "paths": "x/{id}"})
    assert table.paths.astype(np.int64).tolist() == [1, 0, 2]


@pytest.mark.parametrize("named", ["file_name", "key", "path", ""])
def test_parquet_files_of_bytes_or_as_hugging_face_has_them(home: Path, named: str) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for number, names in enumerate((("x/1.jpg", "x/2.png"), ("x/3.jpg",))):
        columns: dict[str, Any] = {"n": [0] * len(names), "image": [PICTURES[name] for name in names]}
        if named:
            columns[named] = list(names)
        else:  # `datasets` keeps the name of the file alone
            columns["image"] = [{"bytes": PICTURES[name], "path": Path(name).name} for name in names]
        pq.write_table(pa.table(columns), home / f"a-{number}.parquet", row_group_size=1)
    (home / "labels.csv").write_text(CSV if named else CSV.replace("x/", ""))
    table = opened(home, shards="a-*.parquet")
    shards = find_shards(home, "a-{0..1}.parquet#image", name="own")
    assert [shards.read(int(row)) for row in table.paths] == list(PICTURES.values())
    file = shards.shards[1].file
    file.write_bytes(b"\0" + file.read_bytes()[1:])
    with pytest.raises(DataError, match=r"a-1.parquet: .*3.jpg: is not in .* any more as it was"):
        find_shards(home, "a-*.parquet#image", name="own").read(2)
    assert find_shards(home, "a-*.parquet#image", name="own").read(2) == PICTURES["x/3.jpg"]  # made again
    with pytest.raises(DataError, match=r"there is no column 'imag'.*Did you mean 'image'"):
        find_shards(home, "a-*.parquet#imag", name="own")
    pq.write_table(pa.table({"image": [PICTURES["x/1.jpg"], None], "id": [1, 2]}), home / "gap.parquet")
    with pytest.raises(DataError, match="row 1: no picture"):
        find_shards(home, "gap.parquet", name="own")
    whole = (home / "a-0.parquet").read_bytes()
    (home / "a-0.parquet").write_bytes(whole[:-7])
    with pytest.raises(DataError, match=r"a-0.parquet: cut, or not a Parquet file"):
        opened(home, shards="a-*.parquet")


def test_a_shard_that_is_cut_is_refused_wherever_it_is_cut(home: Path) -> None:
    whole = (home / "a-0.tar").read_bytes()
    with tarfile.open(home / "a-0.tar") as tar:
        end = tar.getmembers()[-1]
    last = end.offset_data + (end.size + 511) // 512 * 512  # where the end mark begins
    for cut in (100, 600, 1024, 1324, last - 600, last, last + 200):
        (home / "a-0.tar").write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"own: .*a-0.tar: cut, or not a tar archive"):
            opened(home)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("x/1.jpg", b"1"), ("x/1.jpg", b"2")], r"a-1.tar: 'x/1.jpg' is in it twice"),
        ([("y.jpg", b"1"), ("y.png", b"2")], r"a-1.tar: the key 'y' is there twice: y.jpg and y.png"),
        ([("x/1.png", b"1")], r"the key 'x/1' is there twice: .*a-0.tar: x/1.jpg, and .*a-1.tar: x/1.png"),
        ([("x/3.json", b"{}")], r"a-1.tar holds no pictures"),
        ([("x/3.jpg", b"")], r"a-1.tar: x/3.jpg has 0 bytes"),
        ([("../3.jpg", b"1")], r"'../3.jpg' would be written outside"),
        ([("x/4.jpg", b"1")], r"1 of 3 photos are in none of 2 shards .*: x/3.jpg"),
        (
            [("x/3.jpg", b"1"), ("x/4.jpg", b"1")],
            r"1 of 4 pictures in shards have no row, the first .*a-1.tar: x/4.jpg",
        ),
    ],
)
def test_shards_that_do_not_fit_are_one_message(home: Path, members: list[tuple[str, bytes]], message: str) -> None:
    write_tar(home / "a-1.tar", members)
    kept = sorted(path.name for path in home.iterdir())
    with pytest.raises(DataError, match=message):
        opened(home, unnamed="refuse" if len(members) > 1 or b"4" not in members[0][0].encode() else "drop")
    assert sorted(path.name for path in home.iterdir()) == kept


def test_what_does_not_fit_can_be_left_out_and_is_said(home: Path) -> None:
    write_tar(home / "a-1.tar", [("x/3.jpg", PICTURES["x/3.jpg"]), ("x/4.jpg", PICTURES["x/3.jpg"])])
    (home / "labels.csv").write_text(CSV + "x/5.jpg,train,s\n")
    table = opened(home, unnamed="drop", missing="0.25")
    assert table.paths.tolist() == ["0", "1", "2"] and table.revision.endswith("absent=1")
    assert any("1 of 4 photos are absent" in note for note in table.notes)


def test_equal_photos_are_one_photo_and_never_in_train_and_in_test(home: Path) -> None:
    same = {"x/2.png": PICTURES["x/1.jpg"]}
    write_tar(home / "a-0.tar", ONE | same)
    table = opened(home)
    assert table.ids.tolist() == ["x/1.jpg", "x/3.jpg"] and table.y.tolist() == [[1, 1], [0, 1]]
    (note,) = [note for note in table.notes if "byte for byte the same" in note]
    assert "a-0.tar: x/1.jpg and" in note and len(opened(home, duplicates="keep")) == 3
    write_tar(home / "a-1.tar", {"x/3.jpg": PICTURES["x/1.jpg"]})
    with pytest.raises(DataError, match=r"in train and in test, .*a-0.tar: x/1.jpg and .*a-1.tar: x/3.jpg"):
        opened(home)


def test_shards_of_another_number_or_kind_than_told_are_refused(home: Path) -> None:
    for named, message in {
        "a-{0..3}.tar": r"2 of 4 are not there: a-2.tar, a-3.tar",
        "b-*.tar": "there is no b-\\*.tar",
        "gone/a.tar": "there is no gone/a.tar",
    }.items():
        with pytest.raises(DataError, match=message):
            opened(home, shards=named)
    for named, message in {
        "labels.csv": "'labels.csv': .csv files, expected .tar or .parquet",
        "a-0.tar#x": "only Parquet has columns",
        "a-{0,0}.tar": "which names .*a-0.tar twice",
    }.items():
        with pytest.raises(UsageError, match=message):
            opened(home, shards=named)
    with pytest.raises(UsageError, match="features and shards"):
        np.save(home / "x.npy", np.zeros((3, 2), dtype=np.float32))
        opened(home, features="x.npy")


def test_a_packed_tar_a_link_and_a_shard_that_became_another_are_refused(home: Path) -> None:
    with tarfile.open(home / "a-1.tar", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("x/3.jpg"))
    with pytest.raises(DataError, match=r"a-1.tar is packed.*\n.*gunzip"):
        opened(home)
    with tarfile.open(home / "a-1.tar", "w") as tar:
        link = tarfile.TarInfo("x/3.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(DataError, match="is a link"):
        opened(home)
    write_tar(home / "a-1.tar", TWO)
    shards = find_shards(home, "a-*.tar", name="own")
    (home / "a-1.tar").write_bytes(b"gone")
    with pytest.raises(DataError, match=r"a-1.tar: x/3.jpg: is not in .*a-1.tar any more as it was"):
        shards.read(2)


def test_what_is_known_of_a_shard_is_made_again_where_it_is_damaged(home: Path) -> None:
    from clbench.files.user_folders import cache_folder

    before = find_shards(home, "a-*.tar", name="own")
    for path in (cache_folder() / "shards").glob("a-*.npz"):
        path.write_bytes(path.read_bytes()[:-40])
    after = find_shards(home, "a-*.tar", name="own")
    assert [after.read(row) for row in range(3)] == [before.read(row) for row in range(3)] == list(PICTURES.values())


def test_no_flipped_bit_of_what_is_known_of_a_shard_stops_anything_or_changes_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    right = find_shards(home, "a-0.tar", name="own").shards[0]
    (kept,) = (tmp_path / "cache" / "shards").glob("a-0-*.npz")
    whole = kept.read_bytes()
    for bit in range(0, 8 * len(whole), 3):  # a third of them, every bit of a byte in turn
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        kept.write_bytes(changed)
        found = find_shards(home, "a-0.tar", name="own").shards[0]
        for part in ("names", "keys", "first", "sizes", "checks"):
            assert np.array_equal(getattr(found, part), getattr(right, part)), bit


def test_a_damaged_picture_is_named_by_its_shard_in_a_run_and_in_the_check(home: Path) -> None:
    write_tar(home / "a-1.tar", {"x/3.jpg": PICTURES["x/3.jpg"][:100]})
    table = opened(home)
    source = ShardPictures(find_shards(home, "a-*.tar", name="own"), table, size=8)
    with pytest.raises(DataError, match=r"a-1.tar: x/3.jpg: not readable as a picture"):
        source.read(np.array([0, 2]))
    report = check_table(str(home), root=home, options={"shards": "a-*.tar"}, decode=True, progress=None)
    told = "\n".join(str(finding) for finding in vars(report).values())
    assert "1 of 3 photos cannot be decoded" in told and "a-1.tar: x/3.jpg" in told


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # it leaves files open
def test_webdataset_reads_the_same_keys_and_bytes(home: Path) -> None:
    wds = pytest.importorskip("webdataset")
    found = {}
    for sample in wds.WebDataset([str(home / "a-0.tar"), str(home / "a-1.tar")], shardshuffle=False):
        (ending,) = {"jpg", "png"} & set(sample)
        found[sample["__key__"]] = sample[ending]
    shards = find_shards(home, "a-*.tar", name="own")
    assert {key: shards.read(int(shards.rows_of([key])[0])) for key in found} == found and len(found) == len(shards)
