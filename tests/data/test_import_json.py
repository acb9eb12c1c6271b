"""Exports in JSON: the inputs are what the tools write (benchmarks/exports), cut small; the marks are by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from data_makers import put
from import_tools import imported, notes, photos, said

from clbench.data.datasets.registry import open_table
from clbench.errors import DataError, UsageError

CATEGORIES = [{"id": 3, "name": "traffic light"}, {"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]


def coco(photos: dict[int, str], marks: list[tuple[int, int]], **more: object) -> dict[str, object]:
    return {
        "categories": CATEGORIES,
        "images": [{"id": number, "file_name": name} for number, name in photos.items()],
        "annotations": [{"id": n, "image_id": i, "category_id": c} for n, (i, c) in enumerate(marks)],
        **more,
    }


def test_coco_with_one_file_per_split_takes_its_split_from_the_file_names(tmp_path: Path) -> None:
    home = photos(tmp_path / "pets", "images/train/a.jpg", "images/train/b.jpg", "images/val/a.jpg")
    train, val = coco({1: "a.jpg", 2: "b.jpg"}, [(1, 1), (1, 2), (2, 3)]), coco({1: "a.jpg"}, [(1, 1)])
    put(home / "annotations" / "instances_train.json", json.dumps(train))
    put(home / "annotations" / "instances_val.json", json.dumps(val))
    done = imported(home, to=home)
    assert done.table.labels == ["cat", "dog", "traffic light"]
    assert (home / "labels.csv").read_text().splitlines() == [
        "file,split,labels,unknown,id",
        "images/train/a.jpg,train,cat;dog;,,images/train/a.jpg",
        "images/train/b.jpg,train,traffic light;,,images/train/b.jpg",
        "images/val/a.jpg,test,cat;,,images/val/a.jpg",
    ]
    assert "1 val photos are in test" in notes(done)


def test_coco_without_a_split_asks_for_one(tmp_path: Path) -> None:
    home = photos(tmp_path / "pets", "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    content = coco({1: "a.jpg", 2: "b.jpg", 3: "c.jpg", 4: "d.jpg"}, [(1, 1), (2, 1), (3, 2), (4, 2)])
    put(home / "export.json", json.dumps(content))
    with pytest.raises(DataError, match=r"images\[0\]: a.jpg is in no split; all of 4 photos have none") as error:
        imported(home)
    assert "--split 0.2" in error.value.hint
    assert not (tmp_path / "out").exists()
    done = said(imported(home, split=0.5))
    assert sorted(done.values()) == ["test +-", "test -+", "train +-", "train -+"]


def test_objects_marked_iscrowd_are_present_unless_said_otherwise(tmp_path: Path) -> None:
    home = photos(tmp_path / "pets", "train/a.jpg", "test/b.jpg")
    for split, name in (("train", "a.jpg"), ("test", "b.jpg")):
        content = coco({1: name}, [(1, 2)])
        # as supervision writes an object in two parts; pylabel writes 0.0, others null
        content["annotations"] += [{"id": 7, "image_id": 1, "category_id": 1, "iscrowd": 1}]  # type: ignore[operator]
        content["annotations"][0]["iscrowd"] = 0.0 if split == "train" else None  # type: ignore[index]
        put(home / split / "_annotations.coco.json", json.dumps(content))
    done = imported(home)
    assert said(done) == {"a.jpg": "train ++", "b.jpg": "test ++"}
    assert "2 objects are marked iscrowd and count as: present" in notes(done)
    unknown = imported(home, to=tmp_path / "two", options={"crowd": "unknown"})
    assert said(unknown) == {"a.jpg": "train +", "b.jpg": "test +"}
    assert "labels that no photo has are left out: cat, traffic light" in notes(unknown)


def test_lvis_lists_tell_absent_from_unknown(tmp_path: Path) -> None:
    home = photos(tmp_path / "lvis", "train/a.jpg", "test/b.jpg")
    train = coco({}, [(5, 1)])
    train["images"] = [
        {
            "id": 5,
            "coco_url": "http://example.org/train/a.jpg",
            "neg_category_ids": [2],
            "not_exhaustive_category_ids": [1],
        }
    ]
    test = coco({}, [(6, 2), (6, 3)])
    test["images"] = [{"id": 6, "file_name": "b.jpg", "neg_category_ids": [], "not_exhaustive_category_ids": []}]
    put(home / "lvis_train.json", json.dumps(train))
    put(home / "lvis_test.json", json.dumps(test))
    done = imported(home)
    assert said(done) == {"a.jpg": "train +-?", "b.jpg": "test ?++"}
    assert (done.table.y != -1).sum() == 4
    assert "4 of 6 entries are known" in done.report.read_text()
    train["annotations"] += [{"image_id": 5, "category_id": 2}]  # type: ignore[operator]
    put(home / "lvis_train.json", json.dumps(train))
    with pytest.raises(DataError, match="'dog' is annotated and among the neg_category_ids"):
        imported(home, to=tmp_path / "other")


def test_an_export_with_splits_is_a_data_set_as_it_is(tmp_path: Path) -> None:
    home = photos(tmp_path / "pets", "images/train/a.jpg", "images/train/b.jpg", "images/val/a.jpg")
    train, val = coco({1: "a.jpg", 2: "b.jpg"}, [(1, 1), (1, 2), (2, 3)]), coco({1: "a.jpg"}, [(1, 1)])
    put(home / "annotations" / "instances_train.json", json.dumps(train))
    put(home / "annotations" / "instances_val.json", json.dumps(val))
    table = open_table(str(home), root=None, options={})
    assert table.labels == ("cat", "dog", "traffic light")
    assert table.paths.tolist() == ["images/train/a.jpg", "images/train/b.jpg", "images/val/a.jpg"]
    assert table.split.tolist() == ["train", "train", "test"]
    assert table.y.tolist() == [[1, 1, 0], [0, 0, 1], [1, 0, 0]]
    again = open_table(str(home), root=None, options={"crowd": "drop", "split": "0.4", "seed": "2"})
    assert again.revision == "pets form=coco split=0.4 seed=2 crowd=drop"
    with pytest.raises(UsageError, match="there is no option 'crowds'"):
        open_table(str(home), root=None, options={"crowds": "drop"})


def test_datumaros_coco_files_of_one_split_are_put_together(tmp_path: Path) -> None:
    home = photos(tmp_path / "dm", "images/train/a.jpg", "images/train/b.jpg", "images/test/c.jpg")
    for kind, categories in (("labels", True), ("instances", True), ("image_info", False)):
        train = coco({1: "a.jpg", 2: "b.jpg"}, [(1, 1), (2, 3)] if kind == "labels" else [(1, 2)])
        test = coco({3: "c.jpg"}, [(3, 1)])
        for split, content in (("train", train), ("test", test)):
            if not categories:
                content.update(categories=[], annotations=[])
            put(home / "annotations" / f"{kind}_{split}.json", json.dumps(content))
    done = imported(home)
    assert said(done) == {"a.jpg": "train ++-", "b.jpg": "train --+", "c.jpg": "test +--"}
    assert "3 entries name a photo that was named before" in notes(done)


def test_two_categories_of_one_name_are_one_label(tmp_path: Path) -> None:
    home = photos(tmp_path / "rf", "train/a.jpg", "test/b.jpg")
    categories = [{"id": 0, "name": "cat"}, {"id": 1, "name": "cat "}, {"id": 2, "name": "dog"}]
    put(home / "train" / "x.json", json.dumps(coco({1: "a.jpg"}, [(1, 1), (1, 2)], categories=categories)))
    put(home / "test" / "x.json", json.dumps(coco({1: "b.jpg"}, [(1, 0)], categories=categories)))
    done = imported(home)
    assert said(done) == {"a.jpg": "train ++", "b.jpg": "test +-"}
    assert "labels that occur twice under one name are merged: cat" in notes(done)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotations": [{"image_id": 9, "category_id": 1}]}, r"annotations\[0\]: image_id 9 is not listed"),
        ({"annotations": [{"image_id": 1, "category_id": 9}]}, r"annotations\[0\]: category_id 9 is not listed"),
        ({"annotations": [{"image_id": 1, "category_id": 1, "iscrowd": 5}]}, "iscrowd is 5, expected 0 or 1"),
        ({"images": [{"id": 1, "file_name": 3}]}, r"Expected `str`, got `int` - at `\$.images\[0\].file_name`"),
        ({"images": [{"id": 1, "file_name": "x", "split": "half"}]}, r"images\[0\]: split 'half', expected train"),
        ({"images": [{"id": 1}]}, r"images\[0\]: there is neither a file_name nor a coco_url"),
        ({"images": [{"id": 1, "file_name": "x"}] * 2}, "image id 1 occurs twice"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, "category id 1 occurs twice"),
        ({"categories": [{"id": 1, "name": " "}]}, "a label has no name"),
    ],
)
def test_a_malformed_coco_file_is_one_message_and_nothing_written(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    home = photos(tmp_path / "pets", "a.jpg")
    put(home / "train.json", json.dumps(coco({1: "a.jpg"}, [(1, 1)], **change)))
    with pytest.raises(DataError, match=message) as error:
        imported(home)
    assert str(home / "train.json") in error.value.message
    assert not (tmp_path / "out").exists()


def test_datumaros_own_json_reads_labels_by_name_whatever_their_order(tmp_path: Path) -> None:
    home = photos(tmp_path / "dm", "images/train/a.jpg", "images/train/b.jpg", "images/test/c.jpg")

    def file(names: list[str], items: dict[str, list[int]]) -> str:
        return json.dumps(
            {
                "dm_format_version": "1.0",
                "categories": {"label": {"labels": [{"name": name} for name in names]}},
                "items": [
                    {
                        "id": name,
                        "annotations": [{"type": "label", "label_id": i} for i in labels] + [{"type": "caption"}],
                        "image": {"path": f"{name}.jpg"},
                    }
                    for name, labels in items.items()
                ],
            }
        )

    put(home / "annotations" / "train.json", file(["cat", "dog"], {"a": [0, 1], "b": [1]}))
    put(home / "annotations" / "test.json", file(["dog", "cat"], {"c": [1]}))
    done = imported(home)
    assert said(done) == {"a.jpg": "train ++", "b.jpg": "train -+", "c.jpg": "test +-"}
    assert "stand in another order; they are read by name" in notes(done)
    put(home / "annotations" / "test.json", file(["dog", "cow"], {"c": [1]}))
    with pytest.raises(DataError, match="its labels are not those of"):
        imported(home, to=tmp_path / "other")


def task(number: int, photo: str, *votes: list[str] | None) -> dict[str, object]:
    return {
        "id": number,
        "data": {"image": f"/data/upload/1/0000000{number}-{photo}"},
        "annotations": [
            {
                "was_cancelled": vote is None,
                "result": [{"type": "choices", "from_name": "choice", "value": {"choices": vote}}] if vote else [],
            }
            for vote in votes
        ],
    }


def test_label_studio_tasks_with_annotators_who_differ(tmp_path: Path) -> None:
    home = photos(tmp_path / "ls", "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    tasks = [
        task(1, "a.jpg", ["cat", "dog"], ["cat"]),
        task(2, "b.jpg", ["traffic light, red"]),
        task(3, "c.jpg", []),
        task(4, "d.jpg", None),
    ]
    put(home / "tasks.json", json.dumps([*tasks, task(5, "e.jpg")]))
    photos(home, "e.jpg", "f.jpg")
    (home / "b.jpg").rename(home / "00000002-b.jpg")  # as it lies in Label Studio's own folder
    done = imported(home / "tasks.json", photos=home, split=0.5, group="")
    found = said(done)
    assert {name: marks.split()[1] for name, marks in found.items()} == {
        "a.jpg": "+-",
        "00000002-b.jpg": "-+",
        "c.jpg": "--",
    }
    assert "2 tasks that nobody finished are left out" in notes(done)
    assert "labels that no photo has are left out: dog" in notes(done)
    assert set(done.left_out) == {"d.jpg", "e.jpg", "f.jpg"}
    assert "- f.jpg" in done.report.read_text()


def test_label_studio_csv_and_json_min_say_the_same(tmp_path: Path) -> None:
    home = photos(tmp_path / "ls", "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    # as its converter 2.1.2 writes them: one choice is a word, several are an object
    put(
        home / "csv" / "result.csv",
        '"annotation_id","annotator","choice","created_at","id","image","lead_time","updated_at"\n'
        '11,"x@example.org","{""choices"":[""cat"",""dog""]}","t",1,"/data/upload/1/00000001-a.jpg",1.5,"t"\n'
        '12,"x@example.org","traffic light, red","t",2,"/data/upload/1/00000002-b.jpg",1.5,"t"\n'
        '13,"x@example.org","","t",3,"/data/upload/1/00000003-c.jpg",1.5,"t"\n'
        '14,"x@example.org","cat","t",4,"/data/local-files/?d=ls/d.jpg",1.5,"t"\n',
    )
    rows = [
        {"image": "/data/upload/1/00000001-a.jpg", "id": 1, "choice": {"choices": ["cat", "dog"]}},
        {"image": "/data/upload/1/00000002-b.jpg", "id": 2, "choice": "traffic light, red"},
        {"image": "/data/upload/1/00000003-c.jpg", "id": 3},
        {"image": "/data/local-files/?d=ls/d.jpg", "id": 4, "choice": "cat"},
    ]
    put(home / "min" / "result.json", json.dumps([{**row, "annotator": "x", "annotation_id": 9} for row in rows]))
    one = imported(home / "csv" / "result.csv", photos=home, to=tmp_path / "one", split=0.5)
    two = imported(home / "min" / "result.json", photos=home, to=tmp_path / "two", split=0.5)
    assert one.table.labels == ["cat", "dog", "traffic light, red"]
    assert said(one) == said(two)
    marks = {name: text.split()[1] for name, text in said(one).items()}
    assert marks == {"a.jpg": "++-", "b.jpg": "--+", "c.jpg": "---", "d.jpg": "+--"}


def test_label_studio_boxes_are_read_and_texts_are_refused(tmp_path: Path) -> None:
    home = photos(tmp_path / "ls", "a.jpg")
    box = {"type": "rectanglelabels", "from_name": "box", "value": {"x": 1, "rectanglelabels": ["cat"]}}
    text = {"type": "textarea", "from_name": "why", "value": {"text": ["so"]}}
    base = {"id": 1, "data": {"image": "a.jpg"}}
    put(home / "tasks.json", json.dumps([{**base, "annotations": [{"result": [box, box]}]}]))
    with pytest.raises(UsageError, match="leaves no"):  # it was read: one photo is only too few to split
        imported(home, split=0.5)
    put(home / "tasks.json", json.dumps([{**base, "annotations": [{"result": [box, text]}]}]))
    with pytest.raises(DataError, match=r"task 1: 'None' is no choice of labels"):
        imported(home, split=0.5)
    other = {**box, "from_name": "other"}
    put(home / "tasks.json", json.dumps([{**base, "annotations": [{"result": [box, other]}]}]))
    with pytest.raises(DataError, match="labels of several controls: box, other"):
        imported(home, split=0.5)


def labelme(flags: dict[str, bool], *shapes: str, path: str) -> str:
    return json.dumps(
        {
            "version": "6.3.1",
            "flags": flags,
            "shapes": [{"label": shape} for shape in shapes],
            "imagePath": path,
            "imageData": None,
        }
    )


def test_labelme_flags_that_are_off_are_absent(tmp_path: Path) -> None:
    home = photos(tmp_path / "lm", "train/a.jpg", "test/b.jpg")
    put(home / "train" / "a.json", labelme({"cat": True, "dog": True}, path="a.jpg"))
    put(home / "test" / "b.json", labelme({"cat": True, "dog": False}, path="..\\test\\b.jpg"))
    assert said(imported(home)) == {"a.jpg": "train ++", "b.jpg": "test +-"}
    put(home / "test" / "b.json", labelme({}, "dog", path="b.jpg"))
    with pytest.raises(DataError, match="1 files have flags and 1 have shapes"):
        imported(home, to=tmp_path / "other")
    put(home / "train" / "a.json", labelme({}, "cat", "dog", "cat", path="a.jpg"))
    assert said(imported(home, to=tmp_path / "shapes")) == {"a.jpg": "train ++", "b.jpg": "test -+"}


def test_two_possible_forms_are_refused_and_one_can_be_named(tmp_path: Path) -> None:
    home = photos(tmp_path / "both", "train/a.jpg", "test/b.jpg")
    put(home / "train" / "x.json", json.dumps(coco({1: "a.jpg"}, [(1, 1)])))
    put(home / "test" / "x.json", json.dumps(coco({1: "b.jpg"}, [(1, 1)])))
    put(home / "train" / "a.lm.json", labelme({"dog": True}, path="a.jpg"))
    put(home / "test" / "b.lm.json", labelme({"dog": True}, path="b.jpg"))
    with pytest.raises(DataError, match="can be read as coco and as labelme") as error:
        imported(home)
    assert error.value.hint == "Say which is meant: --form coco or --form labelme"
    assert imported(home, to=tmp_path / "c", form="coco").table.labels == ["cat"]
    assert imported(home, to=tmp_path / "l", form="labelme").table.labels == ["dog"]
    with pytest.raises(UsageError, match=r"there is no such form\. Did you mean 'coco'"):
        imported(home, form="cocoo")


def test_coco_as_pandas_and_python_write_it(tmp_path: Path) -> None:
    home = photos(tmp_path / "pets", "a.jpg", "b.jpg")
    marks = [
        {"image_id": 1.0, "category_id": "3", "iscrowd": "0", "area": float("nan")},
        {"image_id": "2", "category_id": 1.0, "iscrowd": "1"},
        {"image_id": 2, "category_id": 2, "iscrowd": 0.0},
    ]
    content = coco({1: "a.jpg", 2: "b.jpg"}, []) | {"annotations": marks}
    put(home / "labels_all.json", "\ufeff" + json.dumps(content))
    done = imported(home / "labels_all.json", split=0.5)
    assert done.table.labels == ["cat", "dog", "traffic light"]
    assert {name: row.split()[1] for name, row in said(done).items()} == {"a.jpg": "--+", "b.jpg": "++-"}
    assert "1 objects are marked iscrowd and count as: present" in notes(done)


def test_json_that_is_cut_short_is_named_as_such(tmp_path: Path) -> None:
    put(tmp_path / "pets" / "all.json", json.dumps(coco({1: "a.jpg"}, [(1, 1)]))[:-9])
    with pytest.raises(DataError, match=r"all\.json: .*line 1 column") as caught:
        imported(tmp_path / "pets", split=0.5)
    assert "cut short" in caught.value.hint


def test_label_studios_annotator_is_no_label_and_a_relation_no_choice(tmp_path: Path) -> None:
    home = photos(tmp_path / "ls", "a.jpg", "b.jpg", "c.jpg")
    put(home / "one.csv", "annotation_id,annotator,choice,id,image\n1,1,cat,1,a.jpg\n2,1,,2,b.jpg\n3,1,dog,3,c.jpg\n")
    found = said(imported(home, split=0.4))
    assert {name: row.split()[1] for name, row in found.items()} == {"a.jpg": "+-", "b.jpg": "--", "c.jpg": "-+"}
    (home / "one.csv").unlink()
    tasks = [task(1, "a.jpg", ["cat"]), task(2, "b.jpg", ["dog"])]
    tasks[0]["annotations"][0]["result"].append({"type": "relation", "from_id": "x", "to_id": "y"})  # type: ignore[index]
    put(home / "two.json", json.dumps(tasks))
    found = said(imported(home, to=tmp_path / "two", split=0.5))
    assert {name: row.split()[1] for name, row in found.items()} == {"a.jpg": "+-", "b.jpg": "-+"}


@pytest.mark.parametrize("labels", ["null", '"cat"', "[7]", '{"cat": 1}'])
def test_a_region_whose_labels_are_no_list_of_words_is_refused(tmp_path: Path, labels: str) -> None:
    home = photos(tmp_path / "ls", "a.jpg")
    put(home / "min.json", f'[{{"image": "a.jpg", "box": [{{"rectanglelabels": {labels}}}], "annotation_id": 1}}]')
    with pytest.raises(DataError, match="is no choice of labels"):
        imported(home, split=0.5)
