from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data_makers import jpeg, put, write_nuswide

from clbench.data.datasets import nuswide
from clbench.data.datasets.nuswide_files import CONCEPTS, image_list, label_column
from clbench.errors import DataError, UsageError

TRAIN = {
    "actor/0001_2124494179.jpg": {"person", "sky"},
    "zebra/0002_11.jpg": {"zebra"},
    "actor/0003_12.jpg": set(),
}
TEST = {"bay/0001_21.jpg": {"ocean"}, "bay/0002_22.jpg": set(), "bay/0004_24.jpg": {"sky", "ocean"}}
PHOTOS = [*TRAIN, *TEST]


def flickr(photo: str) -> str:
    return f"Flickr/{photo}"


def images(photo: str) -> str:
    return f"images/{photo}"


def flat(photo: str) -> str:
    return "images/" + photo.rpartition("/")[2]


def by_number(photo: str) -> str:
    return photo.rpartition("_")[2]


def make(root: Path, *, place: Callable[[str], str] = flickr, photos: list[str] = PHOTOS) -> Path:
    write_nuswide(root, concepts=CONCEPTS, Train=TRAIN, Test=TEST)
    for photo in photos:
        put(root / place(photo), jpeg())
    return root


def read(root: Path, name: str = "nuswide-official", **options: str) -> nuswide.LabelTable:
    return nuswide.read(root, name=name, options=options)


def test_the_official_lists_become_the_table_in_their_order(tmp_path: Path) -> None:
    table = read(make(tmp_path))
    assert table.ids.tolist() == [
        "train-000000",
        "train-000001",
        "train-000002",
        "test-000000",
        "test-000001",
        "test-000002",
    ]
    assert table.paths.tolist() == [f"Flickr/{photo}" for photo in PHOTOS]
    assert len(table.labels) == 81
    assert [{table.labels[c] for c in np.flatnonzero(row)} for row in table.y] == [*TRAIN.values(), *TEST.values()]
    assert (table.member == (table.y == 1)).all()
    assert table.revision == "nuswide-official"


def test_the_labelled_data_set_leaves_out_images_without_labels_and_keeps_official_ids(tmp_path: Path) -> None:
    table = read(make(tmp_path), name="nuswide-labelled")
    assert table.ids.tolist() == ["train-000000", "train-000001", "test-000000", "test-000002"]
    assert table.name == "nuswide-labelled"


def test_the_three_data_sets_never_share_a_digest(tmp_path: Path) -> None:
    root = make(tmp_path)
    full = {photo: {"sky"} for photo in TRAIN}
    write_nuswide(root, concepts=CONCEPTS, Train=full, Test={photo: {"sky"} for photo in TEST})
    one, other = read(root), read(root, name="nuswide-labelled")
    assert one.ids.tolist() == other.ids.tolist()
    assert one.digest() != other.digest()


@pytest.mark.parametrize(
    "place", [flickr, images, flat, by_number, lambda photo: photo, lambda photo: f"image/{photo}"]
)
def test_photos_are_found_in_every_usual_layout_and_the_digest_is_the_same(
    tmp_path: Path, place: Callable[[str], str]
) -> None:
    table = read(make(tmp_path / "one", place=place))
    assert table.paths.tolist() == [place(photo) for photo in PHOTOS]
    assert table.digest() == read(make(tmp_path / "other")).digest()


def test_photos_in_two_layouts_at_once_are_found(tmp_path: Path) -> None:
    root = make(tmp_path, photos=PHOTOS[:4])
    for photo in PHOTOS[4:]:
        put(root / flat(photo), jpeg())
    assert read(root).paths.tolist() == [*map(flickr, PHOTOS[:4]), *map(flat, PHOTOS[4:])]


def test_an_absent_photo_is_an_error_by_default_with_its_count_and_name(tmp_path: Path) -> None:
    root = make(tmp_path, photos=PHOTOS[:-1])
    with pytest.raises(DataError, match=r"1 of 6 photos \(16\.67%\) are not in .*: bay/0004_24.jpg; .* allows 0.00%"):
        read(root)


def test_a_stated_share_of_absent_photos_is_left_out_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = make(tmp_path, photos=PHOTOS[:-1])
    with caplog.at_level(logging.WARNING):
        table = read(root, missing="0.2")
    assert table.ids.tolist() == ["train-000000", "train-000001", "train-000002", "test-000000", "test-000001"]
    assert table.revision == "nuswide-official absent=1"
    assert "1 of 6 photos are absent" in caplog.text
    with pytest.raises(DataError, match=r"allows 10.00%"):
        read(root, missing="0.1")


def test_tolerance_alone_changes_nothing(tmp_path: Path) -> None:
    root = make(tmp_path)
    assert read(root, missing="0.01").digest() == read(root).digest()


@pytest.mark.parametrize("value", ["2", "-1", "nan", "some"])
def test_a_tolerance_that_is_no_share_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match="expected a number from 0 to 1"):
        read(make(tmp_path), missing=value)


def test_a_photo_that_appears_later_is_noticed_although_the_table_is_cached(tmp_path: Path) -> None:
    root = make(tmp_path, photos=PHOTOS[:-1])
    assert len(read(root, missing="0.5")) == 5
    put(root / flickr(PHOTOS[-1]), jpeg())
    assert len(read(root, missing="0.5")) == 6


def test_without_photos_the_official_paths_are_kept(tmp_path: Path) -> None:
    root = make(tmp_path, photos=[])
    assert nuswide.read(root, name="nuswide-official", options={}, photos=False).paths.tolist() == PHOTOS


def labels(root: Path) -> Path:
    return root / "Groundtruth" / "TrainTestLabels"


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("Labels_sky_Train.txt", "1\n0\n", "has 2 entries, TrainImagelist.txt has 3"),
        ("Labels_sky_Train.txt", "1\n0\n2\n", "entry 3: '2', expected 0 or 1"),
        ("Labels_sky_Train.txt", "1\n0\n01\n", "entry 3: '01', expected 0 or 1"),
        ("Labels_sky_Train.txt", "1 0 0 0", "has 4 entries"),
        ("Labels_sky_Train.txt", "", "has 0 entries"),
        ("Labels_sky_Train.txt", None, "cannot be read"),
        ("Labels_lake_Train.txt", "0\n0\n-1130179\n", "entry 3: '-1130179'"),
    ],
)
def test_a_damaged_label_file_is_named(tmp_path: Path, file: str, text: str | None, words: str) -> None:
    path = labels(make(tmp_path)) / file
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(DataError, match=words):
        read(tmp_path)


@pytest.mark.parametrize("text", ["", "\n", "actor\\0001.txt\n", "../../x_1.jpg\n"])
def test_a_damaged_image_list_is_named(tmp_path: Path, text: str) -> None:
    put(make(tmp_path) / "ImageList" / "TestImagelist.txt", text)
    with pytest.raises(DataError, match=r"TestImagelist.txt|not a plain path"):
        read(tmp_path)


def test_lists_that_are_not_there_are_an_error_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"TrainImagelist.txt is in none of") as caught:
        read(tmp_path)
    assert caught.value.hint == "clbench data get nuswide-official"


def test_the_one_damaged_entry_of_the_official_release_is_unknown(tmp_path: Path) -> None:
    data = b"0\n1\n-1130179\n0\n"
    values = label_column(data, damaged={3: "-1130179"}, path=tmp_path, name="nuswide-official")
    assert values.tolist() == [0, 1, -1, 0]
    with pytest.raises(DataError, match="entry 3"):
        label_column(data, damaged={2: "-1130179"}, path=tmp_path, name="nuswide-official")


def test_label_files_read_alike_whatever_blanks_they_hold(tmp_path: Path) -> None:
    for text in (b"0\n1\n1", b"0 \r\n1 \r\n1 \r\n", b"\n0\n\n1\n1\n"):
        assert label_column(text, damaged={}, path=tmp_path, name="x").tolist() == [0, 1, 1]


def test_list_lines_with_backslashes_become_plain_paths(tmp_path: Path) -> None:
    assert image_list(make(tmp_path), part="Train", name="x") == list(TRAIN)


ASL = "filepath,label,split_name\nimages/0001_1.jpg,\"['clouds', 'sky']\",train\nimages/0002_2.jpg,['water'],val\n"


def test_the_split_file_of_the_asymmetric_loss_is_its_own_data_set(tmp_path: Path) -> None:
    put(tmp_path / "nus_wid_data.csv", ASL)
    for photo in ("0001_1.jpg", "0002_2.jpg"):
        put(tmp_path / "images" / photo, jpeg())
    table = read(tmp_path, name="nuswide-asl")
    assert table.ids.tolist() == ["images/0001_1", "images/0002_2"]
    assert table.split.tolist() == ["train", "test"]
    assert [{table.labels[c] for c in np.flatnonzero(row)} for row in table.y] == [{"clouds", "sky"}, {"water"}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no rows"),
        ("filepath,label,split_name\n", "has no rows"),
        (ASL.replace("water", "watre"), "row 3: unknown concept 'watre'. Did you mean 'water'"),
        (ASL.replace("val", "test"), "row 3: .*expected file, labels and train or val"),
        (ASL + "x.jpg\n", "row 4"),
    ],
)
def test_a_damaged_split_file_is_named_by_row(tmp_path: Path, text: str, words: str) -> None:
    put(tmp_path / "nus_wid_data.csv", text)
    with pytest.raises(DataError, match=words):
        read(tmp_path, name="nuswide-asl")
