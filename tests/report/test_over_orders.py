"""Several class orders in tables: averaged over orders, never taken for seeds, paired by order and seed."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping

import msgspec
import pytest
import record_factory as factory

from clbench.records.record import Record
from clbench.records.rows import Row, group_rows
from clbench.records.rows_over_orders import OrdersRow, order_rank, over_orders
from clbench.report.compare.table import compare
from clbench.report.formats.csv_sheet import sheet
from clbench.report.formats.grid import grid
from clbench.report.formats.grid import notes as notes_of
from clbench.report.formats.readme import Besides, meant, stale, updated
from clbench.report.table.leaderboard import leaderboard, sections
from clbench.report.table.orders_compared import csv_text, kendall, markdown, notes, orders_tables

NAMES = {"a": factory.METHODS[1], "b": factory.METHODS[2], "c": factory.METHODS[4]}
ORDERS = ("", "shuffle:1", "shuffle:2")
# last mAP of three methods in three orders; the second order has the seeds 0 and 1, whose mean counts
LAST = {
    "a": {"": [0.50], "shuffle:1": [0.40, 0.44], "shuffle:2": [0.46]},
    "b": {"": [0.48], "shuffle:1": [0.44, 0.46], "shuffle:2": [0.44]},
    "c": {"": [0.30], "shuffle:1": [0.30, 0.34], "shuffle:2": [0.31]},
}


def record(method: factory.Method, *, order: str = "", seed: int = 0, last: float | None = None) -> Record:
    """A record of a class order with a last mAP that is told."""
    made = factory.in_order(factory.make_record(method, factory.TINY, seed=seed), order)
    summary = made.summary if last is None else made.summary | {"last_map": last, "average_map": last}
    return msgspec.structs.replace(made, summary=summary)


def records(values: Mapping[str, Mapping[str, list[float]]] = LAST) -> list[Record]:
    return [
        record(NAMES[name], order=order, seed=seed, last=value)
        for name, orders in values.items()
        for order, seeds in orders.items()
        for seed, value in enumerate(seeds)
    ]


def test_a_row_over_orders_averages_seeds_first_and_spreads_over_orders() -> None:
    rows = over_orders(group_rows(records()))
    single = [row for row in rows if not isinstance(row, OrdersRow)]
    assert [(row.seeds, row.orders) for row in single] == [((0,), ("alphabetical",))] * 3
    row = next(row for row in rows if isinstance(row, OrdersRow))
    assert row.orders == tuple(row.by_order) == ("alphabetical", "shuffle:1", "shuffle:2")
    found = row.stat("last_map")
    # 0.50, (0.40 + 0.44) / 2, 0.46: mean 0.46, deviations 0.04, -0.04, 0
    assert found is not None and (found.n, round(found.mean, 12)) == (3, 0.46)
    assert found.std == pytest.approx(math.sqrt((0.04**2 + 0.04**2) / 2))


def test_a_line_of_csv_counts_runs_and_names_the_orders_behind_it() -> None:
    made = records()
    board = leaderboard(over_orders(group_rows(made)), trust={one.content: "consistent" for one in made})
    lines = list(csv.DictReader(io.StringIO(sheet(board))))
    told = {(line["kind"], line["seeds"], line["orders"], line["n"]) for line in lines if line["strategy"] == "naive"}
    assert told == {("run", "0", "", "1"), ("run orders", "0 1", "alphabetical shuffle:1 shuffle:2", "4")}


def test_what_differs_in_more_than_its_order_is_not_put_together() -> None:
    one, other = record(NAMES["a"]), record(NAMES["a"], order="shuffle:1")
    assert other.scenario.order is not msgspec.UNSET
    foreign = msgspec.structs.replace(other.scenario.order, scenario="e" * 64)
    strange = msgspec.structs.replace(other, scenario=msgspec.structs.replace(other.scenario, order=foreign))
    assert not any(isinstance(row, OrdersRow) for row in over_orders(group_rows([one, strange])))
    shipped = [Row(row.records, reference=True) for row in group_rows([other])]
    assert len(over_orders([*group_rows([one]), *shipped])) == 2
    assert [row.orders for row in over_orders(group_rows([other]))] == [("shuffle:1",)]


def test_shuffles_are_sorted_by_their_seed_after_the_own_order() -> None:
    told = ["shuffle:10", "shuffle:2", "frequency", ""]
    assert sorted(told, key=order_rank) == ["", "frequency", "shuffle:2", "shuffle:10"]


def test_a_leaderboard_never_mixes_orders_with_seeds() -> None:
    trust = {one.content: "consistent" for one in records()}
    board = leaderboard(over_orders(group_rows(records())), trust=trust, sort="last_map")
    own, averaged = board.tables
    assert own.orders is msgspec.UNSET and [row.cells["last_map"].std for row in own.rows] == [None] * 3
    assert averaged.orders == ["alphabetical", "shuffle:1", "shuffle:2"]
    assert averaged.apart.startswith("the class orders differ (alphabetical against alphabetical, shuffle:1, shuffle:2")
    assert averaged.heading.endswith("mean of 3 class orders") and averaged.slug != own.slug
    told = {row.strategy: board.text(row, "last_map") for row in averaged.rows}
    assert told == {"naive": "46.0 ± 4.0", "lwf": "45.7 ± 2.1", "er": "31.0 ± 1.0"}
    assert [row.rank for row in averaged.rows] == [1, 1, 3]
    assert [row.first for row in averaged.rows] == [2, 1, 0] and own.rows[0].first is msgspec.UNSET
    assert grid(board, averaged).titles.count("First") == 1 and "First" not in grid(board, own).titles
    assert any("± is the spread between these orders" in note for note in notes_of(board, averaged))
    assert meant(board.tables, "tiny") == meant(board.tables, "tiny.v1.scenes") == [own]


def test_rows_of_one_other_order_stand_apart_and_say_which() -> None:
    found = sections(group_rows(records()))
    assert [(rows[0].orders, apart) for rows, apart in found] == [
        (("alphabetical",), ""),
        (("shuffle:1",), "the class orders differ (alphabetical against shuffle:1)"),
        (("shuffle:2",), "the class orders differ (shuffle:1 against shuffle:2)"),
    ]
    board = leaderboard(group_rows(records()))
    assert [table.folder for table in board.tables][1:] == ["tiny.v1.scenes.shuffle-1", "tiny.v1.scenes.shuffle-2"]
    assert [table.folder for table in meant(board.tables, "tiny")] == ["tiny.v1.scenes"]
    assert board.tables[1].heading.endswith("shuffle:1 order")


# ---------------------------------------------------------------------- report orders


def test_how_often_each_is_first_and_how_far_the_rankings_agree() -> None:
    (table,) = orders_tables(group_rows(records()), measure="last_map")
    lines = {line.name: line for line in table.lines}
    assert [line.name for line in table.lines] == ["naive", "lwf", "er (memory=1600)"]
    assert {name: line.first for name, line in lines.items()} == {"naive": 2, "lwf": 1, "er (memory=1600)": 0}
    assert lines["lwf"].ranks == {"alphabetical": 2, "shuffle:1": 1, "shuffle:2": 2}
    # in shuffle:1 one of three pairs is turned round: (2 - 1) / 3
    assert table.agreement == {"shuffle:1": pytest.approx(1 / 3), "shuffle:2": pytest.approx(1.0)}
    assert table.cells()[0] == ["naive", "1–2", "46.0 ± 4.0", "–", "42.0", "50.0", "2 of 3", "1–2", "50.0 (1)"]
    told = markdown(table, notes(table, measure="last_map"))
    assert "shuffle:1 0.33, shuffle:2 1.00; mean 0.67" in told and "3 rows" in told
    lines_of = list(csv.DictReader(io.StringIO(csv_text([table]))))
    assert (
        len(lines_of) == 9 and lines_of[1]["order"] == "shuffle:1" and float(lines_of[1]["mean"]) == pytest.approx(0.42)
    )


def test_how_far_the_test_images_leave_the_mean_over_orders_open_stands_beside_it() -> None:
    made = records()
    naive = [one.content for one in made if one.strategy.name == "naive"]
    errors = dict(zip(naive, [0.03, 0.01, 0.03, 0.01], strict=True))  # shuffle:1 has two seeds
    (table,) = orders_tables(group_rows(made), measure="last_map", errors=errors)
    lines = {line.name: line for line in table.lines}
    assert lines["naive"].luck == {"alphabetical": 0.03, "shuffle:1": 0.02, "shuffle:2": 0.01}
    assert lines["naive"].error_images == pytest.approx(0.02) and lines["er (memory=1600)"].error_images is None
    assert table.grid.titles[3] == "± images" and [cells[3] for cells in table.grid.texts] == ["2.0", "–", "–"]
    assert "which all orders share" in " ".join(notes(table, measure="last_map"))
    (plain,) = orders_tables(group_rows(made), measure="last_map")
    assert "± images" not in plain.grid.titles


def test_a_readme_has_the_table_over_orders_between_its_markers() -> None:
    rows = group_rows(records())
    tables = orders_tables(rows, measure="last_map")
    text = "<!-- orders:tiny -->\n<!-- /orders -->\n<!-- orders:voc -->\n<!-- /orders -->\n"
    fresh = updated(text, leaderboard(rows), Besides(orders=tables))
    assert "| naive | 1–2 | 46.0 ± 4.0 |" in fresh and "No row of voc has records in more than one class order" in fresh
    assert stale(fresh, leaderboard(rows), Besides(orders=tables)) == [] and stale(fresh, leaderboard(rows)) == ["tiny"]


def test_configurations_that_ran_in_other_orders_stand_in_a_table_of_their_own() -> None:
    fewer = LAST | {"c": {"": [0.30], "shuffle:1": [0.30, 0.34]}}
    tables = orders_tables(group_rows(records(fewer)), measure="last_map")
    assert [(len(table.orders), [line.name for line in table.lines]) for table in tables] == [
        (3, ["naive", "lwf"]),
        (2, ["er (memory=1600)"]),
    ]
    assert math.isnan(tables[1].agreement["shuffle:1"]) and len(notes(tables[1], measure="last_map")) == 1


def test_bounds_and_unverified_rows_are_never_first() -> None:
    wrong = {one.content: "unverified" for one in records() if one.strategy.name == "naive"}
    bound = [record(factory.METHODS[0], order=order, last=0.9) for order in ORDERS]
    (table,) = orders_tables(group_rows([*records(), *bound]), measure="last_map", trust=wrong)
    assert {line.name: line.first for line in table.lines} == {
        "joint": None,
        "naive": None,
        "lwf": 3,
        "er (memory=1600)": 0,
    }
    assert (table.cells()[-1][0], table.lines[-1].over.mean > table.lines[-2].over.mean) == (
        "naive (unverified)",
        True,
    )


def test_kendalls_tau_needs_two_rows() -> None:
    assert math.isnan(kendall([1.0], [1.0])) and kendall([1.0, 2.0], [2.0, 1.0]) == -1.0


# ---------------------------------------------------------------------- report compare


def test_differences_are_paired_by_order_and_seed() -> None:
    rows = [row for row in over_orders(group_rows(records())) if isinstance(row, OrdersRow)]
    found = compare(rows, baseline="lwf", measure="last_map", folders=[], resampler=None)
    naive = next(row for row in found if row.name == "naive")
    assert naive.difference is not None and naive.seeds == 4
    # by order: 0.02, ((0.40 - 0.44) + (0.44 - 0.46)) / 2 = -0.03, 0.02
    assert naive.difference.seeds == 3 and naive.difference.mean == pytest.approx(0.01 / 3)
    assert naive.difference.error_seeds == pytest.approx(math.sqrt(((0.05 / 3) ** 2 * 2 + (0.1 / 3) ** 2) / 2 / 3))
