"""Where records lie, and which of them form a row or a table."""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import record_factory as factory

from clbench.errors import ResultsError
from clbench.plan.place import run_folder, scenario_id
from clbench.records.collection import collect, find
from clbench.records.frame import load_results
from clbench.records.record import Record, seal, to_text, write_record
from clbench.records.rows import comparable_groups, group_rows, meaning, stat, why_not
from clbench.records.schema import ApPart
from clbench.records.store import record_files, record_path, scan
from clbench.records.verify.verify import verify

ER, LWF = factory.METHODS[4], factory.METHODS[2]


def fill(results: Path, *records: Record) -> list[Path]:
    paths = [record_path(results, record) for record in records]
    for record, path in zip(records, paths, strict=True):
        write_record(record, path)
    return paths


def changed(record: Record, **scenario: object) -> Record:
    return factory.sealed(
        factory.sections_of(record) | {"scenario": msgspec.structs.replace(record.scenario, **scenario)}
    )


# ---- the store


def test_a_record_of_the_wrong_shape_is_left_out_of_a_report_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = factory.make_record(ER, factory.TINY), factory.make_record(LWF, factory.TINY)
    _, path = fill(tmp_path, good, bad)
    for sections in (
        {"ap": ApPart(growing=bad.ap.growing[:-1], fixed=bad.ap.fixed)},
        {"ap": ApPart(growing=bad.ap.growing, fixed=[row[:-1] for row in bad.ap.fixed])},
        {"costs": bad.costs[:1]},
        {"learned": bad.learned[:-1]},
    ):
        caplog.clear()
        path.write_bytes(to_text(seal(msgspec.structs.replace(bad, **sections))))
        assert [row.records for row in collect(tmp_path, reference=False).rows] == [(good,)]
        assert str(path) in caplog.text and set(load_results(tmp_path).strategy) == {good.strategy.name}
        with pytest.raises(ResultsError, match=r"seed0.json: .* (rows|entries) for|is not the session"):
            find(str(path), results=tmp_path)
        assert not verify(path).ok


def test_a_folder_of_a_colleague_is_named_and_the_others_are_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = fill(tmp_path, factory.make_record(ER, factory.TINY), factory.make_record(LWF, factory.TINY))
    scandir = os.scandir

    def refusing(folder: str) -> Any:
        if Path(folder) in closed:
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr("clbench.records.store.os.scandir", refusing)  # whoever runs tests may read everything
    closed = {paths[1].parents[1]}
    assert list(record_files(tmp_path)) == paths[:1]
    assert f"{paths[1].parents[1]}: cannot be read (Permission denied)" in caplog.text
    closed = {tmp_path}
    with pytest.raises(ResultsError, match="cannot be read"):
        list(record_files(tmp_path))


def test_a_record_lies_where_its_fields_say(tmp_path: Path) -> None:
    record = factory.make_record(ER, factory.B40, seed=3)
    path = record_path(tmp_path, record)
    assert path == tmp_path / "coco_b40c10.v1" / "er" / record.configuration[:8] / "seed3.json"
    assert path.parent == run_folder(tmp_path, scenario_id("coco_b40c10", version=1), "er", record.configuration)


def test_a_stand_in_has_a_folder_of_its_own(tmp_path: Path) -> None:
    record = factory.make_record(ER, factory.TINY)
    assert record_path(tmp_path, record).parts[len(tmp_path.parts)] == "tiny.v1.scenes"


def test_all_records_are_read_in_a_fixed_order_and_work_folders_are_left_alone(tmp_path: Path) -> None:
    records = [factory.make_record(method, factory.TINY, seed=seed) for method in (LWF, ER) for seed in (1, 0)]
    paths = fill(tmp_path, *records)
    work = paths[0].with_suffix("")
    work.mkdir()
    (work / "seed9.json").write_text("{}")
    (paths[0].parent / "config.yaml").write_text("x: 1")
    (tmp_path / "leaderboard.json").write_text("{}")
    read = [item.record for item in scan(tmp_path)[0]]
    assert [(record.strategy.name, record.seed) for record in read] == [("er", 0), ("er", 1), ("lwf", 0), ("lwf", 1)]


def test_a_damaged_record_is_reported_with_its_path_and_the_rest_is_read(tmp_path: Path) -> None:
    paths = fill(tmp_path, *(factory.make_record(ER, factory.TINY, seed=seed) for seed in range(3)))
    paths[1].write_bytes(paths[1].read_bytes()[:500])
    stored, damaged = scan(tmp_path)
    assert [item.record.seed for item in stored] == [0, 2]
    assert [item.path for item in damaged] == [paths[1]]
    assert str(paths[1]) in damaged[0].error.message


def test_a_record_in_the_wrong_folder_is_reported(tmp_path: Path) -> None:
    (path,) = fill(tmp_path, factory.make_record(ER, factory.TINY))
    path.rename(path.with_name("seed5.json"))
    _, damaged = scan(tmp_path)
    assert "belongs to tiny.v1.scenes" in damaged[0].error.message


def test_a_missing_results_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="no such results folder"):
        scan(tmp_path / "nowhere")


@pytest.mark.slow
@pytest.mark.alone
def test_a_thousand_records_are_read_in_a_few_times_what_decoding_takes(tmp_path: Path) -> None:
    record = factory.make_record(ER, factory.B40)
    text = to_text(record)
    folder = record_path(tmp_path, record).parent
    folder.mkdir(parents=True)
    for seed in range(1000):
        (folder / f"seed{seed}.json").write_bytes(text.replace(b'"seed": 0,', b'"seed": %d,' % seed, 1))
    program = (
        "import sys, time, msgspec; from pathlib import Path\n"
        f"texts = [path.read_bytes() for path in Path({str(folder)!r}).iterdir()]\n"
        "a = time.process_time(); plain = [msgspec.json.decode(text) for text in texts]; b = time.process_time()\n"
        "del plain; c = time.process_time()\n"
        "from clbench.records.store import scan\n"
        f"assert len(scan(Path({str(tmp_path)!r}))[0]) == 1000\n"
        "assert not {'torch', 'pandas', 'scipy', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "print((time.process_time() - c) / (b - a))"
    )
    ratios = [
        float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(ratios) < 5, "measured: 1.7, imports included"


# ---- rows


def test_the_spread_is_the_sample_standard_deviation() -> None:
    values = [0.5, 0.6, 0.8]
    found = stat(values)
    assert found is not None
    assert math.isclose(found.mean, statistics.mean(values))
    assert math.isclose(found.std, statistics.stdev(values))
    assert (found.low, found.high) == (found.mean - found.std, found.mean + found.std)


def test_a_single_seed_has_no_spread_and_an_interval_of_no_width() -> None:
    found = stat([0.5])
    assert found is not None
    assert math.isnan(found.std)
    assert found.low == found.high == 0.5


def test_a_value_that_one_seed_lacks_has_no_mean() -> None:
    assert stat([0.5, None]) is None
    assert stat([]) is None


def test_seeds_of_one_configuration_form_a_row_ordered_by_seed() -> None:
    rows = group_rows(factory.make_record(method, factory.TINY, seed=s) for s in (2, 0, 1) for method in (ER, LWF))
    assert [(row.first.strategy.name, row.seeds) for row in rows] == [("er", (0, 1, 2)), ("lwf", (0, 1, 2))]


def test_other_settings_are_another_row() -> None:
    other = factory.Method("er", stored=1600, fields=(("memory", 400),))
    rows = group_rows([factory.make_record(ER, factory.TINY), factory.make_record(other, factory.TINY, seed=1)])
    assert len(rows) == 2


def test_the_same_record_twice_counts_once_and_a_different_one_is_an_error() -> None:
    record = factory.make_record(ER, factory.TINY)
    assert group_rows([record, record])[0].seeds == (0,)
    ap = msgspec.structs.replace(record.ap, fixed=record.ap.growing)
    other = factory.sealed(factory.sections_of(record) | {"ap": ap})
    with pytest.raises(ResultsError, match="seed 0 of configuration"):
        group_rows([record, other])


def test_the_marks_of_a_row_are_those_of_all_its_records_and_none_can_be_left_out() -> None:
    first = factory.make_record(ER, factory.TINY, marks=[])
    code = msgspec.structs.replace(first.code, dirty=True)
    second = factory.make_record(ER, factory.TINY, seed=1, code=code, marks=["leak"])
    (row,) = group_rows([first, second])
    assert row.marks == ("stand-in", "dirty", "leak")


def test_every_mark_has_a_meaning() -> None:
    assert "generated pictures" in meaning("stand-in")
    assert meaning("world-4").startswith("trained by 4 processes")
    assert meaning("anything") == "named by the strategy"


def test_seeds_that_ran_different_code_are_marked() -> None:
    first, second = (factory.make_record(ER, factory.TINY, seed=seed) for seed in (0, 1))
    strategy = msgspec.structs.replace(second.strategy, sha256="f" * 64)
    other = factory.sealed(factory.sections_of(second) | {"strategy": strategy})
    assert "mixed-code" in group_rows([first, other])[0].marks
    assert "mixed-code" not in group_rows([first, second])[0].marks


# ---- what may be compared


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "coco_b0c10"}, "the scenario differs (coco_b40c10 against coco_b0c10)"),
        ({"version": 2}, "the scenario's version differs (1 against 2)"),
        ({"stand_in": True, "dataset": "scenes"}, "the data differs (coco2014 against scenes, standing in)"),
        ({"digest": "a" * 64}, "the scenario's digest differs"),
        ({"stream": {"images": "b" * 64}}, "the digest of the images shown differs"),
        ({"stream": {"labels": "b" * 64}}, "the digest of the labels shown differs"),
    ],
)
def test_the_reason_why_two_rows_may_not_be_compared_is_given(change: dict[str, object], reason: str) -> None:
    record = factory.make_record(ER)
    if isinstance(stream := change.get("stream"), dict):
        change = {"stream": msgspec.structs.replace(record.scenario.stream, **stream)}
    assert why_not(record, changed(record, **change)).startswith(reason)
    assert why_not(changed(record, **change), record) != ""


def test_another_protocol_version_is_not_comparable() -> None:
    record = factory.make_record(ER)
    other = factory.sealed(factory.sections_of(record) | {"protocol": 1})
    assert why_not(record, other) == "the protocol version differs (2 against 1)"
    assert other.configuration != record.configuration and len(group_rows([record, other])) == 2


def test_other_seeds_strategies_and_recipes_are_comparable() -> None:
    record = factory.make_record(ER)
    other = factory.make_record(LWF, seed=9, train={"lr": 1.0})
    assert why_not(record, other) == ""


def test_joint_training_belongs_to_every_table_of_its_data_and_to_no_other() -> None:
    joint = factory.make_record(factory.METHODS[0])
    er = factory.make_record(ER)
    shuffled = msgspec.structs.replace(er.scenario.stream, images="e" * 64)
    rows = group_rows([joint, er, changed(er, stream=shuffled), factory.make_record(ER, factory.B0)])
    groups = comparable_groups(rows)
    names = [[row.first.strategy.name for row in group] for group in groups]
    assert names == [["er", "joint"], ["er", "joint"], ["er"]]
    other_data = msgspec.structs.replace(joint.scenario.data, digest="d" * 64)
    assert why_not(er, changed(joint, data=other_data)).startswith("the digest of the data differs")
