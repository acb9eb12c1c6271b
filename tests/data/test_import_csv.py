"""Exports in CSV and text: one column per label, labels in one cell, Open Images."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_makers import put
from import_tools import imported, notes, photos, said

from clbench.data.datasets.registry import open_table
from clbench.errors import DataError, UsageError


@pytest.mark.parametrize("header", ["filename, cat, dog", "filename,cat,dog"])
def test_roboflows_two_headers_are_one_form(tmp_path: Path, header: str) -> None:
    home = photos(tmp_path / "rf", "train/a.jpg", "train/b.jpg", "valid/c.jpg", "test/d.jpg")
    put(home / "train" / "_classes.csv", f"{header}\na.jpg, 1, 1\nb.jpg, 0, 1\n")
    put(home / "valid" / "_classes.csv", f"{header}\nc.jpg, 1, 0\n")
    put(home / "test" / "_classes.csv", f"{header}\nd.jpg, 0, 0\n")
    done = imported(home)
    assert said(done) == {"a.jpg": "train ++", "b.jpg": "train -+", "c.jpg": "train +-", "d.jpg": "test --"}
    assert "1 val photos are in train" in notes(done)
    dropped = imported(home, to=tmp_path / "two", val="drop")
    assert sorted(said(dropped)) == ["a.jpg", "b.jpg", "d.jpg"]
    put(home / "test" / "_classes.csv", "filename, dog, cat\nd.jpg, 0, 0\n")
    with pytest.raises(DataError, match="its label columns are not those of"):
        imported(home, to=tmp_path / "three")


CHEXPERT = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Edema,Fracture\n"
    "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0,,\n"
    "CheXpert-v1.0-small/train/patient00001/study2/view1_frontal.jpg,Female,69,Frontal,AP,,1.0,-1.0\n"
    "CheXpert-v1.0-small/valid/patient00002/study1/view1_frontal.jpg,Male,68,Lateral,,0.0,0.0,1.0\n"
)


def chexpert(folder: Path) -> Path:
    home = folder / "CheXpert-v1.0-small"
    photos(
        home,
        "train/patient00001/study1/view1_frontal.jpg",
        "train/patient00001/study2/view1_frontal.jpg",
        "valid/patient00002/study1/view1_frontal.jpg",
    )
    train, valid = CHEXPERT.splitlines()[:3], [CHEXPERT.splitlines()[0], CHEXPERT.splitlines()[3]]
    put(home / "train.csv", "\n".join(train) + "\n")
    put(home / "valid.csv", "\n".join(valid) + "\n")
    return home


def marks(done: object) -> list[str]:
    return ["".join({1: "+", 0: "-", -1: "?"}[v] for v in row) for row in done.table.y.tolist()]  # type: ignore[attr-defined]


def test_chexpert_blanks_and_minus_ones_are_unknown(tmp_path: Path) -> None:
    home = chexpert(tmp_path)
    done = imported(home, to=home)
    assert done.table.labels == ["No Finding", "Edema", "Fracture"]
    assert done.table.splits == ["train", "train", "test"]
    assert marks(done) == ["+??", "?+?", "--+"]
    text = notes(done)
    assert "-1 is taken for unknown (1 cells)" in text
    assert "3 empty cells are taken for unknown" in text
    assert "columns that are no labels: Sex, Age, Frontal/Lateral, AP/PA" in text
    assert "5 of 9 entries are known (55.6 %)" in done.report.read_text()
    rows = (home / "labels.csv").read_text().splitlines()
    assert rows[1] == (
        "train/patient00001/study1/view1_frontal.jpg,train,No Finding;,Edema;Fracture;,"
        "train/patient00001/study1/view1_frontal.jpg"
    )


def test_chexperts_policies_are_named(tmp_path: Path) -> None:
    home = chexpert(tmp_path)
    ones = imported(home, options={"minus": "present", "blank": "absent"})
    assert marks(ones) == ["+--", "-++", "--+"]
    zeros = imported(home, to=tmp_path / "zeros", options={"minus": "absent"})
    assert marks(zeros) == ["+??", "?+-", "--+"]


def test_celebas_minus_ones_are_absent(tmp_path: Path) -> None:
    home = photos(tmp_path / "celeba", "img_align_celeba/000001.jpg", "img_align_celeba/000002.jpg")
    put(home / "list_attr_celeba.txt", "2\nBald Male Young\n000001.jpg  -1  1 1\n000002.jpg   1 -1 1\n")
    done = imported(home, split=0.5)
    assert sorted(text.split()[1] for text in said(done).values()) == ["+-+", "-++"]
    assert "-1 is taken for absent (2 cells)" in notes(done)
    put(home / "list_eval_partition.txt", "000001.jpg 0\n000002.jpg 2\n")
    assert said(imported(home, to=tmp_path / "p")) == {"000001.jpg": "train -++", "000002.jpg": "test +-+"}
    put(home / "list_eval_partition.txt", "000001.jpg 0\n000002.jpg 3\n")
    with pytest.raises(DataError, match=r"list_eval_partition.txt, line 2: '000002.jpg 3', expected a photo and 0, 1"):
        imported(home, to=tmp_path / "q")
    put(home / "list_attr_celeba.txt", "3\nBald Male\n000001.jpg -1 1\n")
    (home / "list_eval_partition.txt").unlink()
    with pytest.raises(DataError, match="line 1: '3', expected the number of photos, 1"):
        imported(home, to=tmp_path / "x", split=0.5)


def test_only_one_and_minus_one_in_a_csv_can_mean_two_things(tmp_path: Path) -> None:
    home = photos(tmp_path / "x", "a.jpg", "b.jpg")
    put(home / "marks.csv", "image,split,cat,dog\na.jpg,train,1,-1\nb.jpg,test,1,1\n")
    with pytest.raises(DataError, match="-1 can mean absent or uncertain"):
        imported(home)
    assert said(imported(home, options={"minus": "absent"})) == {"a.jpg": "train +-", "b.jpg": "test ++"}


def test_a_slip_in_a_label_column_is_named_with_its_line(tmp_path: Path) -> None:
    home = photos(tmp_path / "x", "a.jpg", "b.jpg", "c.jpg")
    put(home / "m.csv", "image;split;cat;dog;age\na.jpg;train;1;0;31\nb.jpg;train;1;O;32\nc.jpg;test;1;1;33\n")
    with pytest.raises(DataError, match="line 3: column 'dog' is 'O', expected 1, 0, -1 or blank"):
        imported(home)
    assert imported(home, options={"columns": "cat"}).table.labels == ["cat"]


def test_planets_tags_are_parted_by_blanks_and_name_photos_without_ending(tmp_path: Path) -> None:
    home = photos(tmp_path / "planet", "train-jpg/train_0.jpg", "train-jpg/train_1.jpg")
    put(home / "train_v2.csv", "image_name,tags\ntrain_0,haze primary\ntrain_1,agriculture clear primary\n")
    done = imported(home, split=0.5)
    assert done.table.labels == ["agriculture", "clear", "haze", "primary"]
    assert sorted(text.split()[1] for text in said(done).values()) == ["++-+", "--++"]


def test_finding_labels_and_the_two_lists_of_chestxray14(tmp_path: Path) -> None:
    home = photos(tmp_path / "cxr", "images/00000001_000.png", "images/00000002_000.png", "images/00000003_000.png")
    put(
        home / "Data_Entry_2017.csv",
        "Image Index,Finding Labels,Follow-up #,Patient ID\n00000001_000.png,Cardiomegaly|Emphysema,0,1\n"
        "00000002_000.png,No Finding,0,2\n00000003_000.png,Emphysema,0,3\n",
    )
    put(home / "train_val_list.txt", "00000001_000.png\n00000002_000.png\n")
    put(home / "test_list.txt", "00000003_000.png\n")
    done = imported(home)
    assert said(done) == {
        "00000001_000.png": "train ++",
        "00000002_000.png": "train --",
        "00000003_000.png": "test -+",
    }
    assert "1 photos say 'No Finding': none of the labels" in notes(done)


def test_cells_are_read_as_in_a_table_of_ones_own(tmp_path: Path) -> None:
    home = photos(tmp_path / "x", "a.jpg", "b.jpg")
    put(home / "t.csv", 'image,set,label\na.jpg,train,"cat, dog"\nb.jpg,test,cat\n')
    listed = imported(home)
    assert "labels are taken to be separated by commas" in notes(listed)
    assert said(listed) == {"a.jpg": "train ++", "b.jpg": "test +-"}
    put(home / "t.csv", "image,set,label\na.jpg,train,['cat' 'dog']\nb.jpg,test,cat\n")
    with pytest.raises(DataError, match=r"line 2: .*\['cat' 'dog'\].* holds a NumPy array"):
        imported(home, to=tmp_path / "y")
    printed = imported(home, to=tmp_path / "z", options={"cells": "list"})
    assert said(printed) == {"a.jpg": "train ++", "b.jpg": "test +-"}


def test_blanks_never_part_labels_of_other_tables(tmp_path: Path) -> None:
    home = photos(tmp_path / "x", "a.jpg", "b.jpg")
    put(home / "t.csv", "image,set,label\na.jpg,train,engine part\nb.jpg,test,engine part\n")
    assert imported(home).table.labels == ["engine part"]


def test_open_images_not_listed_is_unknown(tmp_path: Path) -> None:
    home = photos(tmp_path / "oi", "train/0a.jpg", "train/0b.jpg", "test/0c.jpg")
    put(home / "class-descriptions.csv", "/m/01,Cat\n/m/02,Dog\n/m/03,Traffic light\n")
    head = "ImageID,Source,LabelName,Confidence\n"
    put(
        home / "train-annotations-human-imagelabels.csv",
        head + "0a,verification,/m/01,1\n0a,verification,/m/02,0\n0b,crowdsource-verification,/m/02,1\n",
    )
    put(home / "test-annotations-human-imagelabels.csv", head + "0c,verification,/m/01,1\n0c,verification,/m/03,0\n")
    put(home / "train-annotations-bbox.csv", "ImageID,Source,LabelName,Confidence,XMin\n0a,x,/m/02,1,0.5\n")
    done = imported(home)
    assert done.table.labels == ["Cat", "Dog"]
    assert said(done) == {"0a.jpg": "train +-", "0b.jpg": "train ?+", "0c.jpg": "test +?"}
    assert "labels that no photo has are left out: Traffic light" in notes(done)
    put(home / "test-annotations-human-imagelabels.csv", head + "0c,machine,/m/01,0.7\n0c,machine,/m/02,0.2\n")
    with pytest.raises(DataError, match=r"line 2: Confidence is 0.7, a machine's guess"):
        imported(home, to=tmp_path / "x")
    guessed = imported(home, to=tmp_path / "y", options={"threshold": "0.5"})
    assert said(guessed)["0c.jpg"] == "test +?"


def test_photos_of_one_patient_stay_together(tmp_path: Path) -> None:
    names = [f"patient{patient}/view{view}.jpg" for patient in range(6) for view in range(2)]
    home = photos(tmp_path / "x", *names)
    rows = [f"{name},p{name[7]},{int(index % 2)},1" for index, name in enumerate(names)]
    put(home / "marks.csv", "path,patient,cat,dog\n" + "\n".join(rows) + "\n")
    for group in ("patient", "path:(patient[0-9]+)"):
        done = imported(home, to=tmp_path / group[:4], split=0.33, group=group, seed=1, replace=True)
        sides: dict[str, set[str]] = {}
        for name, split in zip(done.table.ids, done.table.splits, strict=True):
            sides.setdefault(name.split("/")[0], set()).add(split)
        assert all(len(split) == 1 for split in sides.values())
        assert done.table.splits.count("test") == 4
        assert f"groups by {group} kept together" in notes(done)
    with pytest.raises(UsageError, match=r"--group patiant: nothing stands there\. Did you mean 'patient'"):
        imported(home, to=tmp_path / "z", split=0.33, group="patiant")
    with pytest.raises(UsageError, match=r"--split 0\.33 leaves no test photos: \d+ of them in 1 part that"):
        imported(home, to=tmp_path / "z", split=0.33, group="path:patient")


def test_a_photo_that_is_absent_stops_the_import_unless_it_may_be_left_out(tmp_path: Path) -> None:
    home = photos(tmp_path / "x", "a.jpg", "b.jpg")
    put(home / "m.csv", "image,split,cat\na.jpg,train,1\nb.jpg,test,1\ngone.jpg,test,1\n")
    with pytest.raises(DataError, match=r"m.csv, line 4: gone.jpg is not in .*; 1 of 3 photos are absent"):
        imported(home)
    done = imported(home, missing="drop")
    assert sorted(said(done)) == ["a.jpg", "b.jpg"]
    assert "1 photos are absent and left out: gone.jpg" in notes(done)


def test_a_name_that_fits_two_photos_is_refused(tmp_path: Path) -> None:
    home = photos(tmp_path / "x", "one/a.jpg", "two/a.jpg", "b.jpg")
    put(home / "m.csv", "image,split,cat\na.jpg,train,1\nb.jpg,test,1\n")
    with pytest.raises(DataError, match=r"a.jpg can be one/a.jpg or two/a.jpg"):
        imported(home)
    put(home / "m.csv", "image,split,cat\nC:\\photos\\two\\a.jpg,train,1\nb.jpg,test,1\n")
    assert imported(home).table.ids == ["two/a.jpg", "b.jpg"]


def test_a_table_that_is_one_already_is_not_imported(tmp_path: Path) -> None:
    home = photos(tmp_path / "x", "a.jpg")
    put(home / "t.csv", "file,split,labels\na.jpg,train,cat\n")
    with pytest.raises(UsageError, match="is a label table already"):
        imported(home)


def test_a_second_import_into_a_folder_replaces_nothing_unless_asked(tmp_path: Path) -> None:
    home = photos(tmp_path / "x", "a.jpg", "b.jpg")
    put(home / "m.csv", "image,split,cat\na.jpg,train,1\nb.jpg,test,1\n")
    before = imported(home).file.read_bytes()
    with pytest.raises(UsageError, match=r"labels.csv is there already"):
        imported(home)
    assert imported(home, replace=True).file.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # pandas writes nan where it was told to, and the number of each row when it was not told to leave it out
        ("img,cat,dog,cow\na.jpg,1,0,nan\nb.jpg,0,1,NaN\nc.jpg,1,N/A,nan\nd.jpg,1,0,1\n", ["+-?", "-+?", "+??", "+-+"]),
        (",filename,cat,dog\n0,a.jpg,1,0\n1,b.jpg,0,1\n2,c.jpg,1,1\n3,d.jpg,0,0\n", ["+-", "-+", "++", "--"]),
        ("sep=;\nfilename;cat;dog\na.jpg;1;0\nb.jpg;0;1\nc.jpg;1;1\nd.jpg;0;0\n", ["+-", "-+", "++", "--"]),
        ("filename,cat,dog\na.jpg,yes,no\nb.jpg,No,Yes\nc.jpg,YES,yes\nd.jpg,no,no\n", ["+-", "-+", "++", "--"]),
        ("fold,photo,cat,dog\n0,a.jpg,1,0\n1,b.jpg,0,1\n0,c.jpg,1,1\n1,d.jpg,0,0\n", ["+-", "-+", "++", "--"]),
    ],
    ids=["nan", "row numbers", "sep=", "yes and no", "fold"],
)  # fmt: skip
def test_columns_as_pandas_and_spreadsheets_write_them(tmp_path: Path, text: str, wanted: list[str]) -> None:
    home = photos(tmp_path / "in", "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    put(home / "marks.csv", text)
    found = said(imported(home, split=0.5))
    assert [found[name].split()[1] for name in sorted(found)] == wanted


def test_a_column_of_yes_and_no_can_be_the_split(tmp_path: Path) -> None:
    home = photos(tmp_path / "in", "a.jpg", "b.jpg")
    put(home / "train.csv", "fname,labels,is_valid\na.jpg,chair;person,True\nb.jpg,person,False\n")  # as fastai's
    assert said(imported(home)) == {"a.jpg": "test ++", "b.jpg": "train -+"}
    put(home / "train.csv", "fname,labels,is_test\na.jpg,chair;person,maybe\nb.jpg,person,0\n")
    with pytest.raises(DataError, match="line 2: split 'maybe', expected yes or no"):
        imported(home, to=tmp_path / "two")


def test_equal_photos_are_never_split_between_train_and_test(tmp_path: Path) -> None:
    home = photos(tmp_path / "in", *(f"{name}.jpg" for name in "abcdef"))
    for name in "abc":  # d, e and f are a, b and c under another name
        (home / f"{'def'['abc'.index(name)]}.jpg").write_bytes((home / f"{name}.jpg").read_bytes())
    put(
        home / "marks.csv", "filename,cat,dog\n" + "".join(f"{name}.jpg,{i % 2},1\n" for i, name in enumerate("abcdef"))
    )
    for seed in range(4):
        done = imported(home, to=tmp_path / str(seed), split=0.4, seed=seed)
        assert done.table.splits[:3] == done.table.splits[3:] and set(done.table.splits) == {"train", "test"}
        assert "6 entries are 3 photos, byte for byte: kept together" in notes(done)
    assert len(said(done)) == 3


def test_an_import_names_labels_that_say_there_is_none(tmp_path: Path) -> None:
    home = photos(tmp_path / "in", "a.jpg", "b.jpg", "c.jpg")
    put(home / "tags.csv", "filename,tags\na.jpg,cat;nan\nb.jpg,No_Label\nc.jpg,cat\n")
    assert "2 labels are called as tools call the absence of one: 'No_Label', 'nan'" in notes(imported(home, split=0.5))


def test_a_sample_submission_holds_nobodys_labels(tmp_path: Path) -> None:
    home = photos(tmp_path / "in", "images/a.jpg", "images/b.jpg", "images/c.jpg")
    put(home / "train.csv", "image_id,scab,rust\na,1,0\nb,0,1\n")
    put(home / "sample_submission.csv", "image_id,scab,rust\nc,0,0\n")
    done = imported(home, split=0.5)
    assert done.table.y.tolist() == [[1, 0], [0, 1]] and done.left_out == ("images/c.jpg",)


def test_a_photo_is_found_in_another_letter_case_where_that_is_unambiguous(tmp_path: Path) -> None:
    home = photos(tmp_path / "in", "images/a.JPG", "images/b.jpg", "images/B.JPG")
    put(home / "marks.csv", "filename,cat,dog\na.jpg,1,0\nb.jpg,0,1\n")
    done = imported(home, split=0.5)
    assert said(done).keys() == {"a.JPG", "b.jpg"} and "in another folder or letter case" in notes(done)
    put(home / "marks.csv", "filename,cat,dog\na.jpg,1,0\nb.Jpg,0,1\n")
    with pytest.raises(DataError, match=r"b\.Jpg can be images/B\.JPG or images/b\.jpg"):
        imported(home, to=tmp_path / "two", split=0.5)


def test_an_export_that_is_used_as_it_is_says_how_it_was_read_and_is_looked_through(tmp_path: Path) -> None:
    home = photos(tmp_path / "in", "a.jpg", "b.jpg")
    put(home / "tags.csv", 'filename,split,tags\na.jpg,train,"cat, dog"\nb.jpg,test,cat\n')
    table = open_table(str(home), root=None, options={})
    assert table.y.tolist() == [[1, 1], [1, 0]]
    assert any("labels are taken to be separated by commas" in note for note in table.notes)
    (home / "b.jpg").write_bytes((home / "a.jpg").read_bytes())
    with pytest.raises(DataError, match="1 photos are in train and in test, byte for byte the same") as caught:
        open_table(str(home), root=None, options={})
    assert "duplicates=keep" in caught.value.hint
    assert len(open_table(str(home), root=None, options={"duplicates": "keep"})) == 2
