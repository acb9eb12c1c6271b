"""Files of features beside a label table: what is read, and what is refused in one message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clbench.data.datasets.registry import open_table
from clbench.data.features.feature_file import find_features
from clbench.data.features.feature_rows import FeatureRows
from clbench.data.pictures.photo_digest import pictures_digest
from clbench.errors import DataError, UsageError
from clbench.files.checked_rows import sums_file

X = np.arange(12, dtype=np.float32).reshape(4, 3) / 4  # exact in every type
CSV = "id,split,labels\na,train,s;t\nb,val,s\nc,train,t;\nd,test,s;t\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "labels.csv").write_text(CSV)
    return tmp_path


def write(path: Path, array: Any) -> None:
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file({"x": torch.as_tensor(array).contiguous()}, path)
    else:
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.table({"n": [1] * len(array), "x": list(array)}), path)


def read(home: Path, named: str, **options: str) -> torch.Tensor:
    table = open_table(str(home), root=home, options={"features": named, "val": "drop", **options})
    return FeatureRows(find_features(home, named, name="own"), table).read(np.arange(len(table)))


@pytest.mark.parametrize("name", ["x.npy", "x.safetensors", "x.safetensors#x", "x.parquet", "x.parquet#x"])
def test_a_row_of_the_table_has_the_features_of_its_row_in_the_file(home: Path, name: str) -> None:
    write(home / name.partition("#")[0], X)
    found = read(home, name)
    assert found.dtype == torch.float32 and found.shape == (3, 3, 1, 1)  # the image of `val` is dropped, its row too
    assert np.array_equal(found[:, :, 0, 0], X[[0, 2, 3]])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_type_of_floating_point_is_read_as_the_numbers_it_holds(home: Path, dtype: torch.dtype) -> None:
    write(home / "x.safetensors", torch.from_numpy(X).to(dtype))
    assert np.array_equal(read(home, "x.safetensors")[:, :, 0, 0], X[[0, 2, 3]])


def test_tokens_become_positions_of_a_map_and_maps_stay_what_they_are(home: Path) -> None:
    tokens = np.arange(4 * 2 * 3, dtype=np.float32).reshape(4, 2, 3)
    write(home / "t.npy", tokens)
    found = read(home, "t.npy")
    assert found.shape == (3, 3, 2, 1) and found[1, :, 1, 0].tolist() == tokens[2, 1].tolist()
    write(home / "m.npy", tokens.reshape(4, 3, 2, 1))
    assert read(home, "m.npy")[1].tolist() == tokens.reshape(4, 3, 2, 1)[2].tolist()


def test_an_npz_with_features_needs_no_paths(tmp_path: Path) -> None:
    y, split = np.array([[1, 0], [0, 1], [1, -1], [1, 1]]), np.array(["train", "train", "train", "test"])
    np.savez(tmp_path / "labels.npz", labels=np.array(["s", "t"]), y=y, split=split)
    np.save(tmp_path / "x.npy", X)
    table = open_table(str(tmp_path), root=tmp_path, options={"features": "x.npy"})
    assert table.ids.tolist() == ["00000000", "00000001", "00000002", "00000003"]
    assert table.y.tolist() == y.tolist() and table.paths.tolist() == ["0", "1", "2", "3"]


def with_nan() -> Any:
    bad = X.copy()
    bad[2, 1] = np.nan
    return bad


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("x.npy", X[:3], r"x.npy has 3 rows, labels.csv has 4"),
        ("x.npy", with_nan(), r"x.npy: row 2 holds a number that is not finite"),
        ("x.safetensors", with_nan(), r"row 2 holds a number that is not finite"),
        ("x.npy", X.astype(np.int64), r"x.npy: int64, expected floating point"),
        ("x.safetensors", X.astype(np.uint8), r"tensor 'x' is U8, expected floating point"),
        ("x.npy", X[:, 0], r"features of shape \[4\]"),
        ("x.npy", np.asfortranarray(X), r"stored column by column"),
        ("x.npy", np.array([{}, {}]), r"not a whole NumPy array: .*Python objects"),
        ("x.npy", X.astype(np.float64) * 1e300, r"x.npy: row 0 holds a number that is not finite in float32"),
        ("x.parquet", [[1.0], [2.0], [None], [3.0]], r"x.parquet: column 'x', row 2: not a list of 1 numbers"),
        ("x.parquet", [None, [2.0], [2.0], [3.0]], r"x.parquet: column 'x', row 0: not a list of numbers as others"),
        ("x.parquet", with_nan(), r"/x.parquet: row 2 holds a number that is not finite"),
        ("x.parquet", X[:3], r"/x.parquet has 3 rows, labels.csv has 4"),
        ("x.parquet", [[1.0, 2.0], [1.0], [1.0, 2.0], [1.0, 2.0]], r"row 1: not a list of 2 numbers as others are"),
    ],
)
def test_a_file_that_does_not_fit_is_one_message(home: Path, name: str, array: Any, message: str) -> None:
    write(home / name, array)
    with pytest.raises(DataError, match=message):
        read(home, name)


@pytest.mark.parametrize("shape", ["(4, 4000000000000000000)", "(4, 90000000000)", "(-4, -3)", "(4, 'x')", "4"])
def test_a_header_that_lies_is_one_message(home: Path, shape: str) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    (home / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + X.tobytes())
    with pytest.raises(DataError, match=r"x.npy is not a whole NumPy array"):
        read(home, "x.npy")


def test_a_parquet_file_that_is_damaged_inside_is_no_full_disk(home: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    import pyarrow as pa

    rows = list(np.random.default_rng(0).standard_normal((4, 400)))
    pq.write_table(pa.table({"x": rows}), home / "x.parquet", write_page_checksum=True)
    whole = bytearray((home / "x.parquet").read_bytes())
    for damaged in (slice(4, 60), slice(900, 1000)):  # a page's header; numbers, which their checksum gives away
        broken = whole.copy()
        broken[damaged] = bytes(255 - byte for byte in whole[damaged])
        (home / "x.parquet").write_bytes(broken)
        with pytest.raises(DataError, match=r"x.parquet: cannot be read"):
            read(home, "x.parquet")


def test_tokens_and_maps_lie_in_parquet_as_lists_of_lists_and_as_tensors(home: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    import pyarrow as pa

    tokens = np.random.default_rng(1).standard_normal((4, 3, 2)).astype(np.float32)
    nested = pa.list_(pa.list_(pa.float32()))
    for column, wanted in (
        (pa.array(tokens.tolist(), nested), tokens),
        (pa.FixedShapeTensorArray.from_numpy_ndarray(tokens), tokens),
        (pa.FixedShapeTensorArray.from_numpy_ndarray(tokens.reshape(4, 3, 2, 1)), tokens.reshape(4, 3, 2, 1)),
    ):
        pq.write_table(pa.table({"x": column}), home / "x.parquet")
        found = find_features(home, "x.parquet", name="t")
        assert found.shape == wanted.shape
        (file,) = found.files
        assert np.array_equal(file.numbers(file.reader()(np.array([2, 0]))), wanted[[2, 0]])
    for place, broken in {
        1: [[1.0, 2.0]] * 2,
        2: [[1.0, 2.0], [1.0, 2.0], [1.0]],
        3: [[1.0, 2.0], None, [1.0, 2.0]],
        0: None,
    }.items():
        rows = tokens.tolist()
        rows[place] = broken
        pq.write_table(pa.table({"x": pa.array(rows, nested)}), home / "x.parquet")
        with pytest.raises(DataError, match=rf"column 'x', row {place}: not a list of"):
            find_features(home, "x.parquet", name="t")
    turned = pa.fixed_shape_tensor(pa.float32(), [2, 3], permutation=[1, 0])
    column = pa.ExtensionArray.from_storage(turned, pa.array(tokens.reshape(4, 6).tolist(), pa.list_(pa.float32(), 6)))
    pq.write_table(pa.table({"x": column}), home / "x.parquet")
    with pytest.raises(DataError, match=r"whose axes are stored in the order \[1, 0\]"):
        find_features(home, "x.parquet", name="t")


def test_bytes_behind_an_array_are_refused(home: Path) -> None:
    with (home / "x.npy").open("wb") as file:
        np.save(file, X)
        np.save(file, X)
    with pytest.raises(DataError, match=r"x.npy has \d+ bytes behind its array of \[4, "):
        read(home, "x.npy")


def test_names_that_mean_nothing_are_refused(home: Path) -> None:
    write(home / "x.safetensors", X)
    write(home / "x.npy", X)
    for named, message in {
        "gone.npy": "no such file",
        "labels.csv": "expected a file that ends in .npy",
        "x.npy#y": "has no parts",
        "x.safetensors#y": "there is no tensor 'y'",
    }.items():
        with pytest.raises(DataError, match=message):
            read(home, named)
    for named in ("**x*.npy", "x**.npy", "a**/x.npy", "**", "/tmp/*.npy"):
        with pytest.raises(UsageError, match="option features is"):
            read(home, named)
    assert read(home, "**/x.npy").shape == read(home, "x.npy").shape, "a folder called so is any depth of them"


@pytest.mark.parametrize("name", ["x.npy", "x.safetensors", "x.parquet"])
def test_a_file_that_is_cut_is_refused(home: Path, name: str) -> None:
    write(home / name, X)
    whole = (home / name).read_bytes()
    (home / name).write_bytes(whole[:-5])
    with pytest.raises(DataError, match=r"x\.\w+"):
        read(home, name)


def test_a_file_that_changed_is_looked_through_again(home: Path) -> None:
    write(home / "x.npy", X)
    read(home, "x.npy")
    write(home / "x.npy", with_nan())
    with pytest.raises(DataError, match="row 2 holds a number that is not finite"):
        read(home, "x.npy")


def test_no_flipped_bit_of_what_is_kept_of_a_parquet_file_goes_unseen(home: Path) -> None:
    write(home / "x.parquet", X)
    read(home, "x.parquet")
    kept = Path(find_features(home, "x.parquet", name="own").files[0].path)
    for file in (kept, sums_file(kept)):
        whole = {one: one.read_bytes() for one in (kept, sums_file(kept))}
        for bit in range(8 * len(whole[file])):
            changed = bytearray(whole[file])
            changed[bit // 8] ^= 1 << bit % 8
            file.write_bytes(changed)
            try:
                assert np.array_equal(read(home, "x.parquet")[:, :, 0, 0], X[[0, 2, 3]])  # made again
            except DataError as error:
                assert "not as it was written" in str(error) and not kept.exists()
            for one, content in whole.items():
                one.write_bytes(content)


def test_a_digest_of_features_is_of_the_file_that_was_named_wherever_it_lies(home: Path, tmp_path: Path) -> None:
    def digest(folder: Path) -> str:
        table = open_table(str(folder), root=folder, options={"features": "x.parquet", "val": "drop"})
        return pictures_digest(table, dataset=str(folder), root=folder, options={"features": "x.parquet"})

    write(home / "x.parquet", X)
    there = tmp_path / "there"
    there.mkdir()
    for name in ("labels.csv", "x.parquet"):
        (there / name).write_bytes((home / name).read_bytes())
    assert digest(home) == digest(there) != ""
    write(there / "x.parquet", X + 1)
    assert digest(home) != digest(there)


def test_files_that_follow_each_other_are_one_table_of_features(home: Path) -> None:
    for name, part in {"x-0.npy": X[:1], "x-1.npy": X[1:3], "x-2.npy": X[3:]}.items():
        write(home / name, part)
    found = read(home, "x-*.npy")
    assert np.array_equal(found[:, :, 0, 0], X[[0, 2, 3]])
    write(home / "x-2.npy", X[3:, :2])
    with pytest.raises(DataError, match=r"x-2.npy has rows \[2\] of <f4, x-0.npy has \[3\] of <f4"):
        read(home, "x-*.npy")
    (home / "x-2.npy").write_bytes((home / "x-2.npy").read_bytes()[:-3])
    with pytest.raises(DataError, match=r"x-2.npy"):
        read(home, "x-*.npy")
    with pytest.raises(DataError, match="no such files"):
        read(home, "y-*.npy")


def test_files_whose_numbers_and_names_disagree_on_the_order_are_refused_and_a_range_says_it(home: Path) -> None:
    for number in range(12):
        np.save(home / f"x-{number}.npy", X[number % 4 : number % 4 + 1] + number)
    with pytest.raises(DataError, match=r"by name x-10.npy comes before x-2.npy, by number behind") as caught:
        find_features(home, "x-*.npy", name="t")
    assert "x-{0..11}.npy" in caught.value.hint
    found = find_features(home, "x-{0..11}.npy", name="t")
    assert [file.path.name for file in found.files] == [f"x-{number}.npy" for number in range(12)]
    (home / "x-7.npy").unlink()
    with pytest.raises(DataError, match=r"1 of 12 are not there: x-7.npy"):
        find_features(home, "x-{0..11}.npy", name="t")
