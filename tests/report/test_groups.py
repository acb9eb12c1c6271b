"""Base, new and seen labels: on one test set for all, and on each group's own images."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import record_factory as factory
from tiny_scenarios import planned, scenario

from clbench.cli.group import invoke
from clbench.errors import UsageError
from clbench.metrics.continual import Groups, group_maps
from clbench.records.collection import Collection
from clbench.records.record import read_record
from clbench.records.rows import group_rows as rows_of
from clbench.report.compare.measured import numbers_besides
from clbench.report.figures.curves import names
from clbench.report.formats.grid import plain_grid
from clbench.report.formats.latex import MOST_ROWS, grid_table
from clbench.report.table import heads_compared, label_groups
from clbench.report.table.label_groups import TITLES, csv_text, group_rows, markdown
from clbench.train.run import RunOptions, run


def test_a_line_per_session_with_means_over_the_seeds() -> None:
    records = [factory.make_record(factory.METHODS[4], factory.TINY, seed=seed) for seed in (0, 1)]
    rows = rows_of(records)
    maps = [group_maps(record.ap.growing, record.learned) for record in records]
    own = {names(rows)[0]: [Groups(*(part / 2 for part in groups)) for groups in maps]}
    found = group_rows(rows, own)
    assert [row.session for row in found] == list(range(1, len(maps[0].base) + 1))
    last = found[-1]
    assert last.base is not None and last.base.mean == pytest.approx(np.mean([m.base[-1] for m in maps]))
    assert last.own_new is not None and last.own_new.mean == pytest.approx(np.mean([m.new[-1] for m in maps]) / 2)
    assert last.base.n == 2 and "±" in last.cells()[3]
    assert markdown(found).count("\n| ") == len(found) + 1


def test_without_score_files_the_own_images_stay_empty() -> None:
    rows = rows_of([factory.make_record(factory.METHODS[4], factory.TINY)])
    found = group_rows(rows, {})
    assert found[0].cells()[-2:] == ["–", "–"] and found[0].cells()[3] != "–"
    (first, *_) = csv.DictReader(io.StringIO(csv_text(found)))
    assert first["base_own_images"] == "" and float(first["base"]) > 0 and first["base_std"] == ""


def test_a_run_shows_its_groups_from_the_scores_it_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scenarios").mkdir()
    wanted = planned(scenario(tmp_path / "scenarios"), "naive", "train.epochs=1")
    monkeypatch.chdir(tmp_path)
    record = read_record(run(wanted, RunOptions(results=tmp_path / "r", device="cpu")))
    assert invoke(["report", "groups", "miniature", "--results", str(tmp_path / "r"), "--format", "csv"]) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(lines) == len(record.scenario.sessions)
    seen = record.summary["last_map"]
    assert seen is not None and float(lines[-1]["seen"]) == pytest.approx(seen, abs=1e-5)
    luck = numbers_besides(Collection(rows_of([record])), folders=[tmp_path / "r"])["error_images"][record.content]
    assert float(lines[-1]["error_images"]) == pytest.approx(luck, rel=1e-5) and luck > 0, "as in the leaderboard"
    assert all(float(line["error_images"]) > 0 for line in lines)
    assert invoke(["report", "groups", "miniature", "--results", str(tmp_path / "r")]) == 0
    assert "± images" in capsys.readouterr().out.splitlines()[1]
    for line in lines:
        # fewer negatives make an exam easier, never harder
        assert float(line["base_own_images"]) >= float(line["base"]) - 1e-9

    def gone(record: object, data: object) -> None:
        raise UsageError("the labels are not on this machine.")

    monkeypatch.setattr("clbench.report.figures.from_scores.stream_of", gone)
    assert invoke(["report", "groups", "miniature", "--results", str(tmp_path / "r")]) == 0
    heading, *told = capsys.readouterr().out.splitlines()[1:]
    assert [title for title in TITLES if title not in heading] == ["± images"]
    assert "–" in told[0], "without the labels the record alone speaks"


def test_groups_and_heads_are_written_in_latex_like_the_leaderboard() -> None:
    rows = rows_of([factory.make_record(factory.METHODS[4])])
    text = label_groups.latex(group_rows(rows, {}), heading="coco_b40c10 v1")
    assert text.count(r" \\") == 1 + 5 and r"\label{tab:coco_b40c10-groups}" in text
    assert r"\begin{tabular}{@{}lrrrrrrr@{}}" in text
    assert heads_compared.latex([]) == ""


def test_a_long_table_becomes_several_and_a_column_of_long_texts_a_paragraph() -> None:
    rows = [[f"er ({'memory=400, ' * 4}number={place})", str(place)] for place in range(MOST_ROWS + 2)]
    text = grid_table(plain_grid(["Strategy", "Session"], rows, sides="lr"), caption="A heading.", label="long")
    assert text.count(r"\begin{table*}") == 2 == text.count(r"p{0.28\textwidth}r")
    assert r"\label{tab:long}" in text and r"\label{tab:long-2}" in text and "Continued (2)." in text
    assert text.count("number=") == MOST_ROWS + 2
