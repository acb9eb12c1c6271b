"""An exported model gives the scores of the record, in torch and in ONNX, and is read without trust."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from tiny_scenarios import SHIPPED, SMALL, finished, planned, scenario

import clbench
from clbench.data.pictures.sources import squashed
from clbench.errors import DataError, ResultsError, UsageError
from clbench.export.description import FILE, ONNX, TENSORS, digests, read_description, write_description
from clbench.export.export import export
from clbench.export.model import load
from clbench.files.sealed_json import sealed, unsealed
from clbench.metrics.thresholds import best_thresholds
from clbench.nn.heads.by_name import HEADS
from clbench.records.record import write_record

HEAD_OPTIONS = {"d": 16, "heads": 2, "layers": 1, "vectors": 16, "hidden": 32}
TINY = {"train": {"epochs": 1}}


def ran(folder: Path, strategy: str, *sets: str, **fields: Any) -> tuple[Any, Any, str]:
    path = scenario(folder, **{**TINY, **fields})
    run, record = finished(planned(path, strategy, *sets), folder / "results", keep_weights=True)
    return run, record, path


@pytest.fixture(scope="module")
def naive(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run with a validation split, exported without ONNX."""
    folder = tmp_path_factory.mktemp("exported")
    run, record, path = ran(folder, "naive", validation={"fraction": 0.3, "seed": 0})
    done = export(run.record, folder / "model", scenario=path, onnx=False)
    return run, record, done


def probabilities(run: Any, record: Any) -> Any:
    """What the record's scores say, computed apart from the suite."""
    told = np.load(run.work / record.scores[-1].file).astype(np.float64)
    return 1 / (1 + np.exp(-told)) if record.scores[-1].kind == "logits" else told


def agrees(run: Any, record: Any, folder: Path) -> None:
    told = probabilities(run, record)
    found = load(folder).scores_of(run.source.read(run.stream.test_rows)).numpy()
    np.testing.assert_allclose(found, told, atol=1e-5, rtol=0)


@pytest.mark.parametrize("head", sorted(HEADS))
def test_the_exported_model_gives_the_scores_of_the_record_for_every_head(tmp_path: Path, head: str):
    from clbench.nn.heads.by_name import head_options

    options = {name: value for name, value in HEAD_OPTIONS.items() if name in head_options(head)}
    run, record, path = ran(tmp_path, "naive", f"head={head}", f"head_options={json.dumps(options)}")
    done = export(run.record, tmp_path / "model", scenario=path, onnx=False)
    agrees(run, record, done.folder)


@pytest.mark.parametrize(
    ("strategy", "sets"),
    [
        ("icarl", ("icarl.classifier=nearest-mean", "icarl.memory=12")),
        ("bic", ("bic.memory=20",)),
        ("ridge", ("ridge.hidden=64",)),
        ("dlfl", ("dlfl.head_options={d: 16, heads: 2}", "train.ema=0.8")),
    ],
)
def test_strategies_with_scores_parts_or_teachers_of_their_own_are_exported(tmp_path: Path, strategy: str, sets: Any):
    run, record, path = ran(tmp_path, strategy, *sets)
    done = export(run.record, tmp_path / "model", scenario=path, onnx=False)
    agrees(run, record, done.folder)
    from safetensors import safe_open

    with safe_open(done.folder / TENSORS, framework="pt") as file:
        names = list(file.keys())
    assert not [name for name in names if "teacher" in name or "buffer" in name]


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("strategy", SHIPPED)
def test_every_strategy_is_exported_with_onnx(tmp_path: Path, strategy: str):
    run, record, path = ran(tmp_path, strategy, *SMALL.get(strategy, ()))
    done = export(run.record, tmp_path / "model", scenario=path)
    agrees(run, record, done.folder)
    assert done.onnx is not None and done.onnx < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("head", ["linear", "queries", "mmdsr"])
def test_onnxruntime_gives_the_scores_for_any_number_of_pictures(tmp_path: Path, head: str):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from clbench.export.onnx_file import onnx_scores

    sets = () if head == "linear" else ("head_options={d: 16, heads: 2}",)
    run, record, path = ran(tmp_path, "naive", f"head={head}", *sets)
    done = export(run.record, tmp_path / "model", scenario=path)
    told = probabilities(run, record)
    for count in (1, 2, 7):
        pictures = run.source.read(run.stream.test_rows[:count])
        np.testing.assert_allclose(onnx_scores(done.folder / "model.onnx", pictures), told[:count], atol=1e-4)


def test_the_description_and_the_card_say_what_one_must_know(naive: Any):
    _, record, done = naive
    plain = json.loads((done.folder / FILE).read_text())
    assert plain["labels"] == record.labels and plain["image_size"] == 32
    assert plain["decisions"]["chosen_on"] == "validation" and plain["decisions"]["images"] > 0
    assert plain["licence"] == {
        "model": "not stated", "pretrained weights": "none used", "training data": "generated pictures",
    }  # fmt: skip
    card = (done.folder / "README.md").read_text()
    assert all(f"| {label} |" in card for label in record.labels)
    assert "validation images" in card and record.content in card


@pytest.mark.skipif(os.name == "nt", reason="files there have no mode")
def test_whoever_may_read_the_description_may_read_the_weights(naive: Any):
    modes = {name: (naive[2].folder / name).stat().st_mode for name in (FILE, TENSORS, "README.md")}
    assert len(set(modes.values())) == 1, modes


def test_thresholds_are_chosen_on_validation_images_and_on_no_test_image(naive: Any):
    run, record, done = naive
    rows = run.stream.val_rows
    scores = load(done.folder).scores_of(run.source.read(rows)).numpy()
    chosen = best_thresholds(scores, run.stream.truth(rows))
    assert done.description.decisions.thresholds == record.thresholds.each[-1] == pytest.approx(chosen, abs=1e-6)
    assert done.description.decisions.images == len(rows) == record.thresholds.images[-1]
    assert not np.isin(rows, run.stream.test_rows).any()


def test_of_a_record_that_knows_no_thresholds_they_are_chosen_now(naive: Any, tmp_path: Path):
    run, record, done = naive
    shutil.copytree(run.work, tmp_path / run.work.name)
    counts = {rule: part for rule, part in record.counts.items() if rule not in ("tuned", "tuned-one")}
    summary = {name: value for name, value in record.summary.items() if "@tuned" not in name}
    old = msgspec.structs.replace(record, thresholds=msgspec.UNSET, counts=counts, summary=summary)
    write_record(old, tmp_path / run.record.name)
    again = export(
        tmp_path / run.record.name, tmp_path / "model", scenario=str(run.plan.scenario_path), onnx=False
    ).description.decisions
    assert again.chosen_on == "validation"
    assert again.thresholds == pytest.approx(done.description.decisions.thresholds, abs=1e-6)


def test_without_a_validation_split_thresholds_are_one_half_and_it_says_so(tmp_path: Path):
    run, _, path = ran(tmp_path, "naive")
    done = export(run.record, tmp_path / "model", scenario=path, onnx=False)
    assert set(done.description.decisions.thresholds) == {0.5}
    assert any("no validation split" in remark for remark in done.remarks)


def test_photos_are_read_as_a_run_reads_its_pictures(naive: Any, tmp_path: Path):
    _, _, done = naive
    model = clbench.load(done.folder)
    upright = Image.fromarray(np.arange(40 * 60 * 3, dtype=np.uint32).reshape(40, 60, 3).astype(np.uint8))
    upright.save(tmp_path / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned: the camera says so
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "b.png", exif=exif)
    scores = model.scores([tmp_path / "a.png", str(tmp_path / "b.png")])
    np.testing.assert_array_equal(scores[0], scores[1])
    alone = model.scores_of(squashed(tmp_path / "a.png", size=32)[None]).numpy()
    np.testing.assert_allclose(scores[:1], alone, atol=1e-6, rtol=0)
    np.testing.assert_array_equal(model.scores(str(tmp_path / "a.png")), model.scores([tmp_path / "a.png"]))
    with pytest.raises(DataError, match=r"none\.jpg") as caught:
        model.scores([tmp_path / "none.jpg"])
    assert caught.value.hint == "Replace the photo, or leave it out."


def test_present_labels_reach_their_thresholds_and_the_surest_stands_first(naive: Any):
    _, record, done = naive
    model = load(done.folder)
    model.thresholds = np.array([0.5, 0.2, 0.9, 0.1, 0.3, 1.0])
    scores = np.array([0.5, 0.19, 0.95, 0.6, 0.29, 0.9], dtype=np.float32)
    assert list(model.present(scores)) == [record.labels[i] for i in (2, 3, 0)]
    assert model.present(np.zeros(6, dtype=np.float32)) == {}


# ---------------------------------------------------------------- what is refused


def changed(folder: Path, to: Path, **values: Any) -> Path:
    shutil.copytree(folder, to)
    plain = unsealed((to / FILE).read_bytes())
    plain["files"] = {}
    for path, value in values.items():
        *parents, last = path.split("__")
        part = plain
        for parent in parents:
            part = part[parent]
        part[last] = value
    (to / FILE).write_bytes(sealed(plain))
    return to


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"strategy": "nobodys"}, "none that clbench ships"),
        ({"strategy": "../evil"}, "none that clbench ships"),
        ({"new": [2, 2]}, "new: 4 labels in all"),
        ({"fields__head": "queries"}, r"expected|is missing"),
        ({"fields__head": "nothing"}, "head 'nothing' is unknown"),
        ({"train__backbone": "test_resnet"}, r"expected|is missing"),
        ({"image_size": 99999}, "image_size"),
        ({"labels": ["a"] * 6}, "stands there twice"),
        ({"probe": [0.5] * 6}, "scores differ"),
        ({"mean": [0.1, 0.1, 0.1]}, "mean, std"),
        ({"format": 2}, "format"),
        ({"more": 1}, "unknown field"),
        ({"decisions__thresholds": [0.5]}, "1 values for 6 labels"),
        ({"decisions__thresholds": [float(2)] * 6}, "thresholds"),
        ({"strategy": "clip", "fields": {"table": "/etc/hostname"}}, "does not go with the model|cannot"),
    ],
)
def test_a_folder_that_is_not_what_it_says_is_refused(naive: Any, tmp_path: Path, values: Any, told: str):
    with pytest.raises(DataError, match=told):
        load(changed(naive[2].folder, tmp_path / "model", **values))


@pytest.mark.parametrize("name", [FILE, TENSORS])
def test_no_flipped_bit_of_an_exported_folder_goes_unseen(naive: Any, tmp_path: Path, name: str):
    folder = shutil.copytree(naive[2].folder, tmp_path / "model")
    content = (folder / name).read_bytes()
    for place in range(0, len(content), len(content) // 40):
        flipped = bytearray(content)
        flipped[place] ^= 1 << (place % 7)
        if flipped.split() == content.split():  # one space for another, between two values
            continue
        (folder / name).write_bytes(flipped)
        with pytest.raises(DataError, match=name):
            load(folder)


def test_a_changed_graph_is_named_and_one_that_is_gone_is_none(naive: Any, tmp_path: Path):
    folder = shutil.copytree(naive[2].folder, tmp_path / "model")
    (folder / ONNX).write_bytes(b"a graph")
    read = read_description(folder)
    write_description(msgspec.structs.replace(read, files=digests(folder)), folder)
    assert set(load(folder).description.files) == {TENSORS, ONNX}
    (folder / ONNX).write_bytes(b"another")
    with pytest.raises(DataError, match=r"model\.onnx: is not as it was exported"):
        load(folder)
    (folder / ONNX).unlink()
    load(folder)


def test_a_folder_of_an_earlier_clbench_has_no_digests_and_is_read(naive: Any, tmp_path: Path):
    folder = shutil.copytree(naive[2].folder, tmp_path / "model")
    plain = unsealed((folder / FILE).read_bytes())
    del plain["files"]
    (folder / FILE).write_text(json.dumps(plain))
    assert load(folder).labels == tuple(naive[1].labels)


def test_a_huge_network_is_refused_before_memory_is_taken(naive: Any, tmp_path: Path):
    huge = {"strategy": "dlfl", "fields": {"head": "queries", "head_options": {"d": 1 << 20, "heads": 2}}}
    with pytest.raises(DataError, match=r"expected|is missing"):
        load(changed(naive[2].folder, tmp_path / "model", **huge))


def test_damaged_tensors_and_missing_files_are_designed_errors(naive: Any, tmp_path: Path):
    folder = changed(naive[2].folder, tmp_path / "model")
    data = (folder / TENSORS).read_bytes()
    (folder / TENSORS).write_bytes(data[:100])
    with pytest.raises(DataError, match="not readable tensors"):
        load(folder)
    (folder / FILE).unlink()
    with pytest.raises(DataError, match=r"clbench export RECORD"):
        load(folder)


def test_a_run_without_kept_weights_says_how_to_keep_them_and_leaves_nothing(tmp_path: Path):
    path = scenario(tmp_path, **TINY)
    run, _ = finished(planned(path, "naive"), tmp_path / "results")
    with pytest.raises(ResultsError, match="--keep-weights"):
        export(run.record, tmp_path / "model", scenario=path, onnx=False)
    assert not list(tmp_path.glob("model*"))


def test_weights_that_were_not_scored_are_found_out(naive: Any, tmp_path: Path):
    run, _, _ = naive
    shutil.copytree(run.work, tmp_path / run.work.name)
    shutil.copy(run.record, tmp_path)
    kept = tmp_path / run.work.name / "weights-2.pt"
    saved = torch.load(kept, weights_only=True)
    saved["module"]["net.head.weight.blocks.0"] += 0.1
    torch.save(saved, kept)
    path = run.plan.scenario_path
    with pytest.raises(ResultsError, match="differ by"):
        export(tmp_path / run.record.name, tmp_path / "model", scenario=str(path), onnx=False)
    assert not list(tmp_path.glob("model*"))


def test_a_folder_that_holds_something_is_left_alone(naive: Any, tmp_path: Path):
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(UsageError, match="not an empty folder"):
        export(naive[0].record, tmp_path)


def test_the_form_of_the_description_is_closed(naive: Any):
    assert msgspec.json.encode(naive[2].description)
