from __future__ import annotations

import io
import os
import stat
import struct
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from data_makers import put
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clbench.data.fetch.unpack import unpack
from clbench.errors import DataError


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def make_tar(path: Path, files: dict[str, bytes], *, mode: str = "w", **special: tarfile.TarInfo) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in special.values():
            archive.addfile(info)
    return path


FILES = {"set/a.txt": b"alpha", "set/deep/b.bin": bytes(range(256)) * 50, "c": b""}


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "home" / "data"


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["x.zip", "x.tar", "x.tar.gz"])
def test_an_archive_is_unpacked_with_its_folders(tmp_path: Path, into: Path, kind: str) -> None:
    path = tmp_path / kind
    make_zip(path, FILES) if kind == "x.zip" else make_tar(path, FILES, mode="w:gz" if kind.endswith("gz") else "w")
    seen: list[int] = []
    assert unpack(path, into=into, progress=lambda what, done, total: seen.append(done)) == 3
    assert tree(into) == FILES
    assert seen[-1] == sum(map(len, FILES.values()))


def test_folders_and_a_leading_dot_are_fine(tmp_path: Path, into: Path) -> None:
    path = make_tar(tmp_path / "x.tar", {"./set/a.txt": b"alpha"})
    folder = tarfile.TarInfo("./set/")
    folder.type = tarfile.DIRTYPE
    make_tar(tmp_path / "y.tar", {"set/b.txt": b"beta"}, folder=folder)
    unpack(path, into=into)
    unpack(tmp_path / "y.tar", into=into)
    assert tree(into) == {"set/a.txt": b"alpha", "set/b.txt": b"beta"}


def test_unpacking_again_changes_nothing(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "x.zip", FILES)
    unpack(path, into=into)
    before = {file: file.stat().st_mtime_ns for file in into.rglob("*")}
    unpack(path, into=into)
    assert {file: file.stat().st_mtime_ns for file in into.rglob("*")} == before


@pytest.mark.parametrize("there", [b"mine", b"ALPHA"])
def test_a_file_of_the_users_is_never_replaced(tmp_path: Path, into: Path, there: bytes) -> None:
    put(into / "set" / "a.txt", there)
    with pytest.raises(DataError, match=r"a.txt is already there and is not what x.zip holds"):
        unpack(make_zip(tmp_path / "x.zip", FILES), into=into)
    assert (into / "set" / "a.txt").read_bytes() == there


EVIL = [
    "../evil",
    "set/../../evil",
    "/tmp/clbench-evil",
    "..",
    "set/..",
    "C:/evil",
    "c:evil",
    "..\\evil",
    "set\\evil",
    "a//b",
    "a/./b",
]


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_path_that_leaves_the_folder_is_refused_before_anything_is_written(
    tmp_path: Path, into: Path, kind: str, name: str
) -> None:
    files = {"good.txt": b"good", name: b"evil"}
    path = tmp_path / "x.archive"
    make_zip(path, files) if kind == "zip" else make_tar(path, files)
    with pytest.raises(DataError, match="would be written outside the data folder"):
        unpack(path, into=into)
    assert tree(tmp_path / "home") == {}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, into: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("link")
    info.type = kind
    info.linkname = "/etc/passwd"
    with pytest.raises(DataError, match="'link' is a link or a device"):
        unpack(make_tar(tmp_path / "x.tar", {"a": b"a"}, link=info), into=into)
    assert tree(tmp_path / "home") == {}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, into: Path, kind: int) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="'link' is a link or a device"):
        unpack(tmp_path / "x.zip", into=into)


def test_nothing_is_written_through_a_link_that_leaves_the_folder(tmp_path: Path, into: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    into.mkdir(parents=True)
    (into / "set").symlink_to(outside)
    with pytest.raises(DataError, match="is a link that leads out of"):
        unpack(make_zip(tmp_path / "x.zip", FILES), into=into)
    assert list(outside.iterdir()) == []


def test_a_link_in_place_of_a_file_is_not_written_through(tmp_path: Path, into: Path) -> None:
    outside = put(tmp_path / "outside.txt", b"alpha")
    (into / "set").mkdir(parents=True)
    (into / "set" / "a.txt").symlink_to(outside)
    with pytest.raises(DataError, match="is already there"):
        unpack(make_zip(tmp_path / "x.zip", {"set/a.txt": b"other"}), into=into)
    assert outside.read_bytes() == b"alpha"


def test_a_member_that_occurs_twice_is_refused(tmp_path: Path, into: Path) -> None:
    path = make_tar(tmp_path / "x.tar", {"a.txt": b"one", "A.TXT": b"two"})
    with pytest.raises(DataError, match="is in it twice"):
        unpack(path, into=into)
    assert tree(tmp_path / "home") == {}


def test_a_size_bomb_is_refused_before_it_goes_off(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "x.zip", {f"{i}": bytes(40_000_000) for i in range(3)})
    assert path.stat().st_size < 200_000
    with pytest.raises(DataError, match=r"would unpack to 120,000,000, which no data set does"):
        unpack(path, into=into)
    assert tree(tmp_path / "home") == {}


def test_a_packed_tar_that_claims_endless_files_is_refused_at_its_header(tmp_path: Path, into: Path) -> None:
    info = tarfile.TarInfo("huge")
    info.size = 1 << 50
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        archive.fileobj.write(info.tobuf())  # type: ignore[union-attr]
    with pytest.raises(DataError, match="which no data set does"):
        unpack(tmp_path / "x.tar.gz", into=into)


def test_a_header_of_a_tar_is_not_read_where_it_is_longer_than_any_name(tmp_path: Path, into: Path) -> None:
    info = tarfile.TarInfo("a.txt")
    info.pax_headers = {"comment": "x" * 100_000}
    for kind in ("x.tar", "x.tar.gz"):
        with tarfile.open(tmp_path / kind, "w:gz" if kind.endswith("gz") else "w") as archive:
            archive.addfile(info, io.BytesIO())
        with pytest.raises(DataError, match=r"not an archive: a header of 1\d{5} bytes"):
            unpack(tmp_path / kind, into=into)


def test_the_list_of_a_zip_is_not_read_where_it_is_out_of_proportion(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_zip(tmp_path / "x.zip", {f"{i}": b"" for i in range(30)})
    monkeypatch.setattr("clbench.data.fetch.unpack.MAX_DIRECTORY", 1000)
    with pytest.raises(DataError, match=r"its list of 30 files takes 1,\d+ bytes"):
        unpack(path, into=into)


def test_a_tar_is_taken_only_where_the_name_says_so(tmp_path: Path, into: Path) -> None:
    with pytest.raises(DataError, match="damaged or not an archive"):
        unpack(make_tar(tmp_path / "x.zip", FILES), into=into)
    with pytest.raises(DataError, match="damaged or not an archive"):
        unpack(make_zip(tmp_path / "x.tar", FILES), into=into)
    assert not tree(into)


def test_a_disk_that_fills_while_it_is_written_to_ends_the_unpacking(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter([10**9, 10**9, 10**9, 10**8])

    def usage(_: Path) -> Any:
        return SimpleNamespace(free=next(left))

    monkeypatch.setattr("shutil.disk_usage", usage)  # somebody else fills it
    monkeypatch.setattr("clbench.files.room.EVERY", 1)
    with pytest.raises(DataError, match=r"the disk is filling up: 100 MB are free") as caught:
        unpack(make_zip(tmp_path / "x.zip", dict.fromkeys("abcdef", b"some")), into=into)
    assert "--root" in caught.value.hint and set(tree(into).values()) == {b"some"}


def test_a_zip_member_longer_than_it_says_is_refused(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "x.zip", {"a.bin": os.urandom(5000)})
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<L", 100)  # uncompressed size in the directory
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged or not an archive"):
        unpack(path, into=into)
    assert tree(tmp_path / "home") == {}


def test_an_encrypted_zip_is_refused(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "x.zip", {"a": b"a"})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="'a' is encrypted"):
        unpack(path, into=into)


@pytest.mark.parametrize("data", [b"", b"junk" * 100, b"PK\x03\x04" + b"x" * 100, b"\x1f\x8b" + b"x" * 100])
def test_what_is_no_archive_is_named(tmp_path: Path, into: Path, data: bytes) -> None:
    with pytest.raises(DataError, match=r"damaged or not an archive|cannot be unpacked"):
        unpack(put(tmp_path / "x.zip", data), into=into)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(st.data())
def test_a_damaged_archive_leaves_only_whole_files_and_no_traceback(tmp_path: Path, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["zip", "tar", "tar.gz"]))
    path = tmp_path / f"x.{kind}"
    make_zip(path, FILES) if kind == "zip" else make_tar(path, FILES, mode="w:gz" if kind == "tar.gz" else "w")
    whole = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        whole = whole[: data.draw(st.integers(0, len(whole)))]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    into = tmp_path / f"out {data.draw(st.uuids())}"
    with suppress(DataError):
        unpack(path, into=into)
    assert not [name for name in tree(into) if name.endswith(".part")]
