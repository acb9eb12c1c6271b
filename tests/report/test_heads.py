"""One shared feature against one per label: the same method with one head after another."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path

import msgspec
import pytest
from record_factory import B40, METHODS, TINY, Method, make_record, sealed, sections_of

from clbench.cli.group import invoke
from clbench.errors import UsageError
from clbench.nn.heads.by_name import HEADS, build_head
from clbench.records.record import Record, write_record
from clbench.records.store import record_path
from clbench.report.figures.draw import draw_heads
from clbench.report.formats.readme import Besides, stale, updated
from clbench.report.table.heads_compared import SHARED, bars, csv_text, head_tables, markdown
from clbench.report.table.leaderboard import leaderboard

ER = METHODS[4]


def with_head(
    head: str,
    *,
    seed: int = 0,
    learns: float = 0.8,
    angle: str = "",
    positions: str = "",
    host: str = "",
    cpu: str = "",
) -> Record:
    """A record of the same method with another head: only the name of the method's fields `head` differs."""
    record = make_record(dataclasses.replace(ER, head=head, learns=learns), B40, seed=seed)
    sections = sections_of(record)
    fields = {**record.strategy.fields, "head": head}
    sections["strategy"] = msgspec.structs.replace(record.strategy, head=head, fields=fields)
    told = {"angle": angle, "positions": positions}
    sections["notes"] = {**record.notes, **{name: text for name, text in told.items() if text}}
    if host:
        sections["times"] = msgspec.structs.replace(record.times, host=host)
    if cpu:
        sections["environment"] = {**record.environment, "cpu_model": cpu}
    return sealed(sections)


def test_a_method_is_compared_with_itself_and_the_best_head_comes_first() -> None:
    records = [with_head("linear", seed=s, learns=0.5) for s in (0, 1)]
    records += [with_head("queries", seed=s, learns=0.9, angle="80.0 60.5") for s in (0, 1)]
    records.append(make_record(METHODS[1], B40))  # naive ran with one head
    (table,) = head_tables(records)
    assert [(row.head, row.shared, len(row.row.records)) for row in table.rows] == [
        ("queries", False, 2),
        ("linear", True, 2),
    ]
    assert table.rows[0].angle is not None and table.rows[0].angle.mean == 60.5
    assert table.rows[1].angle is None
    assert "| er (memory=1600) | queries | own | – | 2 |" in markdown([table])


def test_an_unverified_row_stands_below_and_says_so() -> None:
    records = [with_head("linear", learns=0.5), with_head("queries", learns=0.9)]
    (table,) = head_tables(records, trust={records[1].content: "unverified"})
    assert [row.cells()[1] for row in table.rows] == ["linear", "queries (unverified)"]


def test_the_luck_of_the_test_images_stands_beside_the_last_map_where_it_is_known() -> None:
    records = [with_head("linear", seed=s) for s in (0, 1)] + [with_head("queries")]
    assert "± images" not in markdown(head_tables(records))
    errors = {records[0].content: 0.012, records[1].content: 0.014}
    tables = head_tables(records, errors=errors)
    text = markdown(tables)
    assert "| Last mAP | ± images | Forgetting |" in text
    # the mean of both seeds, since all share the images
    assert [cell.split(" | ")[7] for cell in text.splitlines() if " | linear | " in cell] == ["1.3"]
    assert [cell.split(" | ")[7] for cell in text.splitlines() if " | queries | " in cell] == ["–"]
    told = {
        (line["head"], line["seed"]): line["error_images"]
        for line in csv.DictReader(io.StringIO(csv_text(tables, errors)))
    }
    assert told == {("linear", "0"): "0.012", ("linear", "1"): "0.014", ("queries", "0"): ""}


def test_positions_are_told_where_a_record_of_the_row_knows_them() -> None:
    records = [with_head("linear", seed=0), with_head("linear", seed=1, positions="49"), with_head("queries", seed=0)]
    (table,) = head_tables(records)
    assert {row.head: row.positions for row in table.rows} == {"linear": 49, "queries": None}
    text = markdown([table])
    assert "| linear | shared | 49 | 2 |" in text and "| queries | own | – | 1 |" in text
    lines = list(csv.DictReader(io.StringIO(csv_text([table]))))
    assert sorted((line["head"], line["seed"], line["positions"]) for line in lines) == [
        ("linear", "0", ""),
        ("linear", "1", "49"),
        ("queries", "0", ""),
    ]


def test_what_somebody_else_noted_under_these_names_breaks_no_table() -> None:
    strange = with_head("queries", angle="80.0 steep", positions="7 x 7")
    (table,) = head_tables([with_head("linear"), strange])
    assert [(row.positions, row.angle) for row in table.rows] == [(None, None)] * 2


def test_heads_that_share_a_feature_are_those_that_say_so() -> None:
    heads = {name: build_head(name, width=64, options={}) for name in HEADS}
    assert {name for name, head in heads.items() if not head.ofol} == set(SHARED)


def test_names_from_strangers_break_no_table() -> None:
    strange = dataclasses.replace(ER, fields=(("note", "=1+1|<b>"),))
    records = [make_record(strange, B40), make_record(dataclasses.replace(strange, head="queries"), B40)]
    text = markdown(head_tables(records))
    assert r"\|" in text and r"\<b>" in text
    assert all(line.count(" | ") == 10 for line in text.splitlines() if line.startswith("| er"))


def test_rows_that_differ_in_more_than_the_head_are_not_compared() -> None:
    other = dataclasses.replace(ER, fields=(("memory", 500),), head="queries")
    assert head_tables([make_record(ER, B40), make_record(other, B40)]) == []
    assert head_tables([with_head("linear"), make_record(dataclasses.replace(ER, head="queries"), TINY)]) == []


def test_a_bound_that_stands_in_two_tables_is_compared_once() -> None:
    joint = Method("joint", 0.8, 1.0, static=True)
    records = [make_record(joint, B40), make_record(dataclasses.replace(joint, head="queries"), B40)]
    assert len(head_tables([*records, make_record(METHODS[1], B40)])) <= 1


def test_speed_is_compared_on_one_machine_only() -> None:
    same = head_tables([with_head("linear"), with_head("queries")])
    assert {row.head: row.speed for row in same[0].rows}["linear"] == 1.0
    assert all(row.speed is not None for row in same[0].rows)
    # machines in a cloud are often called alike: then the processor tells them apart
    for other in (with_head("queries", host="elsewhere"), with_head("queries", cpu="another")):
        (apart,) = head_tables([with_head("linear"), other])
        assert {row.head: row.speed for row in apart.rows} == {"linear": 1.0, "queries": None}


def test_the_csv_has_a_line_per_seed() -> None:
    records = [with_head(head, seed=seed, angle="70.0") for head in ("linear", "maxpool") for seed in (0, 1, 2)]
    rows = list(csv.DictReader(io.StringIO(csv_text(head_tables(records)))))
    assert len(rows) == 6
    assert {(row["head"], row["seed"]) for row in rows} == {
        (h, str(s)) for h in ("linear", "maxpool") for s in (0, 1, 2)
    }
    first = next(row for row in rows if row["head"] == "linear" and row["seed"] == "1")
    record = next(r for r in records if r.strategy.head == "linear" and r.seed == 1)
    assert float(first["last_map"]) == pytest.approx(record.summary["last_map"], rel=1e-5)
    assert first["angle"] == "70.0"


def test_the_figure_has_a_bar_per_method_and_head() -> None:
    (table,) = head_tables([with_head(head) for head in ("queries", "linear", "maxpool")])
    panels = bars(table)
    assert panels[0].heads == ["linear", "maxpool", "queries"]
    figure = draw_heads(panels)
    assert [len(axes.patches) for axes in figure.axes] == [3, 3]


def test_the_command_prints_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for head in ("linear", "queries"):
        record = with_head(head)
        path = record_path(tmp_path / "results", record)
        path.parent.mkdir(parents=True)
        write_record(record, path)
    assert invoke(["report", "heads", "coco_b40c10", "--format", "md", "--figure", "heads.png"]) == 0
    assert "| er (memory=1600) | queries | own |" in capsys.readouterr().out
    assert (tmp_path / "heads.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match=r"ends in .pdf, .svg, .png"):
        invoke(["report", "heads", "coco_b40c10", "--figure", "heads.gif"])


def test_a_document_shows_the_comparison_between_its_markers() -> None:
    records = [with_head("linear"), with_head("queries")]
    board, text = leaderboard(records), "# X\n<!-- heads:coco_b40c10 -->\n<!-- /heads -->\n"
    assert stale(text, board, Besides(head_tables(records))) == ["coco_b40c10"]
    fresh = updated(text, board, Besides(head_tables(records)))
    assert "| er (memory=1600) | queries | own |" in fresh
    assert stale(fresh, board, Besides(head_tables(records))) == []
    assert stale(fresh, board, Besides(head_tables(records[:1]))) == ["coco_b40c10"]
    with pytest.raises(UsageError, match="has no <!-- /heads -->"):
        stale("<!-- heads:coco_b40c10 -->\n<!-- /leaderboard -->", board)


def test_one_head_alone_is_nothing_to_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record = make_record(ER, TINY)
    path = record_path(tmp_path / "results", record)
    path.parent.mkdir(parents=True)
    write_record(record, path)
    with pytest.raises(UsageError, match="more than one head"):
        invoke(["report", "heads", "tiny"])
