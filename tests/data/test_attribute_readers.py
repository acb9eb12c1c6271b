from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_makers import jpeg, put
from scipy.io import savemat

from clbench.data.datasets import pedestrian_attributes as attributes
from clbench.errors import DataError, UsageError

RNG = np.random.default_rng(0)


def cells(texts: list[str]) -> np.ndarray:
    """A column of texts as MATLAB keeps it: a cell array, each cell a char row."""
    column = np.empty((len(texts), 1), dtype=object)
    column[:, 0] = texts
    return column


def nested(texts: list[str]) -> np.ndarray:
    """The same with a cell inside every cell, as the RAP files have it."""
    column = np.empty((len(texts), 1), dtype=object)
    for i, text in enumerate(texts):
        inner = np.empty((1, 1), dtype=object)
        inner[0, 0] = text
        column[i, 0] = inner
    return column


def structs(parts: list[dict[str, np.ndarray]], *, row: bool = False) -> np.ndarray:
    array = np.empty((1, len(parts)) if row else (len(parts), 1), dtype=object)
    for i, part in enumerate(parts):
        array[(0, i) if row else (i, 0)] = part
    return array


def binary(rows: int, columns: int) -> np.ndarray:
    return RNG.integers(0, 2, size=(rows, columns)).astype(np.uint8)


def write_pa100k(root: Path, *, folder: str = "data", **changes: object) -> tuple[Path, dict[str, np.ndarray]]:
    names = {"train": [f"{i:06d}.jpg" for i in (1, 2, 3)], "val": ["000004.jpg"], "test": ["000005.jpg", "000006.jpg"]}
    labels = {part: binary(len(files), 4) for part, files in names.items()}
    content: dict[str, object] = {"attributes": cells(["Female", "AgeOver60", "Hat", "boots"])}
    for part, files in names.items():
        content |= {f"{part}_images_name": cells(files), f"{part}_label": labels[part]}
        for file in files:
            put(root / folder / file, jpeg())
    savemat(root / "annotation.mat", content | changes)
    return root, labels


ATTRIBUTES_105 = [f"attribute {i}" for i in range(105)]


def write_peta(root: Path, *, images: int = 20, **changes: object) -> tuple[Path, np.ndarray]:
    labels = binary(images, 105)
    numbers = np.arange(1, images + 1)[:, None]
    data = np.concatenate([numbers, numbers, np.ones((images, 1)), np.full((images, 1), 100), labels], axis=1).astype(
        np.int32
    )
    half, rest = images // 2, images // 10
    parts = []
    for i in range(5):
        order = np.random.default_rng(i).permutation(images)[:, None] + 1
        parts.append({"train": order[:half], "val": order[half : half + rest], "test": order[half + rest :]})
    peta = {
        "data": data,
        "attribute": cells(ATTRIBUTES_105),
        "selected_attribute": np.arange(1, 36)[None],
        "partition": structs(parts),
    }
    savemat(root / "PETA.mat", {"peta": peta | changes})
    for i in range(images):
        put(root / "images" / f"{i + 1:05d}.png", jpeg())
    return root, labels


def write_rapv1(root: Path, *, images: int = 10, **changes: object) -> tuple[Path, np.ndarray]:
    labels = binary(images, 92)
    labels[3, 0] = 2
    order = [np.random.default_rng(i).permutation(images)[None] + 1 for i in range(5)]
    rap = {
        "partion": structs([{"train": o[:, :8], "test": o[:, 8:]} for o in order]),
        "label": labels,
        "attribute_chinese": nested([f"属性{i}" for i in range(92)]),
        "attribute_eng": nested([f"long name {i}" for i in range(92)]),
        "position": np.zeros((images, 16), dtype=np.int32),
        "imagesname": nested([f"CAM01-frame{i:02d}.png" for i in range(images)]),
        "attribute_exp": nested([f"Attr-{i}" for i in range(51)]),
    }
    path = root / "RAP_annotation" / "RAP_annotation.mat"
    path.parent.mkdir(parents=True)
    savemat(path, {"RAP_annotation": rap | changes})
    for i in range(images):
        put(root / "RAP_dataset" / f"CAM01-frame{i:02d}.png", jpeg())
    return root, labels


def write_rapv2(root: Path, *, images: int = 10, **changes: object) -> tuple[Path, np.ndarray]:
    labels = binary(images, 152)
    labels[:, 111] = 4  # viewpoint, not among the selected ones
    order = [np.random.default_rng(i).permutation(images)[None] + 1 for i in range(5)]
    parts = [{"train_index": o[:, :6], "val_index": o[:, 6:8], "test_index": o[:, 8:]} for o in order]
    rap = {
        "name": nested([f"CAM02-frame{i:02d}.png" for i in range(images)]),
        "data": labels,
        "attribute": nested([f"attribute {i}" for i in range(152)]),
        "selected_attribute": np.array([[3, 1, 152]]),
        "partition_attribute": structs(parts, row=True),
    }
    path = root / "RAP_annotation" / "RAP_annotation.mat"
    path.parent.mkdir(parents=True)
    savemat(path, {"RAP_annotation": rap | changes})
    for i in range(images):
        put(root / "RAP_dataset" / f"CAM02-frame{i:02d}.png", jpeg())
    return root, labels


def read(root: Path, name: str, **options: str) -> attributes.LabelTable:
    return attributes.read(root, name=name, options=options)


@pytest.mark.parametrize("folder", ["data", "release_data/release_data", "images"])
def test_pa100k_is_read_from_its_annotation(tmp_path: Path, folder: str) -> None:
    root, labels = write_pa100k(tmp_path, folder=folder)
    table = read(root, "pa100k")
    assert table.labels == ("Female", "AgeOver60", "Hat", "boots")
    assert table.ids.tolist() == ["000001", "000002", "000003", "000004", "000005", "000006"]
    assert table.split.tolist() == ["train"] * 4 + ["test"] * 2
    assert (table.y == np.concatenate([labels["train"], labels["val"], labels["test"]])).all()
    assert table.paths[0] == f"{folder}/000001.jpg"
    assert table.revision == "pa100k val=train"


def test_validation_images_can_be_left_out(tmp_path: Path) -> None:
    root, _ = write_pa100k(tmp_path)
    assert read(root, "pa100k", val="drop").ids.tolist() == ["000001", "000002", "000003", "000005", "000006"]


@pytest.mark.parametrize("partition", ["0", "4"])
def test_peta_is_read_with_its_partitions(tmp_path: Path, partition: str) -> None:
    root, labels = write_peta(tmp_path)
    table = read(root, "peta", partition=partition)
    order = np.random.default_rng(int(partition)).permutation(20)
    assert table.ids.tolist() == [f"{i + 1:05d}" for i in order]
    assert table.split.tolist() == ["train"] * 12 + ["test"] * 8
    assert table.labels == tuple(ATTRIBUTES_105[:35])
    assert (table.y == labels[order, :35]).all()


def test_peta_has_all_its_attributes_when_asked(tmp_path: Path) -> None:
    root, labels = write_peta(tmp_path)
    table = read(root, "peta", attributes="all", val="drop")
    order = np.random.default_rng(0).permutation(20)
    assert (table.y == labels[np.concatenate([order[:10], order[12:]])]).all()


def test_two_partitions_are_two_tables(tmp_path: Path) -> None:
    root, _ = write_peta(tmp_path)
    assert read(root, "peta", partition="0").digest() != read(root, "peta", partition="1").digest()


def test_rap_v1_is_read_and_what_the_annotators_could_not_tell_is_unknown(tmp_path: Path) -> None:
    root, labels = write_rapv1(tmp_path)
    table = read(root, "rapv1", partition="2")
    order = np.random.default_rng(2).permutation(10)
    assert table.labels == tuple(f"Attr-{i}" for i in range(51))
    assert table.ids.tolist() == [f"CAM01-frame{i:02d}" for i in order]
    wanted = labels[order, :51].astype(np.int8)
    wanted[wanted == 2] = -1
    assert (table.y == wanted).all()
    assert (table.y == -1).sum() == 1
    assert not table.member[table.y == -1].any()


def test_rap_v2_is_read_with_its_selected_attributes(tmp_path: Path) -> None:
    root, labels = write_rapv2(tmp_path)
    table = read(root, "rapv2")
    order = np.random.default_rng(0).permutation(10)
    assert table.labels == ("attribute 2", "attribute 0", "attribute 151")
    assert (table.y == labels[order][:, [2, 0, 151]]).all()
    assert table.split.tolist() == ["train"] * 8 + ["test"] * 2


def test_fields_under_other_names_are_found_at_their_official_places(tmp_path: Path) -> None:
    root, labels = write_peta(tmp_path)
    from scipy.io import loadmat

    peta = loadmat(root / "PETA.mat", simplify_cells=False)["peta"]
    renamed = {f"field_{i}": peta[0, 0][name] for i, name in enumerate(peta.dtype.names)}
    savemat(root / "PETA.mat", {"peta": renamed})
    assert (read(root, "peta").y == labels[np.random.default_rng(0).permutation(20), :35]).all()


def test_a_missing_annotation_says_what_to_do(tmp_path: Path) -> None:
    for name in attributes.OPTIONS:
        with pytest.raises(DataError, match=r"\.mat") as caught:
            read(tmp_path, name)
        assert caught.value.hint.startswith(f"clbench data get {name}")


def test_a_missing_photo_is_counted(tmp_path: Path) -> None:
    root, _ = write_pa100k(tmp_path)
    (root / "data" / "000004.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 6 photos .*data/000004.jpg"):
        read(root, "pa100k")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train_label": binary(2, 4)}, "the labels have 2 rows for 3 images"),
        ({"train_label": binary(3, 4) + 3}, r"label \[0, 0\] is .*expected 0, 1 or 2"),
        ({"train_label": np.full((3, 4), np.nan)}, r"label \[0, 0\] is .*nan"),
        ({"train_label": "text"}, "train_label is not a matrix of numbers"),
        ({"train_images_name": np.zeros(3)}, "train_images_name is not a list of texts"),
        ({"train_images_name": cells(["../1.jpg", "2.jpg", "3.jpg"])}, "not a plain path"),
        ({"train_images_name": cells(["000005.jpg", "2.jpg", "3.jpg"])}, "id '000005' occurs twice"),
        ({"attributes": cells(["one", "two"])}, r"y must be int8 \[6, 2\]"),
    ],
)
def test_a_damaged_field_is_named(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    root, _ = write_pa100k(tmp_path, **changes)
    with pytest.raises(DataError, match=words):
        read(root, "pa100k")


def test_partitions_are_checked(tmp_path: Path) -> None:
    rows = np.arange(1, 21)[:, None]
    for parts, words in (
        ([{"train": rows[:10], "val": rows[10:12], "test": rows[9:]}] * 5, "listed twice"),
        ([{"train": rows + 1, "val": rows, "test": rows}] * 5, "names row 21, but there are 20"),
        ([{"train": rows - 1, "val": rows, "test": rows}] * 5, "names row"),
        ([{"train": rows / 2, "val": rows, "test": rows}] * 5, "not a list of whole numbers"),
        ([{"train": rows, "val": rows, "test": rows}] * 3, "has 3 partitions, expected 5"),
    ):
        folder = tmp_path / words.replace(" ", "-")
        folder.mkdir()
        root, _ = write_peta(folder, partition=structs(parts))
        with pytest.raises(DataError, match=words):
            read(root, "peta")


@pytest.mark.parametrize(
    "data", [b"", b"junk", b"MATLAB 5.0 MAT-file" + b"\0" * 200, b"\x89HDF\r\n\x1a\n" + b"\0" * 500]
)
def test_a_file_that_is_not_matlabs_is_named(tmp_path: Path, data: bytes) -> None:
    put(tmp_path / "annotation.mat", data)
    with pytest.raises(DataError, match=r"annotation.mat"):
        read(tmp_path, "pa100k")


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    root, _ = write_pa100k(tmp_path)
    whole = (root / "annotation.mat").read_bytes()
    for share in (0.3, 0.6, 0.9, 0.99):
        put(root / "annotation.mat", whole[: int(len(whole) * share)])
        with pytest.raises(DataError, match=r"annotation.mat"):
            read(root, "pa100k")


def test_a_partition_that_does_not_exist_is_an_option_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="option partition is '5'"):
        read(tmp_path, "peta", partition="5")
