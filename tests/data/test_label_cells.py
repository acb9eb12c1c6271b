"""What a cell with labels says, by hand: forms that people type and forms that tools write."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from data_makers import put

from clbench.data.datasets.registry import open_table
from clbench.data.own_table.cells import Cell, Labels, read_cells
from clbench.data.own_table.label_names import doubtful, odd
from clbench.data.own_table.table_file import read
from clbench.errors import DataError, UsageError


def cells(*texts: str, **options: object) -> Labels:
    return read_cells([Cell(f"line {n}", text) for n, text in enumerate(texts, 2)], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (("sky;sea", "cat"), [["sky", "sea"], ["cat"]]),
        (("sky|sea", "cat"), [["sky", "sea"], ["cat"]]),
        (("traffic light; cat ;", "cat"), [["traffic light", "cat"], ["cat"]]),
        (("traffic light|cat", "hot dog"), [["traffic light", "cat"], ["hot dog"]]),
        (("engine part", "fork lift", "", "crane"), [["engine part"], ["fork lift"], [], ["crane"]]),
        (("Paris, France;cat", "Paris, France"), [["Paris, France", "cat"], ["Paris, France"]]),
        (("rock (music)", "a-b_c/d", "it's"), [["rock (music)"], ["a-b_c/d"], ["it's"]]),
        (('{"choices":["cat","dog"]}', "hot dog, large", '{"choices": []}'), [["cat", "dog"], ["hot dog, large"], []]),
    ],
)
def test_what_can_mean_one_thing_only_is_read_without_asking(texts: tuple[str, ...], wanted: list[list[str]]) -> None:
    found = cells(*texts)
    assert found.positive == wanted and not found.notes


@pytest.mark.parametrize("texts", [("cat,dog", "cat"), ("cat, dog", "cat"), ("cat ,dog,", "cat")])
def test_a_comma_separates_where_every_cell_allows_it_and_that_is_said(texts: tuple[str, ...]) -> None:
    found = cells(*texts)
    assert found.positive == [["cat", "dog"], ["cat"]]
    [note] = found.notes
    assert "separated by commas" in note and "separator=none" in note
    whole = cells(*texts, separator="none")
    assert whole.positive == [[texts[0]], ["cat"]] and not whole.notes


PRINTED = [
    ("[0 2]", "a NumPy array"),
    ("['cat' 'dog']", "a NumPy array"),
    ("['cat', 'dog']", "a Python list"),
    ("[1 0 1]", "a NumPy array"),
    ("[]", "a Python list"),
    ('["cat", "dog"]', "a JSON list"),
    ("[0, 2]", "a Python list"),
    ("[cat, dog]", "a Python list"),
    ("['cat']", "a Python list"),
    ("('cat', 'dog')", "a Python tuple"),
    ("{'cat', 'dog'}", "a set"),
    ("{cat,dog}", "a set"),
    ("{'cat': 1, 'dog': 0}", "a mapping"),
    ("array(['cat', 'dog'], dtype=object)", "a Python call"),
    ("set()", "a Python call"),
    ("'cat','dog'", "a quoted text"),
    ('"cat"', "a quoted text"),
    ("['cat';'dog']", "a Python list"),
    ("[True, False]", "a Python list"),
]


@pytest.mark.parametrize(("text", "form"), PRINTED)
def test_a_printed_list_is_refused_naming_its_form_and_the_option(text: str, form: str) -> None:
    with pytest.raises(DataError, match=form) as caught:
        cells("bird", text)
    assert caught.value.message.startswith("line 3: ") and "cells=list" in caught.value.hint


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (("['cat' 'dog']", "[]", "['hot dog']"), [["cat", "dog"], [], ["hot dog"]]),
        (("['cat', 'dog']", "['it\\'s', \"dog's, big\"]"), [["cat", "dog"], ["it's", "dog's, big"]]),
        (('["cat", "dog"]', '["caf\\u00e9"]'), [["cat", "dog"], ["café"]]),
        (("['cat'\n 'dog']", "(cat, hot dog)"), [["cat", "dog"], ["cat", "hot dog"]]),
        (("[np.str_('cat'), np.str_('dog')]", "('cat',)"), [["cat", "dog"], ["cat"]]),
        (("array(['cat', 'dog'], dtype=object)", "{'cat'}", ""), [["cat", "dog"], ["cat"], []]),
    ],
)
def test_printed_lists_are_read_when_asked_for(texts: tuple[str, ...], wanted: list[list[str]]) -> None:
    assert cells(*texts, form="list").positive == wanted


def test_lists_of_positions_are_read_with_a_vocabulary() -> None:
    names = ["sky", "sea", "cat"]
    assert cells("[0 2]", "[1.]", "[0, 1, 2]", names=names, form="list").positive == [
        ["sky", "cat"],
        ["sea"],
        ["sky", "sea", "cat"],
    ]
    with pytest.raises(DataError, match="unknown label '3'"):
        cells("[0 3]", names=names, form="list")
    with pytest.raises(DataError, match="a 1 or 0 for each label") as caught:
        cells("[1 0 1]", "[0 1 0]", names=names, form="list")
    assert "cells=onehot" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["['a' 'b' ... 'y' 'z']", "[0 1 2 ... 97 98 99]", "['a', ...]", "array([0, 1, ..., 9])"]
)
@pytest.mark.parametrize("form", ["auto", "text", "list", "onehot"])
def test_a_list_cut_short_is_refused_whatever_was_asked_for(text: str, form: str) -> None:
    with pytest.raises(DataError, match="cut short"):
        cells(text, form=form, names=["a", "b"])


@pytest.mark.parametrize(
    "text", ["[cat dog]", "{'cat': 1}", "[['cat'], ['dog']]", "['cat' dog]", "['cat', None", "[cat, nan]"]
)
def test_a_list_that_cannot_be_told_is_refused_even_when_asked_for(text: str) -> None:
    with pytest.raises(DataError, match="is not read as a list"):
        cells(text, form="list")


def test_one_and_zero_for_each_label_are_read_in_the_order_of_the_vocabulary() -> None:
    found = cells("[1 0 1]", "0 -1 0", "[0., 1., 0.]", "", names=["sky", "sea", "cat"], form="onehot")
    assert found.positive == [["sky", "cat"], [], ["sea"], []]
    assert found.unknown == [[], ["sea"], [], []]
    for wrong in ("[1 0]", "[1 2 0]", "sky"):
        with pytest.raises(DataError, match="not a row of 3 times 1, 0 or -1"):
            cells(wrong, names=["sky", "sea", "cat"], form="onehot")
    with pytest.raises(DataError, match="needs the names of the labels"):
        cells("[1 0]", form="onehot")


@pytest.mark.parametrize(
    ("texts", "words", "cure"),
    [
        (("a|b;c", "d|e"), 'holds "|", and another holds ";"', 'separator=";"'),
        (("cat,dog", "cat;bird"), 'holds a comma, and labels are separated by ";"', 'separator=";"'),
        (("a,b;c", "a;b"), "holds a comma", 'separator=";"'),
        (("cat,,dog", "cat"), "an entry is empty or there twice", "separator=comma"),
        (("cat, cat", "dog"), "an entry is empty or there twice", "separator=none"),
        (("0 2", "1"), "is a row of numbers", "classes.json"),
        (("1,0,1", "0,1,1"), "is a row of numbers", "cells=onehot"),
        (("cat\tdog", "cat"), "holds a tab", "separator=tab"),
        (("cat\ndog", "cat"), "holds a newline", "separator=newline"),
    ],
)
def test_a_cell_that_could_mean_two_things_is_refused_with_the_cure(
    texts: tuple[str, ...], words: str, cure: str
) -> None:
    with pytest.raises(DataError, match=words.replace("|", r"\|")) as caught:
        cells(*texts)
    assert cure in caught.value.hint


@pytest.mark.parametrize(
    ("separator", "text"),
    [
        ("comma", "cat,dog"), (",", "cat, dog"), ("semicolon", "cat;dog"), ("bar", "cat|dog"), ("blank", "cat  dog"),
        (" ", "cat dog"), ("tab", "cat\tdog"), ("newline", "cat\ndog"), ("/", "cat / dog"), ("::", "cat::dog"),
        ("+", "cat+dog"),
    ],
)  # fmt: skip
def test_a_separator_can_be_named(separator: str, text: str) -> None:
    assert cells(text, "cat", separator=separator).positive == [["cat", "dog"], ["cat"]]


def test_a_separator_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(UsageError, match=r"option separator is 'coma'\. Did you mean 'comma'"):
        cells("a,b", separator="coma")


def test_a_vocabulary_decides_what_its_names_hold() -> None:
    names = ["Paris, France", "a;b", "hot dog"]
    assert cells("Paris, France", "a;b", "hot dog", "", names=names).positive == [
        ["Paris, France"],
        ["a;b"],
        ["hot dog"],
        [],
    ]
    assert cells("sky,sea", "sea", names=["sea", "sky"]).positive == [["sky", "sea"], ["sea"]]
    odd = ["[a]", "b|c", "d"]
    assert cells("[a];b|c", "d;", names=odd).positive == [["[a]", "b|c"], ["d"]]
    with pytest.raises(DataError, match="line 2: unknown label 'sky sea'") as caught:
        cells("sky sea", names=["sea", "sky"])
    assert "separator=blank" in caught.value.hint


def test_blanks_separate_positions_since_a_number_holds_none() -> None:
    assert cells("0 2", "007", "1", names=list("abcdefgh")).positive == [["a", "c"], ["h"], ["b"]]
    with pytest.raises(DataError, match="a 1 or 0 for each label"):
        cells("1 0 1", "0 1 1", names=["a", "b", "c"])
    with pytest.raises(DataError, match="a 1 or 0 for each label"):
        cells("0 1", "1 0", names=["a", "b"])


def test_labels_that_share_words_are_said_to_be_one_label_each() -> None:
    found = cells("sky sea", "sky")
    assert found.positive == [["sky sea"], ["sky"]]
    assert "separator=blank" in found.notes[0]
    assert cells("sky sea", "sky", separator="blank").positive == [["sky", "sea"], ["sky"]]


def test_names_that_say_there_is_no_label_are_named() -> None:
    labels = ["cat", "nan", "No Finding", "none", "<NA>", "-"]
    [remark] = doubtful(labels)
    assert remark.names == ("nan", "No Finding", "none", "<NA>", "-")
    assert doubtful(["cat", "dog", "hot dog", "non-smoker"]) == []


def test_case_twins_and_lists_in_disguise_are_named() -> None:
    assert [r.names for r in doubtful(["Cat", "cat", "dog"])] == [("Cat", "cat")]
    assert [r.names for r in doubtful(["cat", "dog", "cat/dog", "cat+bird"])] == [("cat/dog",)]
    assert [r.names for r in doubtful(["cat,", "cat"])] == [("cat,",)]
    assert [r.names for r in odd(["very hot dog", "hot dog", "hotel"])] == [("very hot dog",)]
    remarks = {r.text: r.names for r in odd(["cat [wild]", "cat", "Paris, France", "it's"])}
    assert remarks == {
        "labels hold brackets or quotes": ("cat [wild]", "it's"),
        "labels hold a comma or another separator": ("Paris, France",),
        "labels have the name of another as a part": ("cat [wild]",),
    }


def table(folder: Path, text: str, **options: str):  # type: ignore[no-untyped-def]
    (folder / "mine.csv").write_text(text)
    return read(folder / "mine.csv", root=folder, options=options, photos=False)


def test_a_column_of_real_labels_with_nan_in_it_warns_every_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):  # the second time from the cache
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            (tmp_path / "mine.csv").write_text('file,split,labels\na,train,"cat,nan"\nb,test,cat\n')
            found = open_table(str(tmp_path / "mine.csv"), root=None, options={}, photos=False)
            assert found.labels == ("cat", "nan")
        assert "'nan'" in caplog.text and "separated by commas" in caplog.text


def test_one_label_a_row_is_united_when_asked_for(tmp_path: Path) -> None:
    text = "file,split,labels\na.jpg,train,cat\nb.jpg,test,cat\na.jpg,train,dog\n"
    with pytest.raises(DataError, match=r"lines 2 and 4: id 'a.jpg' occurs twice, with other labels") as caught:
        table(tmp_path, text)
    assert "--option rows=label" in caught.value.hint
    found = table(tmp_path, text, rows="label")
    assert found.ids.tolist() == ["a.jpg", "b.jpg"] and found.labels == ("cat", "dog")
    assert found.y.tolist() == [[1, 1], [1, 0]]
    assert found.notes == ("3 rows are the labels of 2 images (rows=label)",)
    with pytest.raises(DataError, match=r"lines 2 and 4: .*with another file or split"):
        table(tmp_path, text.replace("a.jpg,train,dog", "a.jpg,test,dog"), rows="label")


@pytest.mark.parametrize(
    "text",
    [
        "file;split;labels\na.jpg;train;cat,dog\nb.jpg;test;cat\n",
        "sep=;\nfile;split;labels\na.jpg;train;cat|dog\nb.jpg;test;cat\n",
        "\ufefffile;split;labels;\na.jpg;train;cat,dog;\nb.jpg;test;cat;\n",
        "file\tsplit\tlabels\na.jpg\ttrain\tcat,dog\nb.jpg\ttest\tcat\n",
        'file,split,labels,,\n.\\a.jpg,train,"cat,dog",,\n./b.jpg,test,cat\n',
    ],
)
def test_columns_as_spreadsheets_write_them(tmp_path: Path, text: str) -> None:
    found = table(tmp_path, text)
    assert found.paths.tolist() == ["a.jpg", "b.jpg"] and found.labels == ("cat", "dog")
    assert found.y.tolist() == [[1, 1], [1, 0]]


def test_paths_as_windows_writes_them_are_found(tmp_path: Path) -> None:
    assert table(tmp_path, "file,split,labels\nx\\a.jpg,train,cat\ny\\b.jpg,test,cat\n").paths.tolist() == [
        "x/a.jpg",
        "y/b.jpg",
    ]
    with pytest.raises(DataError, match="not a plain path"):
        table(tmp_path, "file,split,labels\nC:\\a.jpg,train,cat\nb.jpg,test,cat\n")


def test_a_file_without_a_header_is_told_from_a_misspelled_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="The first line is a row, not a header"):
        table(tmp_path, "a.jpg,train,cat\nb.jpg,test,cat\n")


def test_true_and_false_are_a_mark_for_each_label_never_labels() -> None:
    for texts in (("[True, False, True]", "[False, True, False]"), ("[ True False  True]", "[False  True False]")):
        assert cells(*texts, names=["sky", "sea", "cat"], form="onehot").positive == [["sky", "cat"], ["sea"]]
        for names in ([], ["sky", "sea", "cat"]):
            with pytest.raises(DataError, match="a 1 or 0 for each label") as caught:
                cells(*texts, names=names, form="list")
            assert "cells=onehot" in caught.value.hint


def test_an_object_that_python_printed_is_no_label() -> None:
    with pytest.raises(DataError, match="holds a Python object"):
        cells("cat", "<Classification: {'label': 'cat'}>")


def test_names_that_look_alike_are_named() -> None:
    # composed and decomposed e acute, and an invisible zero width space
    [found] = doubtful(["caf\u00e9", "cafe\u0301", "cat", "cat\u200b"])
    assert "letter case, blanks or invisible signs" in found.text and len(found.names) == 4


def test_a_row_that_differs_in_a_column_that_is_not_read_says_nothing_new(tmp_path: Path) -> None:
    for name in "ab":
        put(tmp_path / f"{name}.jpg", name)
    # one row per box, the label being the same
    table = put(tmp_path / "t.csv", "file,split,labels,box\na.jpg,train,cat,1\na.jpg,train,cat,2\nb.jpg,test,cat,3\n")
    found = read(table, root=tmp_path, options={})
    assert found.y.tolist() == [[1], [1]] and "repeats a row" in found.notes[0]


@pytest.mark.parametrize("text", ["cat, dog, ...", "cat;dog;...", "cat;…", "..."])
def test_a_list_without_brackets_that_is_cut_short_is_refused_too(text: str) -> None:
    for separator in ("auto", "semicolon") if ";" in text else ("auto", "comma"):
        with pytest.raises(DataError, match=r"line 3: .*cut short"):
            cells("cat", text, separator=separator)


def test_a_name_that_ends_in_dots_is_named() -> None:
    [found] = doubtful(["cat", "traffic li..."])
    assert found.names == ("traffic li...",) and "cut short" in found.text
