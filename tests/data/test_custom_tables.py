from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from data_makers import coco_part, jpeg, put
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clbench.data.datasets.registry import open_table
from clbench.data.own_table import table_file as custom
from clbench.errors import DataError, UsageError
from clbench.plan.plans import plan
from clbench.train.prepare import plan_stream

ROWS = "file,split,labels\na.jpg,train,sky;sea\nb.jpg,train,cat\nc.jpg,test,sky\nd.jpg,test,\n"


def make(folder: Path, text: str | bytes = ROWS, *, name: str = "mine.csv", photos: str = "abcd") -> Path:
    for photo in photos:
        put(folder / f"{photo}.jpg", jpeg())
    return put(folder / name, text)


def read(path: Path, **options: str) -> custom.LabelTable:
    return open_table(str(path), root=None, options=options)


def label_sets(table: custom.LabelTable) -> list[set[str]]:
    return [{table.labels[c] for c in np.flatnonzero(row == 1)} for row in table.y]


def test_a_csv_with_three_columns_is_a_table(tmp_path: Path) -> None:
    table = read(make(tmp_path))
    assert table.name == "mine"
    assert table.labels == ("cat", "sea", "sky")
    assert table.ids.tolist() == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert label_sets(table) == [{"sky", "sea"}, {"cat"}, {"sky"}, set()]
    assert table.split.tolist() == ["train", "train", "test", "test"]


def test_a_table_named_labels_is_called_after_its_folder(tmp_path: Path) -> None:
    assert read(make(tmp_path / "birds", name="labels.csv")).name == "birds"


def test_a_folder_stands_for_its_labels_file(tmp_path: Path) -> None:
    make(tmp_path / "birds", name="labels.csv")
    assert len(read(tmp_path / "birds")) == 4
    with pytest.raises(DataError, match=r"no labels.csv, labels.npz or labels.json"):
        read(make(tmp_path / "other").parent)


def test_a_vocabulary_beside_the_table_fixes_order_and_allows_positions(tmp_path: Path) -> None:
    put(tmp_path / "classes.json", '["sky", "sea", "cat"]')
    named = read(make(tmp_path))
    assert named.labels == ("sky", "sea", "cat")
    numbered = read(make(tmp_path, "file,split,labels\na.jpg,train,0 1\nb.jpg,train,2\nc.jpg,test,0\nd.jpg,test,\n"))
    assert numbered.digest() == named.digest()


def test_numbers_that_are_names_stay_names(tmp_path: Path) -> None:
    put(tmp_path / "mine.classes.json", '["1", "0"]')
    table = read(make(tmp_path, "file,split,labels\na.jpg,train,0\nb.jpg,test,1\n"))
    assert table.labels == ("1", "0")
    assert label_sets(table) == [{"0"}, {"1"}]


def test_labels_nobody_looked_for_are_unknown(tmp_path: Path) -> None:
    table = read(make(tmp_path, "file,split,labels,unknown\na.jpg,train,sky,cat;sea\nb.jpg,test,cat;sea,\n"))
    assert table.y.tolist() == [[-1, -1, 1], [1, 1, 0]]
    assert table.member.tolist() == [[False, False, True], [True, True, False]]
    with pytest.raises(DataError, match="line 2: 'sky' is among the labels and among the unknown"):
        read(make(tmp_path, "file,split,labels,unknown\na.jpg,train,sky,sky\nb.jpg,test,cat,\n"))


def test_an_id_column_names_the_images_and_its_pairing_with_files_counts(tmp_path: Path) -> None:
    text = "id,file,split,labels\n1,a.jpg,train,sky\n2,b.jpg,test,sky\n"
    one = read(make(tmp_path, text))
    assert one.ids.tolist() == ["1", "2"]
    swapped = read(make(tmp_path, text.replace("a.jpg", "x").replace("b.jpg", "a.jpg").replace("x", "b.jpg")))
    assert swapped.digest() != one.digest()


def test_other_columns_order_blank_lines_and_letter_case_do_not_matter(tmp_path: Path) -> None:
    plain = read(make(tmp_path / "one"))
    head = "\ufeffLabels, Split ,licence,FILE\r\n\r\n"
    text = head + "sky;sea,TRAIN,x,a.jpg\r\ncat,train,,b.jpg\r\nsky,test,,c.jpg\r\n,test,,d.jpg\r\n"
    assert read(make(tmp_path / "other", text)).digest() == plain.digest()


def test_a_row_repeated_word_for_word_counts_once_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        table = read(make(tmp_path, ROWS + "c.jpg,test,sky\n"))
    assert len(table) == 4
    assert "repeats a row word for word" in caplog.text
    with pytest.raises(DataError, match=r"id 'c.jpg' occurs twice"):
        read(make(tmp_path, ROWS + "c.jpg,test,cat\n"))


@pytest.mark.parametrize("place", ["{}", "images/{}", "images/deep/er/{}", "photos/x/{}"])
def test_photos_lie_beside_the_table_or_in_images_or_anywhere_below_once(tmp_path: Path, place: str) -> None:
    path = put(tmp_path / "mine.csv", ROWS)
    for photo in "abcd":
        put(tmp_path / place.format(f"{photo}.jpg"), jpeg())
    assert read(path).paths.tolist() == [place.format(f"{photo}.jpg") for photo in "abcd"]


def test_a_name_that_lies_in_two_folders_is_not_guessed(tmp_path: Path) -> None:
    path = make(tmp_path, photos="abc")
    for folder in ("one", "two"):
        put(tmp_path / folder / "d.jpg", jpeg())
    with pytest.raises(DataError, match=r"1 of 4 photos .* d.jpg"):
        read(path)
    assert len(read(put(path, ROWS.replace("d.jpg", "two/d.jpg")))) == 4


def test_the_photo_folder_can_be_named(tmp_path: Path) -> None:
    path = put(tmp_path / "mine.csv", ROWS)
    for photo in "abcd":
        put(tmp_path / "jpg" / "small" / f"{photo}.jpg", jpeg())
    assert read(path, images="jpg/small").paths.tolist()[0] == "jpg/small/a.jpg"
    with pytest.raises(DataError, match="4 of 4 photos"):
        read(path, images="jpg")


def test_absent_photos_are_refused_unless_a_share_is_stated(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = make(tmp_path, photos="abc")
    with pytest.raises(DataError, match="1 of 4 photos are not in"):
        read(path)
    with caplog.at_level(logging.WARNING):
        table = read(path, missing="0.25")
    assert table.ids.tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert table.revision.endswith("absent=1")
    assert "1 of 4 photos are absent" in caplog.text


def test_labels_can_be_restricted_by_name_and_by_number_of_positives(tmp_path: Path) -> None:
    path = make(tmp_path)
    assert read(path, labels="sky; cat").labels == ("cat", "sky")
    assert read(path, min_test_positives="1").labels == ("sky",)
    assert read(path, min_train_positives="1").labels == ("cat", "sea", "sky")
    assert read(path, labels="sky", unlabelled="drop").ids.tolist() == ["a.jpg", "c.jpg"]
    assert len({read(path, **o).digest() for o in ({}, {"labels": "sky"}, {"unlabelled": "drop"})}) == 3
    with pytest.raises(DataError, match="the options leave no label of 3"):
        read(path, min_train_positives="9")
    with pytest.raises(UsageError, match=r"there is no label 'skyy'. Did you mean 'sky'"):
        read(path, labels="skyy")


def test_a_label_that_no_image_carries_must_be_declared(tmp_path: Path) -> None:
    put(tmp_path / "classes.json", '["sky", "sea", "cat", "fog"]')
    path = make(tmp_path)
    with pytest.raises(DataError, match="no image carries the label 'fog'"):
        read(path)
    assert read(path, empty_labels="keep").labels == ("sky", "sea", "cat", "fog")
    assert read(path, empty_labels="drop").labels == ("sky", "sea", "cat")


@pytest.mark.parametrize(("val", "splits"), [("train", "train train"), ("test", "train test"), ("drop", "train")])
def test_validation_images_go_where_the_option_says(tmp_path: Path, val: str, splits: str) -> None:
    path = make(tmp_path, ROWS.replace("b.jpg,train", "b.jpg,val"))
    with pytest.raises(DataError, match="1 images in a split 'val'"):
        read(path)
    assert read(path, val=val, empty_labels="drop").split.tolist()[: len(splits.split())] == splits.split()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("   \n\n", "is empty"),
        ("file,split,labels\n", "has a header and no rows"),
        ("file,split\na.jpg,train\n", "there is no column 'labels'"),
        ("file,split,label\na.jpg,train,x\n", "no column 'labels'. Did you mean 'label'"),
        ("file,split,labels,file\na.jpg,train,x,a.jpg\n", "a column name occurs twice"),
        ("a.jpg,train,sky\nb.jpg,test,sky\n", "there is no column 'file'"),
        (ROWS + "e.jpg,train\n", "line 6: 2 cells, the header has 3"),
        (ROWS + "e.jpg,train,sky,sea\n", "line 6: 4 cells, the header has 3"),
        (ROWS + ",train,sky\n", "line 6: no file"),
        (ROWS + "e.jpg,dev,sky\n", "line 6: split 'dev', expected train or test"),
        (ROWS + 'e.jpg,test,"sky\n', "not readable as CSV"),
        (ROWS.replace("test", "train"), "no test images"),
        (ROWS + "../e.jpg,test,sky\n", "not a plain path below the data folder"),
        (ROWS + "/e.jpg,test,sky\n", "not a plain path"),
        (ROWS + "e\x01.jpg,test,sky\n", "expected printable text"),
        (ROWS.encode("utf-16"), "is UTF-16"),
        (ROWS.replace("cat", "é").encode("latin-1"), "line 3: byte 0xe9 is not UTF-8"),
        (ROWS + "e\0.jpg,test,sky\n", "line 6: a NUL byte"),
        ("file,split,labels\na.jpg,train,\nb.jpg,test,\n", "no image carries a label"),
        ("file,split,labels\na.jpg,train," + "x" * 200_000 + "\n", "not readable as CSV: field larger"),
    ],
)
def test_what_is_wrong_in_a_csv_is_said_in_one_sentence(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(make(tmp_path, text))


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ('["sky", "sea"]', "line 3: unknown label 'cat'"),
        ('["sky", "sea", "cats"]', "unknown label 'cat'. Did you mean 'cats'"),
        ('["sky", "sea", "cat", "sky"]', "label 'sky' occurs twice"),
        ('{"sky": 0}', "expected a list of label names"),
        ("[]", "expected a list of label names"),
        ('["sky", 1]', "expected a list of label names"),
        ('["sky"', "not readable as JSON"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_named(tmp_path: Path, classes: str, words: str) -> None:
    put(tmp_path / "classes.json", classes)
    with pytest.raises(DataError, match=words):
        read(make(tmp_path))


def test_a_position_beyond_the_vocabulary_is_named(tmp_path: Path) -> None:
    put(tmp_path / "classes.json", '["sky", "sea"]')
    with pytest.raises(DataError, match="line 3: unknown label '2'"):
        read(make(tmp_path, "file,split,labels\na.jpg,train,0 1\nb.jpg,test,2\n"))


def test_a_changed_vocabulary_is_noticed_although_the_table_is_cached(tmp_path: Path) -> None:
    path = make(tmp_path)
    assert read(path).labels == ("cat", "sea", "sky")
    put(tmp_path / "classes.json", '["sky", "sea", "cat"]')
    assert read(path).labels == ("sky", "sea", "cat")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=300).map(lambda text: ("file,split,labels\n" + text).encode("utf-8", "replace")),
    )
)
def test_no_csv_whatever_its_bytes_ends_in_a_traceback(tmp_path: Path, data: bytes) -> None:
    path = put(tmp_path / "mine.csv", data)
    try:
        custom.read(path, root=tmp_path, options={}, photos=False)
    except DataError as error:
        assert "mine" in str(error)


def npz(folder: Path, **changes: object) -> Path:
    arrays: dict[str, object] = {
        "paths": np.array(["a.jpg", "b.jpg", "c.jpg"]),
        "labels": np.array(["sky", "sea"]),
        "y": np.array([[1, 0], [-1, 1], [1, 0]], dtype=np.int8),
        "split": np.array(["train", "train", "test"]),
    }
    for photo in "abc":
        put(folder / f"{photo}.jpg", jpeg())
    np.savez(folder / "mine.npz", **{k: v for k, v in (arrays | changes).items() if v is not None})  # type: ignore[arg-type]
    return folder / "mine.npz"


def test_an_npz_is_a_table(tmp_path: Path) -> None:
    table = read(npz(tmp_path))
    assert table.labels == ("sky", "sea")
    assert table.y.tolist() == [[1, 0], [-1, 1], [1, 0]]
    assert table.ids.tolist() == ["a.jpg", "b.jpg", "c.jpg"]


def test_an_npz_may_name_ids_and_pools(tmp_path: Path) -> None:
    member = np.array([[True, True], [False, True], [True, False]])
    table = read(npz(tmp_path, ids=np.array(["3", "1", "2"]), member=member))
    assert table.ids.tolist() == ["3", "1", "2"]
    assert (table.member == member).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"split": None}, "has no array 'split'"),
        ({"y": np.array([[1, 0], [0, np.nan], [1, 0]])}, r"y\[1, 1\] is nan, expected 1, 0 or -1"),
        ({"y": np.array([[1, 0], [0, 5], [1, 0]])}, r"y\[1, 1\] is 5"),
        ({"y": np.zeros((2, 2))}, "y has 2 rows, paths has 3"),
        ({"y": np.zeros((3, 5))}, r"y must be int8 \[3, 2\]"),
        ({"ids": np.array(["a", "a", "b"])}, "id 'a' occurs twice"),
        ({"ids": np.array([1, 2, 3])}, "ids must be a list of texts"),
        ({"paths": np.array([b"a", b"b", b"c"])}, "paths must be a list of texts"),
        ({"paths": np.array(["../a", "b", "c"])}, "not a plain path"),
        ({"labels": np.array(["a", None])}, "not an NPZ file of plain arrays"),
        ({"split": np.array(["train", "train", "train"])}, "no test images"),
        ({"split": np.array(["train", "train", "dev"])}, "has split 'dev'"),
        ({"member": np.zeros((3, 2), dtype=bool)}, "positive for 'sky' but not in its pool"),
        ({"member": np.zeros((3, 2))}, "member must be boolean"),
    ],
)
def test_what_is_wrong_in_an_npz_is_said_in_one_sentence(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        read(npz(tmp_path, **changes))


def test_a_damaged_npz_is_named(tmp_path: Path) -> None:
    path = npz(tmp_path)
    whole = path.read_bytes()
    encrypted = bytearray(whole)
    encrypted[whole.rindex(b"PK\x01\x02") + 8] |= 1
    for damaged in (b"", whole[:10], whole[: len(whole) // 2], whole[:-5], bytes(encrypted)):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"mine.npz is not an NPZ file"):
            read(path)


def test_pickled_objects_in_an_npz_are_never_loaded(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "owned",))  # type: ignore[return-value]

    with pytest.raises(DataError, match="not an NPZ file of plain arrays"):
        read(npz(tmp_path, labels=np.array([Evil()], dtype=object)))
    assert not (tmp_path / "owned").exists()


def coco_json(folder: Path, splits: dict[int, str]) -> Path:
    content = coco_part("x", {1: [(3, 0)], 2: [(1, 0), (17, 0)], 3: [(3, 1)]})
    for image in content["images"]:  # type: ignore[attr-defined]
        image["split"] = splits.get(image["id"], "")
        put(folder / image["file_name"], jpeg())
    return put(folder / "mine.json", json.dumps(content))


def test_a_coco_style_file_whose_images_name_their_split_is_a_table(tmp_path: Path) -> None:
    table = read(coco_json(tmp_path, {1: "train", 2: "test", 3: "test"}))
    assert table.labels == ("person", "car", "cat")
    assert table.split.tolist() == ["train", "test", "test"]
    assert label_sets(table) == [{"car"}, {"person", "cat"}, set()]
    assert table.member[2].tolist() == [False, True, False]


def test_a_coco_style_file_can_hold_validation_images(tmp_path: Path) -> None:
    path = coco_json(tmp_path, {1: "train", 2: "val", 3: "test"})
    assert read(path, val="drop", empty_labels="drop").ids.tolist() == ["000000000001", "000000000003"]
    assert read(coco_json(tmp_path, {1: "train", 2: "val", 3: "val"}), val="test").split.tolist() == [
        "train",
        "test",
        "test",
    ]


def test_a_coco_style_file_without_splits_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"images\[2\], id 3: split '', expected train or test"):
        read(coco_json(tmp_path, {1: "train", 2: "test"}))


def test_a_file_that_is_no_table_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a label table ends in .csv, .npz, .json"):
        read(put(tmp_path / "table.xlsx"))
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "nothing.csv")


@pytest.mark.realdata
def test_corel5k_just_works(realdata: Path) -> None:
    path = realdata / "corel5k" / "labels.csv"
    table = read(path)
    assert (table.name, len(table.labels)) == ("corel5k", 374)
    # one of the 500 test rows is in the file twice, word for word
    assert ((table.split == "train").sum(), (table.split == "test").sum()) == (4500, 499)
    assert all((path.parent / photo).is_file() for photo in table.paths.tolist())
    names = json.loads((path.parent / "classes.json").read_text())
    first = next(line for line in path.read_text().splitlines() if line.startswith("1000.jpeg"))
    assert label_sets(table)[0] == {names[int(i)] for i in first.split(",")[2].split()}
    assert len(read(path, min_train_positives="50").labels) == 74


def instances(folder: Path, *, crowd: object = 0, ids: tuple[object, object] = (1, 2)) -> Path:
    """Two photos with a cat each, the second one's marked by `crowd`, and a dog that only the first one has."""
    for photo in "ab":
        put(folder / f"{photo}.jpg", jpeg())
    boxes = [(ids[0], 7, 0), (ids[0], 9, 0), (ids[1], 7, crowd)]
    content = {
        "images": [
            {"id": number, "file_name": f"{name}.jpg", "split": split}
            for number, name, split in zip(ids, "ab", ("train", "test"), strict=True)
        ],
        "annotations": [{"image_id": image, "category_id": label, "iscrowd": mark} for image, label, mark in boxes],
        "categories": [{"id": 7, "name": "cat"}, {"id": 9, "name": "dog"}],
    }
    return put(folder / "mine.json", json.dumps(content))


@pytest.mark.parametrize("crowd", [0, 0.0, False, None, "0", "false", "FALSE", float("nan")])
def test_a_crowd_mark_that_says_no_in_another_way_is_no_crowd(tmp_path: Path, crowd: object) -> None:
    assert read(instances(tmp_path, crowd=crowd)).y.tolist() == [[1, 1], [1, 0]]


@pytest.mark.parametrize("crowd", [1, 1.0, True, "1", "true"])
def test_a_crowd_is_no_positive_aloud_unless_it_is_kept(tmp_path: Path, crowd: object) -> None:
    path = instances(tmp_path, crowd=crowd)
    table = read(path)
    assert table.y.tolist() == [[1, 1], [0, 0]] and table.member.tolist() == [[True, True], [True, False]]
    assert "1 times all objects of a label in an image are marked as crowds" in table.notes[0]
    assert "cat: 1" in table.notes[0] and "crowd=keep" in table.notes[0]
    assert read(path, crowd="keep").y.tolist() == [[1, 1], [1, 0]]
    assert read(path, crowd="drop").member.tolist() == [[True, True], [False, False]]


def test_json_and_npz_as_windows_writes_them_are_read(tmp_path: Path) -> None:
    path = instances(tmp_path)
    text = path.read_text().replace('"a.jpg"', '".\\\\a.jpg"').replace('"train"', '"Train"')
    path.write_text("\ufeff" + text)
    table = read(path)
    assert table.paths.tolist() == ["a.jpg", "b.jpg"] and table.split.tolist() == ["train", "test"]
    arrays = {"paths": [".\\a.jpg", "b.jpg"], "labels": ["cat", "dog"], "split": ["Train", "TEST"], "y": table.y}
    np.savez(tmp_path / "mine.npz", **{name: np.array(values) for name, values in arrays.items()})
    again = read(tmp_path / "mine.npz")
    assert again.paths.tolist() == ["a.jpg", "b.jpg"] and again.split.tolist() == ["train", "test"]
    assert again.ids.tolist() == ["a.jpg", "b.jpg"] and again.y.tolist() == table.y.tolist()


def test_a_label_with_crowds_only_is_refused_saying_so(tmp_path: Path) -> None:
    path = instances(tmp_path)
    path.write_text(path.read_text().replace('"iscrowd": 0', '"iscrowd": 1'))
    with pytest.raises(DataError, match=r"'cat' .*all its objects are marked as crowds") as caught:
        read(path)
    assert "crowd: keep" in caught.value.hint


@pytest.mark.parametrize(("ids", "wanted"), [(("1", "2"), [1, 2]), ((1.0, 2.0), [1, 2]), (("x9", "x4"), [0, 1])])
def test_ids_as_text_are_read(tmp_path: Path, ids: tuple[object, object], wanted: list[int]) -> None:
    table = read(instances(tmp_path, ids=ids))
    assert table.ids.tolist() == [f"{number:012d}" for number in wanted]
    assert table.y.tolist() == [[1, 1], [1, 0]]


@pytest.mark.parametrize("crowd", [2, 0.5, "maybe", [1]])
def test_a_crowd_mark_that_says_nothing_is_refused_with_a_hint_for_a_file_of_ones_own(
    tmp_path: Path, crowd: object
) -> None:
    with pytest.raises(DataError, match=r"annotations\[2\].iscrowd") as caught:
        read(instances(tmp_path, crowd=crowd))
    assert "Fetch" not in caught.value.hint and "iscrowd" in caught.value.hint


def test_an_option_of_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no option 'crowd'"):
        read(make(tmp_path), crowd="keep")
    with pytest.raises(UsageError, match="there is no option 'separator'"):
        read(instances(tmp_path), separator=";")


def test_a_folder_or_file_is_found_without_a_dot_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "photos", name="labels.csv")
    make(tmp_path / "photos", name="table")
    monkeypatch.chdir(tmp_path)
    assert open_table("photos", root=None, options={}).labels == ("cat", "sea", "sky")
    with pytest.raises(UsageError, match="There is no data set 'photo'"):
        open_table("photo", root=None, options={})
    with pytest.raises(UsageError, match="There is no data set"):
        open_table("x" * 5000, root=None, options={})
    monkeypatch.chdir("photos")
    with pytest.raises(UsageError, match=r"table: a label table ends in \.csv"):
        open_table("table", root=None, options={})


@pytest.mark.parametrize(("name", "form"), [("x.xlsx", "Excel"), ("x.txt", "plain text"), ("x.pkl", "a pickle")])
def test_a_file_in_another_known_form_is_named(tmp_path: Path, name: str, form: str) -> None:
    with pytest.raises(UsageError, match=f"this is {form}"):
        read(put(tmp_path / name, "nothing"))


def test_a_label_that_is_never_known_in_test_ends_a_run_before_it_begins_and_is_read_nevertheless(
    tmp_path: Path,
) -> None:
    path = make(tmp_path, "file,split,labels,unknown\na.jpg,train,sky;cat,\nb.jpg,test,cat,sky\n")
    assert read(path).labels == ("cat", "sky")
    put(
        tmp_path / "mine.yaml",
        "name: mine\nversion: 1\ntitle: Mine.\ndataset: mine.csv\nlabels: {order: alphabetical, increment: 1}\n"
        "images: any-new-label\nvisible: new\ntest: images-with-seen\n"
        "train: {backbone: clbench_small, image_size: 32}\n",
    )
    (wanted,) = plan(str(tmp_path / "mine.yaml"), strategies=["naive"], seeds=[0])
    with pytest.raises(DataError, match="mine: the label 'sky' is never known in test") as caught:
        plan_stream(wanted)
    assert "min_test_positives=1" in (caught.value.hint or "")
