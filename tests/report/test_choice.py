"""Which one?: by the last session, by what may be kept; no row that saw everything at once is one to take."""

from __future__ import annotations

import msgspec
import record_factory as factory
from record_factory import METHODS, TINY, make_record, sealed, sections_of, with_thresholds

from clbench.records.record import Record
from clbench.records.rows import adds_the_past, group_rows
from clbench.report.formats.grid import notes
from clbench.report.table.choice import choices, chosen_boards, csv_text, decided, grid_of, latex, markdown, others
from clbench.report.table.leaderboard import leaderboard
from clbench.report.table.model import Cell, Table, TableRow
from clbench.report.table.rows import common_recipe

ER, LWF = METHODS[4], METHODS[2]


def table_of(*records: Record) -> Table:
    (table,) = leaderboard(records, trust={record.content: "consistent" for record in records}).tables
    return table


def with_costs(record: Record, *, stored: int) -> Record:
    costs = [msgspec.structs.replace(cost, stored_images=stored, stored_bytes=9 * stored) for cost in record.costs]
    return sealed(sections_of(record) | {"costs": costs})


def row(name: str, last: float, *, std: float | None = None, rank: int | None = 1, **cells: float) -> TableRow:
    """A line with these numbers and no others."""
    (plain,) = table_of(make_record(ER, TINY)).rows
    told = {key: Cell(None, None) for key in plain.cells} | {"last_map": Cell(last, std)}
    told |= {key: Cell(value, None) for key, value in cells.items()}
    return msgspec.structs.replace(plain, strategy=name, rank=rank, cells=told, marks=[])


def table_with(*rows: TableRow) -> Table:
    return msgspec.structs.replace(table_of(make_record(ER, TINY)), rows=list(rows))


def named(table: Table) -> dict[str, str]:
    return {one.need: table.rows[one.row].strategy for one in choices(table)}


def test_the_last_session_decides_the_average_does_not_and_bounds_are_none_to_take():
    table = table_with(
        row("naive", 0.2, average_map=0.99, train_seconds=1, stored_images=0, state_bytes=0),
        row("er", 0.5, average_map=0.6, train_seconds=50, stored_images=9, stored_bytes=900, state_bytes=0),
        row("lwf", 0.48, average_map=0.6, train_seconds=9, stored_images=0, state_bytes=100),
        row("joint", 0.9, rank=None, train_seconds=1),
    )
    share = "90 % of the best last mAP"
    assert named(table) == {
        "photos may be kept": "er",
        "no photo may be kept": "lwf",
        f"least training time for {share}": "lwf",
        f"least kept for {share}": "lwf",
    }


def test_what_no_record_knows_is_no_answer():
    table = table_with(row("er", 0.5, train_seconds=50), row("lwf", 0.48, train_seconds=9))
    assert [one.need.split(" for")[0] for one in choices(table)] == [
        "photos may be kept", "no photo may be kept", "least training time",
    ]  # fmt: skip


def test_f1_stand_at_thresholds_that_validation_images_chose_where_a_row_has_them():
    record = with_thresholds(make_record(ER, TINY))
    (board, table), *rest = chosen_boards(group_rows([record]), trust={record.content: "consistent"})
    assert not rest and board.title("of1") == "OF1 @tuned"
    assert table.rows[0].cells["of1"].mean == record.summary["of1@0.8"]
    assert "validation images chose" in decided(board, table) and decided(board, table) in latex(board, table)
    assert csv_text([(board, table)]).splitlines()[1].count(",tuned,") == 1


def test_where_no_validation_images_are_held_out_f1_stand_at_one_half_and_it_is_said():
    record = make_record(ER, TINY)
    ((board, table),) = chosen_boards(group_rows([record]), trust={record.content: "consistent"})
    assert table.rows[0].cells["of1"].mean == record.summary["of1@0.5"]
    assert decided(board, table) == "F1 at one half: tiny holds out no validation images to choose a threshold on."
    assert decided(board, table) in markdown(board, table)


def test_rows_whose_seed_intervals_overlap_are_named():
    table = table_with(row("er", 0.55, std=0.05), row("lwf", 0.48, std=0.03), row("naive", 0.1, std=0.01))
    first = choices(table)[0]
    assert (table.rows[first.row].strategy, [table.rows[place].strategy for place in first.alike]) == ("er", ["lwf"])
    assert choices(table_with(row("joint", 0.9, rank=None))) == []


def test_another_row_of_the_strategy_that_is_taken_is_named_by_its_settings():
    alike = [
        msgspec.structs.replace(row("er", 0.54, std=0.05), changed={"memory": 9}),
        msgspec.structs.replace(row("er", 0.53, std=0.05), head="queries", changed={}),
        row("lwf", 0.52, std=0.05),
    ]
    table = table_with(row("er", 0.55, std=0.05), *alike)
    assert others(table, choices(table)[0]) == ["er (memory=9)", "er/queries (no setting changed)", "lwf"]


def cumulative(record: Record, *, images: list[int], name: str = "cumulative") -> Record:
    sessions = [
        msgspec.structs.replace(session, train_images=count)
        for session, count in zip(record.scenario.sessions, images, strict=True)
    ]
    stream = msgspec.structs.replace(record.scenario.stream, images="c" * 64, labels="d" * 64)
    scenario = msgspec.structs.replace(record.scenario, sessions=sessions, stream=stream)
    return sealed(sections_of(record) | {"scenario": scenario})


def test_a_row_that_trains_on_everything_again_stands_in_the_main_table_and_is_marked():
    plain = make_record(ER, TINY)
    before = [session.train_images for session in plain.scenario.sessions]
    sums = [sum(before[: i + 1]) for i in range(len(before))]
    again = cumulative(make_record(METHODS[3], TINY), images=sums)
    assert adds_the_past(again, plain) and not adds_the_past(plain, again)
    table = table_of(plain, again)
    assert [("all-photos" in row.marks) for row in table.rows if row.strategy == METHODS[3].name] == [True]
    more = cumulative(make_record(METHODS[3], TINY), images=[*before[:-1], sum(before) + 1])
    assert not adds_the_past(more, plain)  # more than everything so far is another stream


def test_an_answer_that_keeps_every_photo_says_so():
    board = leaderboard([make_record(ER, TINY)], published=False)
    table = table_with(msgspec.structs.replace(row("cumulative", 0.5), marks=["all-photos"]))
    assert [line[1] for line in grid_of(board, table).texts] == ["cumulative linear memory=1600 (keeps every photo)"]


def test_a_memory_that_holds_every_photo_says_so():
    plain = make_record(ER, TINY)
    everything = sum(session.train_images for session in plain.scenario.sessions)
    (row,) = table_of(with_costs(plain, stored=everything)).rows
    assert "all-photos" in row.marks
    (row,) = table_of(with_costs(plain, stored=everything - 1)).rows
    assert "all-photos" not in row.marks


def test_settings_are_differences_from_the_scenario_however_few_rows_follow_it():
    own = make_record(ER, TINY, marks=[])
    other = [
        factory.make_record(ER, TINY, seed=0, train=own.train | {"lr": 0.5, "epochs": 3 + i}, marks=["changed-train"])
        for i in range(3)
    ]
    assert common_recipe(group_rows([*other, own])) == own.train


def test_times_of_several_machines_are_said_to_be_no_ratio():
    records = [make_record(ER, TINY), make_record(LWF, TINY)]
    changed = sections_of(records[1])
    apart = [records[0], sealed(changed | {"environment": {**records[1].environment, "cpu_model": "another"}})]
    for found, machines in ((records, 0), (apart, 2)):
        trust = {record.content: "consistent" for record in found}
        ((board, table),) = chosen_boards(group_rows(found), trust=trust)
        told = f"Times are of {machines} machines: those of two rows are a ratio only where one machine took both."
        assert (told in decided(board, table), told in notes(board, table)) == (bool(machines), bool(machines))
