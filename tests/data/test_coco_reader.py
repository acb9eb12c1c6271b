from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from data_makers import coco_part, jpeg, put, write_coco

from clbench.data.datasets import coco
from clbench.data.datasets.registry import open_table
from clbench.errors import DataError, UsageError

CAR, PERSON, CAT = 3, 1, 17
# one image of each kind: plain, crowd beside a single object, only a crowd, nothing at all
TRAIN = {9: [(CAR, 0), (PERSON, 0)], 25: [(PERSON, 1), (PERSON, 0)], 30: [(CAT, 1)], 42: []}
VAL = {1: [(CAT, 0)], 2: [(CAR, 1), (CAT, 0)]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_coco(tmp_path / "coco", train2014=TRAIN, val2014=VAL)


def read(root: Path, **options: str) -> coco.LabelTable:
    return coco.read(root, name="coco2014", options=options)


def marks(table: coco.LabelTable, image: int) -> tuple[list[int], list[bool]]:
    row = table.ids.tolist().index(f"{image:012d}")
    return table.y[row].tolist(), table.member[row].tolist()


def test_labels_come_in_category_order_and_ids_are_the_official_numbers(root: Path) -> None:
    table = read(root)
    assert table.labels == ("person", "car", "cat")
    assert table.ids.tolist() == ["000000000009", "000000000025", "000000000030", "000000000001", "000000000002"]
    assert table.paths.tolist()[0] == "train2014/COCO_train2014_000000000009.jpg"
    assert table.split.tolist() == ["train"] * 3 + ["test"] * 2
    assert table.revision == "coco2014 crowd=membership unlabelled=drop"


@pytest.mark.parametrize(
    ("crowd", "only_crowd", "beside"),
    [
        ("membership", ([0, 0, 0], [False, False, True]), ([0, 0, 1], [False, True, True])),
        ("drop", ([0, 0, 0], [False, False, False]), ([0, 0, 1], [False, False, True])),
        ("keep", ([0, 0, 1], [False, False, True]), ([0, 1, 1], [False, True, True])),
    ],
)
def test_a_crowd_means_what_the_option_says(root: Path, crowd: str, only_crowd: object, beside: object) -> None:
    table = read(root, crowd=crowd)
    assert marks(table, 30) == only_crowd
    assert marks(table, 2) == beside
    assert marks(table, 25) == ([1, 0, 0], [True, False, False])
    assert marks(table, 9) == ([1, 1, 0], [True, True, False])


def test_images_without_annotation_are_in_the_table_only_when_asked_for(root: Path) -> None:
    assert "000000000042" not in read(root).ids.tolist()
    assert marks(read(root, unlabelled="keep"), 42) == ([0, 0, 0], [False, False, False])


def test_the_cache_gives_the_same_table(root: Path) -> None:
    one, two = read(root), read(root)
    assert one is not two
    assert one.digest() == two.digest()
    assert one.paths.tolist() == two.paths.tolist()


def test_photos_may_lie_in_an_images_folder(root: Path) -> None:
    (root / "images").mkdir()
    for part in ("train2014", "val2014"):
        shutil.move(root / part, root / "images" / part)
    assert read(root).paths.tolist()[0] == "images/train2014/COCO_train2014_000000000009.jpg"


def test_where_the_photos_lie_does_not_change_the_digest(root: Path, tmp_path: Path) -> None:
    other = write_coco(tmp_path / "other", train2014=TRAIN, val2014=VAL)
    (other / "images").mkdir()
    shutil.move(other / "train2014", other / "images" / "train2014")
    assert read(other).paths.tolist() != read(root).paths.tolist()
    assert read(other).digest() == read(root).digest()


def test_a_missing_photo_is_counted_and_named_with_the_command_that_gets_it(root: Path) -> None:
    (root / "val2014" / "COCO_val2014_000000000002.jpg").unlink()
    with pytest.raises(
        DataError, match=r"1 of 5 photos are not in .*: val2014/COCO_val2014_000000000002.jpg"
    ) as caught:
        read(root)
    assert caught.value.hint == "clbench data get coco2014"
    assert len(coco.read(root, name="coco2014", options={}, photos=False)) == 5


def test_a_photo_that_vanishes_later_is_noticed_although_the_table_is_cached(root: Path) -> None:
    read(root)
    (root / "train2014" / "COCO_train2014_000000000009.jpg").unlink()
    with pytest.raises(DataError, match="1 of 5 photos"):
        read(root)


def test_photos_of_unlabelled_images_need_not_be_there(root: Path) -> None:
    (root / "train2014" / "COCO_train2014_000000000042.jpg").unlink()
    assert len(read(root)) == 5


def instances(root: Path) -> Path:
    return root / "annotations" / "instances_train2014.json"


def damaged(root: Path, **changes: object) -> Path:
    instances(root).write_text(json.dumps(coco_part("train2014", TRAIN) | changes))
    return root


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named(root: Path, share: float) -> None:
    text = instances(root).read_bytes()
    instances(root).write_bytes(text[: int(len(text) * share)])
    with pytest.raises(DataError, match=r"instances_train2014.json is (empty|not an instances file)"):
        read(root)


def test_a_missing_file_is_named_with_the_command_that_gets_it(root: Path) -> None:
    instances(root).unlink()
    with pytest.raises(DataError, match=r"instances_train2014.json is missing") as caught:
        read(root)
    assert caught.value.hint == "clbench data get coco2014"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"annotations": [{"image_id": 9, "category_id": 99}]},
            "train: annotation 0 has category id 99, which is not listed",
        ),
        (
            {"annotations": [{"image_id": 8, "category_id": 1}]},
            "train: annotation 0 is of image id 8, which is not listed",
        ),
        ({"annotations": [{"image_id": 9, "category_id": "x"}]}, r"Expected `int`, got `str` - at `\$.annotations"),
        ({"annotations": [{"image_id": -9, "category_id": 1}]}, r"Expected `int` >= 0"),
        ({"annotations": [{"image_id": 9, "category_id": 1, "iscrowd": 7}]}, r"Expected `int` <= 1"),
        ({"annotations": [{"category_id": 1}]}, "missing required field `image_id`"),
        ({"images": [{"id": 9, "file_name": "a.jpg"}, {"id": 9, "file_name": "b.jpg"}]}, "image id 9 occurs twice"),
        ({"images": [], "annotations": []}, "no train images"),
        (
            {
                "images": [{"id": 9, "file_name": "../../etc/passwd"}],
                "annotations": [{"image_id": 9, "category_id": 1}],
            },
            "plain",
        ),
        (
            {"images": [{"id": 9, "file_name": ""}], "annotations": [{"image_id": 9, "category_id": 1}]},
            "not a plain path",
        ),
        (
            {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1, "category_id": 1}]},
            "occurs twice",
        ),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, "category id 1 occurs twice"),
        ({"categories": [{"id": 1, "name": "person"}]}, "categories of test are not those of train"),
        ({"categories": []}, "categories of test are not those of train"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_in_one_sentence(root: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(damaged(root, **changes))


@pytest.mark.parametrize("text", ["NaN", '{"images": NaN}', "[]", "null", "\xff", '{"images": [}'])
def test_something_else_than_instances_is_no_traceback(root: Path, text: str) -> None:
    instances(root).write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match="not an instances file"):
        read(root)


def test_deeply_nested_json_is_no_traceback(root: Path) -> None:
    instances(root).write_text('{"images": ' + "[" * 100_000)
    with pytest.raises(DataError, match="not an instances file"):
        read(root)


def test_an_unknown_option_or_value_names_the_nearest(root: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'crowd'"):
        read(root, crowds="drop")
    with pytest.raises(UsageError, match="Did you mean 'membership'"):
        read(root, crowd="member")


def test_a_file_that_replaces_the_annotations_is_read_again(root: Path) -> None:
    assert len(read(root)) == 5
    put(root / "train2014" / "COCO_train2014_000000000077.jpg", jpeg())
    instances(root).write_text(json.dumps(coco_part("train2014", TRAIN | {77: [(CAR, 0)]})))
    assert len(read(root)) == 6


@pytest.mark.realdata
def test_the_mini_set_of_real_photos_reads_as_if_it_were_the_full_set(realdata: Path) -> None:
    table = open_table("coco2014", root=realdata / "coco_mini", options={})
    assert ((table.split == "train").sum(), (table.split == "test").sum()) == (551, 259)
    assert len(table.labels) == 80
    assert table.labels[0] == "person"
    truth = json.loads((realdata / "coco_mini" / "annotations" / "instances_val2014.json").read_text())
    names = {c["id"]: c["name"] for c in truth["categories"]}
    wanted = {(f"{a['image_id']:012d}", names[a["category_id"]]) for a in truth["annotations"]}
    rows, columns = (table.y[table.split == "test"] == 1).nonzero()
    ids = table.ids[table.split == "test"]
    assert {(str(ids[r]), table.labels[c]) for r, c in zip(rows, columns, strict=True)} == wanted
