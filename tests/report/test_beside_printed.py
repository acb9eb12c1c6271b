"""Printed numbers beside rows: only where method, protocol and memory agree, with the difference."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace

import msgspec
import pytest
import record_factory as factory

from clbench.errors import UsageError
from clbench.records.record import Record
from clbench.records.rows import group_rows
from clbench.report.formats.csv_sheet import sheet
from clbench.report.formats.grid import grid
from clbench.report.formats.latex import MOST_ROWS, latex
from clbench.report.formats.markdown import markdown
from clbench.report.table.beside_printed import beside, strategy_of, told_threshold
from clbench.report.table.chosen import of_strategies, printed_alone, with_columns
from clbench.report.table.leaderboard import leaderboard
from clbench.report.table.published import printed_for
from clbench.spec.scenario import parse_scenario

JOINT, NAIVE, LWF, _, ER, DERPP, KRT, DLFL = factory.METHODS
PRINTED = printed_for("coco_b40c10")
ABOUT = "name: {name}\nversion: 1\ntitle: A scenario.\ndataset: coco2014\n"


def row_of(method: factory.Method, **changes: object) -> Record:
    return factory.make_record(method, **changes)


def printed_beside(record: Record) -> dict[str, str]:
    return beside(group_rows([record])[0], PRINTED)


@pytest.mark.parametrize(
    ("method", "strategy"),
    [("DER++", "derpp"), ("KRT-R", "krt"), ("FT", "naive"), ("MULTI-LANE", "multilane"), ("Joint (ViT)", "jointvit")],
)
def test_a_printed_method_has_the_name_of_its_strategy(method: str, strategy: str) -> None:
    assert strategy_of(method) == strategy


def test_a_row_has_the_printed_number_of_its_method_with_the_same_memory() -> None:
    # 1,600 photos in all are 20 for each of 80 labels, for which Table 1 of KBK prints 68.9 and 61.6
    assert printed_beside(row_of(ER)) == {"average_map": "68.9", "last_map": "61.6"}
    assert printed_beside(row_of(LWF)) == {"average_map": "48.6", "last_map": "29.9"}
    smaller = replace(ER, stored=400, fields=(("memory", 400),))
    assert printed_beside(row_of(smaller)) == {}
    by_label = replace(ER, stored=1600, fields=(("memory", 20), ("per_class", True)))
    assert printed_beside(row_of(by_label))["last_map"] == "61.6"


def test_a_memory_printed_in_all_is_not_one_per_label() -> None:
    with_thousand = replace(KRT, stored=1000, fields=(("memory", 1000),))
    assert printed_beside(row_of(with_thousand)) == {"average_map": "78.3", "last_map": "75.1"}
    assert printed_beside(row_of(replace(KRT, stored=1000, fields=(("memory", 1000), ("per_class", True))))) == {}


def test_where_sources_disagree_it_is_the_highest() -> None:
    # 78.2 and 74.0 in one source, 78.0 and 75.0 in another
    assert printed_beside(row_of(replace(KRT, name="csc"))) == {"average_map": "78.2", "last_map": "75.0"}


def test_rows_on_other_data_have_no_printed_number_beside_them() -> None:
    record = row_of(ER)
    for mark in ("unpinned", "leak"):
        assert printed_beside(msgspec.structs.replace(record, marks=[mark])) == {}


def test_every_format_shows_the_printed_number_and_the_difference() -> None:
    record = row_of(ER)
    board = leaderboard([record], threshold="")
    told = f"68.9 ({100 * (record.summary['average_map'] or 0) - 68.9:+.1f})"
    (table,) = board.tables
    assert board.beside(table.rows[0], table) == told
    assert grid(board, table).titles[-4:] == ["Printed Avg. mAP", "Pretraining", "Trust", "Marks"]
    assert told in markdown(board)
    assert told in latex(board)
    assert next(csv.DictReader(io.StringIO(sheet(board))))["printed"] == "0.689"


def test_f1_columns_follow_the_printed_rule_unless_one_is_asked_for() -> None:
    assert told_threshold(PRINTED) == "0.8"
    assert leaderboard([row_of(ER)], threshold="").threshold == "0.8"
    assert leaderboard([row_of(ER)], threshold="top3").threshold == "top3"
    assert leaderboard([row_of(ER)], threshold="", published=False).threshold == "0.5"
    assert leaderboard([factory.make_record(ER, factory.TINY)], threshold="").threshold == "0.5"


def test_a_method_that_is_printed_of_the_protocol_is_told_so_where_a_table_of_a_stand_in_has_no_printed_rows() -> None:
    board = leaderboard([factory.make_record(ER)], published=False)
    _, said = of_strategies(board, ["er", "kar"])
    assert "(of this protocol, clbench report published coco_b40c10)" in said[0]
    _, said = of_strategies(leaderboard([factory.make_record(ER, factory.TINY)]), ["er", "kar"])
    assert "(of other protocols, clbench report published 'KAR')" in said[0]


def test_a_scenario_without_records_has_its_printed_rows() -> None:
    board = printed_alone(parse_scenario(ABOUT.format(name="coco_b40c10"), source="here"))
    assert (board.threshold, len(board.tables[0].printed)) == ("0.8", len(PRINTED))
    assert "printed numbers alone" in markdown(board)
    assert latex(board).count(r"\begin{table*}") == math.ceil(len(PRINTED) / MOST_ROWS), "no empty table of rows"
    assert printed_alone(parse_scenario(ABOUT.format(name="mine"), source="here")).tables == []


def test_strategies_are_chosen_and_a_printed_method_is_told_as_such() -> None:
    board = leaderboard([row_of(method) for method in (ER, LWF, NAIVE)])
    chosen, said = of_strategies(board, ["lwf", "krt", "HCP"], runnable={"krt"})
    (table,) = chosen.tables
    assert [row.strategy for row in table.rows] == ["lwf"]
    assert {row.method for row in table.printed} == {"LwF", "KRT", "KRT-R", "HCP", "HCP-R"}
    assert said[0].startswith("krt is known as a printed row only (below)")
    assert "can be run: --strategy krt" in said[0]
    assert "No strategy here has its name" in said[1]
    with pytest.raises(UsageError, match="Did you mean 'krt'"):
        of_strategies(board, ["krtt"])


def test_columns_are_chosen_in_the_order_given() -> None:
    board = with_columns(leaderboard([row_of(ER)], published=False), ["last_map", "of1", "last_map"])
    assert list(board.columns) == ["last_map", "of1"]
    assert grid(board, board.tables[0]).titles == [
        "Rank", "Strategy", "Head", "Settings", "Seeds", "Last mAP", "OF1 @0.5", "Pretraining", "Trust", "Marks",
    ]  # fmt: skip
    assert sheet(board).splitlines()[0].count("_std") == 2
    with pytest.raises(UsageError, match="Did you mean 'last_map'"):
        with_columns(board, ["lst_map"])


def test_a_stream_that_begins_with_few_labels_is_ranked_by_its_end() -> None:
    """`naive` shines on the first test sets, of two labels; it is neither first nor bold for that."""
    shining, lasting = replace(NAIVE, learns=0.95, keeps=0.2), replace(ER, learns=0.6, keeps=0.95)
    board = leaderboard([factory.make_record(method, factory.TINY) for method in (shining, lasting)], published=False)
    (table,) = board.tables
    assert [row.strategy for row in table.rows] == ["er", "naive"]
    assert not any(row.cells["average_map"].best for row in table.rows)
    assert "fewer than 10 labels" in markdown(board)
    asked = leaderboard(
        [factory.make_record(method, factory.TINY) for method in (shining, lasting)], sort="average_map"
    )
    assert [row.cells["average_map"].best for row in asked.tables[0].rows] == [True, False]
    wide = leaderboard([row_of(method) for method in (NAIVE, ER)])
    assert (wide.ranked_by(wide.tables[0]), wide.ranked_by(table)) == ("average_map", "last_map")
