"""Open Images' official tables: verified present, verified absent, and all the rest unknown."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from data_makers import put
from tiny_scenarios import finished

from clbench.data.datasets import open_images
from clbench.data.datasets.registry import open_table
from clbench.errors import DataError, ResultsError
from clbench.plan.plans import plan
from clbench.spec.scenario import LabelsSpec, ScenarioSpec
from clbench.stream.build import build_stream

HEAD = "ImageID,Source,LabelName,Confidence\n"
NAMES = 'LabelName,DisplayName\n/m/02,Dog\n/m/01,"Cat, small"\n/m/04,Tree\n/m/03,Dog\n/m/05,Never\n'
A, B, C, D, E = (f"{number:016x}" for number in (2**63 + 5, 10, 11, 3, 4))


def lines(*rows: str) -> str:
    return HEAD + "".join(f"{row.replace(' ', ',verification,', 1).replace(' ', ',')}\n" for row in rows)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    put(tmp_path / "oidv7-class-descriptions.csv", NAMES)
    train = lines(f"{A} /m/01 1", f"{A} /m/02 0", f"{B} /m/01 0", f"{B} /m/01 1", f"{B} /m/04 1", f"{A} /m/03 1")
    put(tmp_path / "oidv7-train-annotations-human-imagelabels.csv", train)
    put(tmp_path / "oidv7-val-annotations-human-imagelabels.csv", lines(f"{C} /m/01 1"))
    put(
        tmp_path / "oidv7-test-annotations-human-imagelabels.csv", lines(f"{E} /m/01 0", f"{E} /m/04 1", f"{D} /m/01 1")
    )
    return tmp_path


def test_listed_labels_are_known_and_all_others_are_not(home: Path) -> None:
    table = open_table("open-images-v7", root=home, options={"min_train_positives": "0"}, photos=False)
    assert table.labels == ("Cat, small", "Tree")  # the others are in no test image
    assert table.ids.tolist() == [B, A, D, E] and table.split.tolist() == ["train", "train", "test", "test"]
    assert table.paths.tolist() == [f"train/{B}.jpg", f"train/{A}.jpg", f"test/{D}.jpg", f"test/{E}.jpg"]
    assert table.y.tolist() == [[-1, 1], [1, -1], [1, -1], [0, 1]]  # two people differ about B
    assert len(open_table("open-images-v7", root=home, options={"val": "train"}, photos=False)) == 5
    whole = open_images._kept(home, name="open-images-v7", val="drop")
    assert whole.labels == ("Cat, small", "Dog (/m/02)", "Dog (/m/03)", "Tree", "Never")
    assert np.asarray(whole.y)[1].tolist() == [1, 0, 1, -1, -1]


def test_a_label_that_is_never_known_in_test_is_refused_by_name(home: Path) -> None:
    with pytest.raises(DataError, match=r"the label 'Dog \(/m/03\)' is never known in test") as caught:
        open_table("open-images-v7", root=home, options={"labels": "Dog (/m/03);Tree"}, photos=False)
    assert "min_test_positives=1" in caught.value.hint


def test_the_most_frequent_labels_are_chosen_by_their_train_images(home: Path) -> None:
    put(home / "oidv7-train-annotations-human-imagelabels.csv", lines(f"{A} /m/01 0", f"{B} /m/04 1", f"{A} /m/04 1"))
    table = open_table("open-images-v7", root=home, options={"most_frequent": "1"}, photos=False)
    assert table.labels == ("Tree",) and table.positives("train").tolist() == [2]
    with pytest.raises(DataError, match="most_frequent is 9, and 1 labels can be chosen"):
        open_table("open-images-v7", root=home, options={"most_frequent": "9"}, photos=False)


def test_photos_that_are_not_there_leave_the_table_where_that_is_allowed(home: Path) -> None:
    with pytest.raises(DataError, match=rf"4 of 4 photos are not in .*, first train/{B}.jpg"):
        open_table("open-images-v7", root=home, options={})
    for path in (f"train/{A}.jpg", f"test/{E}.jpg", f"test/{D}.jpg"):
        put(home / path, "x")
    with pytest.raises(DataError, match="1 of 4 photos are not in"):
        open_table("open-images-v7", root=home, options={})
    table = open_table("open-images-v7", root=home, options={"missing": "0.5", "min_train_positives": "0"})
    assert table.ids.tolist() == [A, D, E] and table.paths[0] == f"train/{A}.jpg"
    assert table.y.tolist() == [[1, -1], [1, -1], [0, 1]] and table.rows("test").tolist() == [1, 2]
    stream = build_stream(
        table, ScenarioSpec(name="s", version=1, title="S.", dataset="x", labels=LabelsSpec(subset=["Cat, small"]))
    )
    assert np.asarray(stream.sessions[0].targets).tolist() == [[1]] and stream.truth(stream.test_rows).tolist() == [[1]]


def test_what_was_read_is_kept_until_a_file_changes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_table("open-images-v7", root=home, options={}, photos=False)
    with monkeypatch.context() as patch:
        patch.setattr(open_images, "_blocks", None)  # nothing is read again
        assert open_table("open-images-v7", root=home, options={}, photos=False).digest() == first.digest()
    with (home / "oidv7-test-annotations-human-imagelabels.csv").open("a") as file:
        file.write(f"{D},verification,/m/04,0\n")
    assert open_table("open-images-v7", root=home, options={}, photos=False).digest() != first.digest()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"{A},verification,/m/01", r"line 4: .*expected an id of 16 hexadecimal digits"),
        (f"{A},verification,/m/01,0.7", r"line 4: .*expected an id of 16 hexadecimal digits"),
        (f"{A},verification,/m/01,2", r"line 4: "),
        (f"{A[:15]}g,verification,/m/01,1", r"line 4: "),
        (f"{A[:12]},verification,/m/01,1", r"line 4: "),
        (f"{A},verification,/m/01,1,0", r"line 4: "),
        (f"{A},verification,/m/99,1", r"line 4: label '/m/99' is not in oidv7-class-descriptions.csv"),
        (f"{A},verification,,1", r"line 4: .*expected an id of 16 hexadecimal digits"),
        (f"{A},verification,/m/01\0,1", r"line 4: "),
        (f'{A},"verification,/m/01,1', r"line 4: "),
        (f'"{A}","veri,fication","/m/99",1', r"line 4: label '/m/99' is not in"),
        ("", r"line 4: ''"),
        (f"{D},verification,/m/01,1", rf"image {D} is in train and in test"),
    ],
)
def test_a_line_that_is_none_is_named(home: Path, row: str, message: str) -> None:
    path = home / "oidv7-train-annotations-human-imagelabels.csv"
    put(path, lines(f"{A} /m/01 1", f"{A} /m/02 0") + f"{row}\n" + f"{B},verification,/m/04,1\n")
    with pytest.raises(DataError, match=message):
        open_table("open-images-v7", root=home, options={}, photos=False)


def test_quotes_marks_of_byte_order_and_windows_lines_change_nothing(home: Path) -> None:
    options = {"min_train_positives": "0"}
    plain = open_table("open-images-v7", root=home, options=options, photos=False)
    for path in home.glob("oidv7-*-imagelabels.csv"):
        text = path.read_text()
        quoted = "".join(",".join(f'"{cell}"' for cell in line.split(",")) + "\r\n" for line in text.splitlines())
        path.write_bytes(b"\xef\xbb\xbf" + quoted.replace('"verification"', '"veri,fication"').encode())
    names = home / "oidv7-class-descriptions.csv"
    names.write_bytes(b"\xef\xbb\xbf" + NAMES.replace("\n", "\r\n").encode())
    same = open_table("open-images-v7", root=home, options=options, photos=False)
    assert same.digest() == plain.digest()
    train = home / "oidv7-train-annotations-human-imagelabels.csv"
    put(train, lines(f"{A} /m/01 1", f"{B} /m/04 1").replace(",1\n", ",1.0\n"))
    assert open_table("open-images-v7", root=home, options={}, photos=False).y.tolist()[:2] == [[-1, 1], [1, -1]]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (NAMES + "/m/01,Horse\n", r"the code /m/01 has two names, 'Cat, small' and 'Horse'"),
        (NAMES + '/m/06,"Open', r"class-descriptions.csv cannot be read: unexpected end of data"),
        (NAMES + "/m/06,a\x07b\n", r"oidv7-class-descriptions.csv: label \d is 'a\\x07b'"),
        (NAMES + "/m/06,Dog (/m/02)\n", r"oidv7-class-descriptions.csv: label 'Dog \(/m/02\)' occurs twice"),
    ],
)
def test_descriptions_that_could_mean_two_things_are_refused(home: Path, names: str, message: str) -> None:
    put(home / "oidv7-class-descriptions.csv", names)
    with pytest.raises(DataError, match=message):
        open_table("open-images-v7", root=home, options={}, photos=False)


def test_a_cache_that_cannot_be_written_is_one_message(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / "cache", "a file")
    monkeypatch.setenv("CLBENCH_CACHE", str(home / "cache"))
    with pytest.raises(ResultsError, match="the table of open-images-v7 cannot be written") as caught:
        open_table("open-images-v7", root=home, options={}, photos=False)
    assert "CLBENCH_CACHE" in caught.value.hint


def test_files_that_are_cut_or_others_are_refused(home: Path) -> None:
    path = home / "oidv7-train-annotations-human-imagelabels.csv"
    whole = path.read_text()
    put(path, whole[:-1])
    with pytest.raises(DataError, match="is cut: its last line has no end"):
        open_table("open-images-v7", root=home, options={}, photos=False)
    put(path, whole.replace("Source", "Sauce"))
    with pytest.raises(DataError, match="expected ImageID,Source,LabelName,Confidence"):
        open_table("open-images-v7", root=home, options={}, photos=False)
    put(home / "oidv7-class-descriptions.csv", "LabelName,DisplayName\n/m/01\n")
    with pytest.raises(DataError, match="expected a code such as /m/01g317 and a name"):
        open_table("open-images-v7", root=home, options={}, photos=False)


def test_a_generated_table_of_the_same_form_runs_on_features(tmp_path: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "exports"))
    importlib.import_module("write_open_images").write(tmp_path / "oi", images=600, labels=40)
    options = {"most_frequent": "6"}
    table = open_table("open-images-v7", root=tmp_path / "oi", options=options, photos=False)
    counts = table.positives("train")
    assert len(table.labels) == 6 and table.sparse.entries.width == 40  # type: ignore[attr-defined]
    assert (np.asarray(table.y) == -1).mean() > 0.4
    np.save(tmp_path / "oi" / "x.npy", np.random.default_rng(0).random((len(table), 4), dtype=np.float32))
    content = {
        "name": "own",
        "version": 1,
        "title": "Frequent labels first.",
        "dataset": "open-images-v7",
        "options": options | {"features": "x.npy"},
        "labels": {"order": "frequency", "increment": 3},
        "train": {"epochs": 1, "loss": "bce", "reduction": "mean"},
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(content))
    (wanted,) = plan(str(tmp_path / "own.yaml"), strategies=["naive"], seeds=[0], data=tmp_path / "oi")
    _, record = finished(wanted, tmp_path / "r")
    order = np.lexsort((table.labels, -counts))
    assert record.labels == [table.labels[one] for one in order]
    shown = (np.asarray(table.y)[table.split == "train"][:, order[:3]] == 1).any(axis=1)
    assert record.scenario.sessions[0].train_images == shown.sum()
