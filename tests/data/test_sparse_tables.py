"""Tables whose labels are lists give the very streams, digests, batches and records of dense ones."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_scenarios import SHIPPED, SMALL, finished, planned

from clbench.data.datasets.registry import open_table
from clbench.data.sparse.files import read_csr, write_csr, write_table
from clbench.data.sparse.labels import Entries, SparseLabels
from clbench.data.sparse.reads_as_array import ReadsAsArray
from clbench.data.sparse.table import listed, sparse_table
from clbench.data.sparse.texts import NumberTexts
from clbench.data.table import LabelTable, from_arrays, labels_without_positives
from clbench.errors import ClbenchError, DataError, UsageError
from clbench.nn.memory import Exemplars
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy
from clbench.spec.scenario import LabelsSpec, ScenarioSpec, TrialSpec, ValidationSpec
from clbench.stream.build import build_stream
from clbench.stream.merged_sessions import accumulated, merged
from clbench.stream.pins.write import pins_of
from clbench.stream.stream import Stream, known, positives
from clbench.stream.trial import trial_stream
from clbench.train.batches import SessionView

LABELS = tuple("abcdef")
NEEDS_PICTURES = ("coda", "dualprompt", "kbk", "l2p", "mmdsr", "multilane", "podnet")


def tables(y: np.ndarray[Any, Any], *, unlisted: int, base: int = 10) -> tuple[LabelTable, LabelTable]:
    """Return a dense table and a sparse one with the same content, in an order that is not that of their ids."""
    numbers = np.random.default_rng(len(y)).permutation(3 * len(y))[: len(y)].astype(np.uint64)
    ids, test = NumberTexts(numbers, 6, base), np.arange(len(y)) % 3 == 0
    dense = from_arrays("t", labels=LABELS, y=y, split=np.where(test, "test", "train"), ids=ids.tolist())
    entries = listed(y.astype(np.int8), unlisted=unlisted)
    paths = NumberTexts(ids.numbers, ids.width, ids.base, after=".jpg")
    return dense, sparse_table("t", revision="t", labels=LABELS, ids=ids, paths=paths, entries=entries, test=test)


def spec(**fields: Any) -> ScenarioSpec:
    return ScenarioSpec(**{"name": "s", "version": 1, "title": "S.", "dataset": "t"} | fields)


def labelled(rows: int, seed: int) -> np.ndarray[Any, Any]:
    y = np.random.default_rng(seed).choice([1, 0, -1], size=(rows, len(LABELS)), p=[0.4, 0.4, 0.2])
    y[np.arange(len(LABELS)) * 3 + 1, np.arange(len(LABELS))] = 1  # every label has a train image
    return y


def same_streams(one: Stream, other: Stream) -> None:
    assert one.digest() == other.digest() and one.digest().per_session == other.digest().per_session
    for a, b in zip(one.sessions, other.sessions, strict=True):
        assert np.array_equal(a.rows, b.rows) and np.array_equal(a.test_rows, b.test_rows)
        assert np.array_equal(a.targets, np.asarray(b.targets)) and a.targets.shape == b.targets.shape
        assert np.array_equal(positives(a.targets), positives(b.targets))
        assert np.array_equal(known(a.targets), known(b.targets))
    assert np.array_equal(one.truth(one.test_rows), other.truth(other.test_rows))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    unlisted=st.sampled_from([0, -1]),
    base=st.sampled_from([10, 16]),
    images=st.sampled_from(["any-new-label", "disjoint", "all"]),
    visible=st.sampled_from(["new", "seen", "all"]),
    order=st.sampled_from(["alphabetical", "frequency", "shuffle:3"]),
    fraction=st.sampled_from([0.0, 0.3]),
    subset=st.sampled_from([[], ["b", "f", "a", "d"]]),
)
def test_lists_and_a_matrix_give_one_stream(
    seed: int, unlisted: int, base: int, images: Any, visible: Any, order: str, fraction: float, subset: list[str]
) -> None:
    dense, sparse = tables(labelled(40, seed), unlisted=unlisted, base=base)
    wanted = spec(
        labels=LabelsSpec(increment=2, order=order, subset=subset),
        images=images,
        visible=visible,
        validation=ValidationSpec(fraction=fraction),
    )
    try:
        stream = build_stream(dense, wanted)
    except ClbenchError as error:
        with pytest.raises(type(error)) as caught:
            build_stream(sparse, wanted)
        assert str(caught.value) == str(error)
        return
    other = build_stream(sparse, wanted)
    same_streams(stream, other)
    same_streams(accumulated(stream), accumulated(other))
    same_streams(merged(stream), merged(other))
    assert sparse.digest() == dense.digest()
    assert pins_of(stream.digest(), labels=True) == pins_of(other.digest(), labels=True)
    for split in ("train", "test"):
        assert labels_without_positives(dense, split=split) == labels_without_positives(sparse, split=split)


def test_a_trial_on_lists_shows_what_a_trial_on_a_matrix_shows() -> None:
    dense, sparse = tables(labelled(60, 4), unlisted=0)
    wanted, trial = spec(labels=LabelsSpec(increment=2)), TrialSpec(validation=ValidationSpec(fraction=0.3), sessions=2)
    one, other = trial_stream(dense, wanted, trial), trial_stream(sparse, wanted, trial)
    same_streams(one, other)
    assert (other.truth(np.flatnonzero(sparse.split == "test")) == -1).all()


@pytest.mark.parametrize(
    "key",
    [3, slice(1, 9, 2), np.array([4, 4, 0]), (slice(None), slice(2, 5)), (np.array([3, 1]), slice(0, 2)),
     (2, slice(None)), (slice(None), 4), (np.array([1, 2]), np.array([0, 5])), (slice(2, 4), np.array([5, 0]))],
    ids=str,
)  # fmt: skip
def test_indexing_lists_gives_the_array_that_indexing_the_matrix_gives(key: Any) -> None:
    for unlisted in (0, -1):
        dense, sparse = tables(labelled(20, 1), unlisted=unlisted)
        found = sparse.y[key]
        assert np.array_equal(found, dense.y[key]) and type(found) is type(dense.y[key])
        rows, order = np.arange(5, 15), np.array([4, 1, 0])
        shown = (rows, order)
        one = dense.targets(*shown, shown=slice(1, 2), width=3)
        other = sparse.targets(*shown, shown=slice(1, 2), width=3)
        small = np.array([0, 2]) if isinstance(key, np.ndarray) else key
        if not isinstance(key, tuple):
            assert np.array_equal(other[small], one[small])
    assert ((sparse.y == 1).sum(axis=0) == (dense.y == 1).sum(axis=0)).all() and sparse.y.tolist() == dense.y.tolist()


def test_batches_are_the_same_with_exemplars_over_and_behind_them() -> None:
    dense, sparse = tables(labelled(60, 7), unlisted=-1)
    streams = [build_stream(table, spec(labels=LabelsSpec(increment=2))) for table in (dense, sparse)]
    first, second = streams[0].sessions[:2]
    met = np.concatenate([second.rows[[5, 2, 8]], np.setdiff1d(first.rows, second.rows)[:4]])
    held = Exemplars(
        met, streams[0].truth(met)[:, :2], np.random.default_rng(0).random((len(met), 2), dtype=np.float32)
    )
    views = [
        SessionView(stream.sessions[1], source=None, ids=stream.table.ids, augment="none", seed=0, exemplars=held)  # type: ignore[arg-type]
        for stream in streams
    ]
    every = np.random.default_rng(1).permutation(len(views[0]))
    assert np.array_equal(views[0].rows, views[1].rows) and (views[0].y[every] == views[1].y[every]).all()
    assert (views[0].y[3] == views[1].y[3]).all() and views[0].logits is not None and views[1].logits is not None
    assert np.array_equal(views[0].logits, views[1].logits, equal_nan=True)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A scenario on features whose table is an NPZ, and one whose table is a `.csr` folder with the same content."""
    home = tmp_path_factory.mktemp("twins")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((160, 8)).astype(np.float32)
    y = np.where(x @ rng.standard_normal((8, 6)) > 1, 1, 0)
    y[rng.random(y.shape) < 0.1] = -1
    test = np.arange(160) % 8 == 0  # 20 of them
    np.save(home / "x.npy", x)
    ids = np.array([f"{i:05d}" for i in range(160)])
    split = np.where(test, "test", "train")
    np.savez(home / "own.npz", labels=np.array(LABELS), y=y, split=split, paths=ids)
    write_table(home / "own.csr", from_arrays("own", labels=LABELS, y=y, split=split, ids=ids))
    for name, dataset in {"dense": "own.npz", "sparse": "own.csr"}.items():
        content = {
            "name": name,
            "version": 1,
            "title": "Twins.",
            "dataset": dataset,
            "options": {"features": "x.npy"},
            "labels": {"increment": 2},
            "train": {"epochs": 2, "batch_size": 16, "lr": 0.01, "loss": "bce-ratio", "reduction": "mean"},
        }
        (home / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return str(home / "dense.yaml"), str(home / "sparse.yaml")


@pytest.mark.parametrize("strategy", [name for name in SHIPPED if name not in NEEDS_PICTURES])
def test_lists_and_a_matrix_give_one_record_and_lists_never_become_one(
    twins: tuple[str, str], tmp_path: Path, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare_twins(twins, tmp_path, strategy, monkeypatch, sets=SMALL.get(strategy, ()))


@pytest.mark.parametrize("policy", ["class-balanced", "greedy", "herding"])
def test_memories_that_look_at_a_whole_session_look_at_its_lists(
    twins: tuple[str, str], tmp_path: Path, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare_twins(twins, tmp_path, "er", monkeypatch, sets=(f"er.policy={policy}",))


def of_few(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return what does the same with labels that are dense afterwards, if those of 20 images at most are."""

    def checked(labels: Any, *given: Any, **named: Any) -> Any:
        found = verb(labels, *given, **named)
        assert len(found if isinstance(found, np.ndarray) else labels) <= 20, f"{verb.__name__} of a whole session"
        return found

    return checked


def compare_twins(
    twins: tuple[str, str], folder: Path, strategy: str, monkeypatch: pytest.MonkeyPatch, *, sets: tuple[str, ...]
) -> None:
    """Compare the records of both tables; no strategy asks lists for more than 20 images at once."""
    if "memory" in load_strategy(catalog.find_strategy(strategy)).__dataclass_fields__:
        sets = (*sets, f"{strategy}.memory=20")
    one = finished(planned(twins[0], strategy, *sets), folder)[1]
    for kind, verb in ((ReadsAsArray, "__array__"), (ReadsAsArray, "__getattr__"), (SparseLabels, "__getitem__")):
        monkeypatch.setattr(kind, verb, of_few(getattr(kind, verb)))
    other = finished(planned(twins[1], strategy, *sets), folder)[1]
    for part in ("ap", "counts", "costs", "summary", "learned", "labels"):
        assert getattr(one, part) == getattr(other, part)
    assert one.scenario.stream == other.scenario.stream and one.scenario.sessions == other.scenario.sessions
    assert one.scenario.data is not None and other.scenario.data is not None
    assert other.scenario.data.revision.startswith("own files=")  # whose features are whose


def entries(**changed: Any) -> Entries:
    plain = {
        "starts": np.array([0, 2, 2, 3], dtype=np.int64),
        "columns": np.array([0, 2, 1], dtype=np.int32),
        "marks": np.array([1, -1, 1], dtype=np.int8),
        "width": 3,
        "unlisted": 0,
    }
    return Entries(**plain | changed)


def test_what_is_written_is_read_back_mapped_and_with_its_ids(tmp_path: Path) -> None:
    for ids, texts in (
        (None, ["00000000", "00000001", "00000002"]),
        (np.array([7, 300, 5]), ["007", "300", "005"]),
        (np.array(["x", "y", "z"]), ["x", "y", "z"]),
    ):
        folder = tmp_path / f"{texts[0]}.csr"
        write_csr(folder, labels="abc", entries=entries(), test=np.array([False, True, False]), ids=ids)
        table = open_table(str(folder), root=None, options={})
        assert table.ids.tolist() == texts and table.paths.tolist() == [f"{text}.jpg" for text in texts]
        assert table.y.tolist() == [[1, 0, -1], [0, 0, 0], [0, 1, 0]]
        assert isinstance(table.y.entries.columns, np.memmap)  # type: ignore[attr-defined]
    hexadecimal = tmp_path / "hex.csr"
    ids = np.array([255, 2**63 + 1, 16], dtype=np.uint64)
    write_csr(hexadecimal, labels="abc", entries=entries(), test=np.array([0, 1, 0]) == 1, ids=ids, digits=16, base=16)
    table = open_table(str(hexadecimal), root=None, options={"paths": "{split}/{id}.jpg"})
    assert table.paths.tolist() == [
        "train/00000000000000ff.jpg", "test/8000000000000001.jpg", "train/0000000000000010.jpg"
    ]  # fmt: skip
    assert table.rows("train").tolist() == [2, 0]


def test_options_leave_rare_labels_out(tmp_path: Path) -> None:
    dense, _ = tables(labelled(40, 2), unlisted=0)
    write_table(tmp_path / "t.csr", dense)
    counts = dense.positives("test")
    least = int(np.sort(counts)[2])
    table = open_table(str(tmp_path / "t.csr"), root=None, options={"min_test_positives": str(least)})
    kept = np.flatnonzero(counts >= least)
    assert table.labels == tuple(LABELS[one] for one in kept) and len(kept) < 6
    assert np.array_equal(np.asarray(table.y), dense.y[:, kept])
    few = open_table(str(tmp_path / "t.csr"), root=None, options={"labels": "e;a"})
    assert few.labels == ("a", "e") and np.array_equal(few.positives("train"), dense.positives("train")[[0, 4]])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"starts": np.array([0, 2, 1, 3])}, r"starts.npy: image 1 has entries 2 to 1 of 3"),
        ({"starts": np.array([0, 2**63 - 1, -(2**63), 3])}, r"image 1 has entries 9,223,372,036,854,775,807 to -9,223"),
        ({"starts": np.array([0, 2, 2, 4])}, r"starts.npy: image 2 has entries 2 to 4 of 3"),
        ({"starts": np.array([0, 3])}, r"starts.npy has 2 numbers, expected 4: one more than test.npy has images"),
        ({"starts": np.empty(0, dtype=np.int64)}, r"starts.npy has 0 numbers, expected 4"),
        ({"columns": np.array([0, 3, 1], dtype=np.int32)}, r"image 0 lists label 3, and there are 3, from 0"),
        ({"columns": np.array([0, -1, 1], dtype=np.int32)}, r"columns.npy: image 0 lists label -1"),
        ({"columns": np.array([2, 0, 1], dtype=np.int32)}, r"image 0 lists label 0 out of order or twice"),
        ({"columns": np.array([2, 2, 1], dtype=np.int32)}, r"image 0 lists label 2 out of order or twice"),
        ({"columns": np.array([0, 2, 1], dtype=np.int64)}, r"columns.npy is int64 \[3\], expected int32"),
        ({"marks": np.array([1, 2, 1], dtype=np.int8)}, r"marks.npy: image 0 has the mark 2"),
        ({"marks": np.array([1, 1], dtype=np.int8)}, r"marks.npy has 2 entries, columns.npy 3"),
        ({"ids": np.array([1, 1, 2])}, r"the id 1 occurs twice"),
        ({"ids": np.array([1, -1, 2])}, r"image 1 has the id -1, which is no number"),
        ({"ids": np.array([1, 2])}, r"has 2 ids, test.npy has 3 images"),
        ({"ids": np.array(["a", "b", "a"])}, r"ids.npy: the id 'a' occurs twice"),
        ({"ids": np.array(["a", "", "b"])}, r"ids.npy: image 1 has the id ''"),
        ({"ids": np.array(["a", "b", "c\n"])}, r"ids.npy: image 2 has the id 'c\\n'"),
    ],
)  # fmt: skip
def test_lists_that_do_not_fit_are_refused_and_nothing_is_left(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    ids = changed.pop("ids", None)
    with pytest.raises(DataError, match=message):
        write_csr(tmp_path / "t.csr", labels="abc", entries=entries(**changed), test=np.array([0, 1, 0]) == 1, ids=ids)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(60)
def test_a_folder_made_by_hand_that_says_what_cannot_be_is_one_message(tmp_path: Path) -> None:
    folder = tmp_path / "t.csr"
    write_csr(folder, labels="abc", entries=entries(), test=np.array([0, 1, 0]) == 1)
    about = by_hand(folder)

    def refused(message: str, **changed: Any) -> None:
        (folder / "about.json").write_text(json.dumps(about | changed))
        with pytest.raises(DataError, match=message) as caught:
            open_table(str(folder), root=None, options={})
        assert caught.value.hint

    refused(r"about.json: checks has '../x', expected about, starts", checks={"../x": 1})
    refused(r"ids of 19 digits in base 10", digits=19)
    (folder / "about.json").write_text(json.dumps(about | {"base": 16}))
    assert open_table(str(folder), root=None, options={}).ids.tolist()[2] == "00000002"
    few = tmp_path / "few.csr"
    test = np.arange(30) % 2 == 0
    write_csr(few, labels="a", entries=listed(np.ones((30, 1), dtype=np.int8)), test=test)
    (few / "about.json").write_text(json.dumps(by_hand(few) | {"digits": 1}))
    with pytest.raises(DataError, match=r"digits is 1, and 30 images are counted from 0 in base 10") as caught:
        open_table(str(few), root=None, options={})
    assert "2 digits" in caught.value.hint
    np.save(few / "test.npy", np.empty(0, dtype=np.bool_))
    np.save(few / "ids.npy", np.empty(0, dtype=np.int64))
    with pytest.raises(DataError, match=r"test.npy has no train images of 0"):
        open_table(str(few), root=None, options={})
    with (folder / "columns.npy").open("ab") as file:
        np.save(file, np.zeros(3, dtype=np.int32))
    refused(r"columns.npy has \d+ bytes behind its array of \[3\]")
    (folder / "about.json").unlink()
    os.mkfifo(folder / "about.json")
    with pytest.raises(DataError, match=r"about.json cannot be read: not a plain file"):
        open_table(str(folder), root=None, options={})


def test_ids_and_names_of_photos_lead_nowhere_outside(tmp_path: Path) -> None:
    test = np.array([0, 1, 0]) == 1
    write_csr(tmp_path / "t.csr", labels="abc", entries=entries(), test=test, ids=np.array(["a", "../b", "c"]))
    with pytest.raises(DataError, match=r"row 1 has path '../b.jpg'"):
        read_csr(tmp_path / "t.csr", root=tmp_path, options={})
    write_csr(tmp_path / "n.csr", labels="abc", entries=entries(), test=test)
    with pytest.raises(DataError, match=r"has path '../0.jpg'"):
        read_csr(tmp_path / "n.csr", root=tmp_path, options={"paths": "../{id}.jpg"})


@pytest.mark.parametrize("unlisted", [0, -1])
def test_a_label_that_is_never_known_in_test_is_refused_in_lists_and_left_out_where_asked(
    tmp_path: Path, unlisted: int
) -> None:
    y = labelled(40, 2).astype(np.int8)
    test = np.arange(40) % 3 == 0
    y[test, 4] = -1
    write_csr(tmp_path / "t.csr", labels=LABELS, entries=listed(y, unlisted=unlisted), test=test)
    split = np.where(test, "test", "train")
    np.savez(tmp_path / "t.npz", labels=np.array(LABELS), y=y, split=split, ids=[f"{i:08d}" for i in range(40)])
    np.save(tmp_path / "x.npy", np.ones((40, 2), dtype=np.float32))
    with pytest.raises(DataError, match="the label 'e' is never known in test"):
        open_table(str(tmp_path / "t.csr"), root=tmp_path, options={"features": "x.npy"})
    for name in ("t.csr", "t.npz"):
        few = open_table(str(tmp_path / name), root=tmp_path, options={"features": "x.npy", "min_test_positives": "1"})
        assert few.labels == ("a", "b", "c", "d", "f")


def by_hand(folder: Path) -> dict[str, Any]:
    """Take the checksums out of a folder, and return what else it says of itself."""
    about: dict[str, Any] = json.loads((folder / "about.json").read_text())
    del about["checks"]
    (folder / "about.json").write_text(json.dumps(about))
    return about


def test_no_flipped_bit_of_a_folder_goes_unseen(tmp_path: Path) -> None:
    folder = tmp_path / "t.csr"
    write_csr(folder, labels="abc", entries=entries(), test=np.array([0, 1, 0]) == 1, ids=np.array([7, 300, 5]))
    for path in folder.iterdir():
        whole = path.read_bytes()
        for bit in range(8 * len(whole)):
            changed = bytearray(whole)
            changed[bit // 8] ^= 1 << bit % 8
            path.write_bytes(changed)
            with pytest.raises(DataError, match=re.escape(str(folder))):
                read_csr(folder, root=tmp_path, options={})
        path.write_bytes(whole)


def test_arrays_of_the_other_byte_order_are_read(tmp_path: Path) -> None:
    folder, test = tmp_path / "t.csr", np.array([0, 1, 0]) == 1
    write_csr(folder, labels="abc", entries=entries(), test=test, ids=np.array([7, 300, 5]))
    wanted = np.array(read_csr(folder, root=tmp_path, options={}).y)
    by_hand(folder)
    for field in ("starts", "columns", "ids"):
        array = np.load(folder / f"{field}.npy")
        np.save(folder / f"{field}.npy", array.astype(array.dtype.newbyteorder()))
    table = read_csr(folder, root=tmp_path, options={})
    assert np.array_equal(np.array(table.y), wanted) and table.ids.tolist() == ["007", "300", "005"]


def test_a_folder_that_is_damaged_is_one_message(tmp_path: Path) -> None:
    folder = tmp_path / "t.csr"
    write_csr(folder, labels="abc", entries=entries(), test=np.array([0, 1, 0]) == 1)
    about = by_hand(folder)
    (folder / "about.json").write_text(json.dumps(about | {"unlisted": "absnt"}))
    with pytest.raises(DataError, match=r"unlisted is 'absnt'. Did you mean 'absent'"):
        read_csr(folder, root=tmp_path, options={})
    (folder / "about.json").write_text(json.dumps(about | {"digits": 0}))
    with pytest.raises(UsageError, match="no option 'feature'"):
        read_csr(folder, root=tmp_path, options={"feature": "x.npy"})
    (folder / "columns.npy").write_bytes((folder / "columns.npy").read_bytes()[:-2])
    with pytest.raises(DataError, match=r"columns.npy is not a whole NumPy array"):
        read_csr(folder, root=tmp_path, options={})
    (folder / "about.json").write_text("{")
    with pytest.raises(DataError, match=r"about.json cannot be read"):
        read_csr(folder, root=tmp_path, options={})
