"""Which ingredient differs; and tables inside a README."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import record_factory as factory

from clbench.errors import ResultsError, UsageError
from clbench.records.record import Record
from clbench.records.rows import group_rows
from clbench.report.formats.readme import Besides, names, stale, update_readme, updated
from clbench.report.table.choice import chosen_boards
from clbench.report.table.diff import diff, explain
from clbench.report.table.leaderboard import leaderboard
from clbench.report.table.model import Leaderboard, Table

ER, LWF = factory.METHODS[4], factory.METHODS[2]
RECORD = factory.make_record(ER)


def ingredients(**sections: object) -> set[str]:
    other = factory.sealed(factory.sections_of(RECORD) | sections)
    return {item.field for item in diff(RECORD, other) if item.group != "the result"}


def test_equal_records_differ_in_nothing() -> None:
    assert diff(RECORD, RECORD) == []
    assert explain([]) == "Nothing differs.\n"


def test_each_ingredient_is_named_alone() -> None:
    replace = msgspec.structs.replace
    assert ingredients(seed=5) == {"seed"}
    assert ingredients(protocol=1) == {"protocol"}
    assert ingredients(train=RECORD.train | {"lr": 0.5}) == {"train.lr"}
    assert ingredients(scenario=replace(RECORD.scenario, digest="a" * 64)) == {"scenario.digest"}
    stream = replace(RECORD.scenario.stream, labels="b" * 64)
    assert ingredients(scenario=replace(RECORD.scenario, stream=stream)) == {"scenario.stream.labels"}
    fields = RECORD.strategy.fields | {"memory": 400}
    assert ingredients(strategy=replace(RECORD.strategy, fields=fields)) == {"strategy.fields.memory"}
    assert ingredients(strategy=replace(RECORD.strategy, sha256="c" * 64)) == {"strategy.sha256"}
    assert ingredients(code=replace(RECORD.code, commit="d" * 40)) == {"code.commit"}
    assert ingredients(environment=RECORD.environment | {"torch": "2.7.0"}) == {"environment.torch"}
    assert ingredients(environment=RECORD.environment | {"cuda": "12"}) == {"environment.cuda"}


def test_values_are_shown_on_both_sides_and_digests_short() -> None:
    other = factory.sealed(factory.sections_of(RECORD) | {"train": RECORD.train | {"epochs": 3}})
    (change,) = [item for item in diff(RECORD, other) if item.group == "the recipe"]
    assert (change.left, change.right) == ("20", "3")
    strategy = msgspec.structs.replace(RECORD.strategy, sha256="c" * 64)
    (change,) = diff(RECORD, factory.sealed(factory.sections_of(RECORD) | {"strategy": strategy}))
    assert change.right == "c" * 12


def test_results_that_differ_without_a_cause_are_called_out() -> None:
    ap = msgspec.structs.replace(RECORD.ap, fixed=RECORD.ap.growing)
    text = explain(diff(RECORD, factory.sealed(factory.sections_of(RECORD) | {"ap": ap})))
    assert text.startswith("No recorded ingredient differs, yet the results do")
    assert "summary.last_map_fixed" in text


def test_rows_are_compared_by_what_their_seeds_share() -> None:
    rows = group_rows([factory.make_record(method, seed=seed) for method in (ER, LWF) for seed in (0, 1)])
    found = {item.field: item for item in diff(*rows)}
    assert found["strategy.name"].left == "er"
    assert "seed" not in found
    assert " and " in found["summary.last_map"].left


# ---- README

README = """# A project

<!-- leaderboard:coco_b40c10 -->
old
<!-- /leaderboard -->
text between
<!-- leaderboard:coco_b0c10 -->
<!-- /leaderboard -->
the end
"""


def test_a_readme_is_brought_up_to_date_once_and_then_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(README, encoding="utf-8")
    board = leaderboard([RECORD, factory.make_record(LWF)])
    assert stale(README, board) == ["coco_b40c10", "coco_b0c10"]
    assert update_readme(path, board)
    text = path.read_text(encoding="utf-8")
    assert stale(text, board) == []
    assert not update_readme(path, board)
    assert text.startswith("# A project\n") and text.endswith("the end\n") and "text between" in text
    assert "| 1 | er |" in text
    assert "No records of coco_b0c10 yet." in text
    assert "Printed in papers" not in text


def test_a_readme_shows_the_newest_protocol_that_has_rows_and_an_older_one_on_request() -> None:
    def block(name: str, *records: Record) -> str:
        return updated(f"<!-- leaderboard:{name} -->\n<!-- /leaderboard -->", leaderboard(records))

    older = factory.make_record(LWF, protocol=1)
    assert "| lwf |" in block("coco_b40c10", older) and "v1, protocol 1**" in block("coco_b40c10", older)
    both = block("coco_b40c10", older, RECORD)
    assert "| er |" in both and "| lwf |" not in both and "protocol 1" not in both
    asked = block("coco_b40c10.protocol1", older, RECORD)
    assert "| lwf |" in asked and "| er |" not in asked and "Apart from" not in asked
    assert "No records of coco_b40c10.protocol1 yet." in block("coco_b40c10.protocol1", RECORD)


def test_a_readme_may_ask_for_the_first_rows_and_says_of_how_many() -> None:
    board = leaderboard([RECORD, factory.make_record(LWF)])
    (second,) = [row.strategy for row in board.tables[0].rows[1:]]
    whole = updated("<!-- leaderboard:coco_b40c10 -->\n<!-- /leaderboard -->", board)
    assert f"| {second} |" in whole and "The first" not in whole
    assert "The first" not in updated("<!-- leaderboard:coco_b40c10 first=2 -->\n<!-- /leaderboard -->", board)
    text = updated("<!-- leaderboard:coco_b40c10 first=1 -->\n<!-- /leaderboard -->", board)
    assert f"| {second} |" not in text and "The first 1 of 2 rows." in text
    assert stale(text, board) == [] and updated(text, board) == text
    other = factory.make_record(LWF)
    apart = factory.sealed(factory.sections_of(other) | {"train": other.train | {"track": "other"}})
    two = leaderboard([RECORD, apart])
    assert len(two.tables) == 2
    text = updated("<!-- leaderboard:coco_b40c10 first=1 -->\n<!-- /leaderboard -->", two)
    assert text.count("| Rank |") == 1 and "Not shown: 1 row of other tables." in text and "The first" not in text


def test_a_comparison_that_is_shown_whole_takes_no_number_of_rows() -> None:
    with pytest.raises(UsageError, match="heads:tiny first=3 -->: what stands between markers of heads is shown"):
        names("<!-- heads:tiny first=3 -->\n<!-- /heads -->\n")


def test_a_page_may_ask_which_row_to_take_and_a_better_record_makes_the_answer_stale() -> None:
    def chosen(*records: Record) -> list[tuple[Leaderboard, Table]]:
        return list(chosen_boards(group_rows(records), trust={record.content: "consistent" for record in records}))

    page, board, one = "<!-- choose:coco_b40c10 -->\n<!-- /choose -->\n", leaderboard([RECORD]), chosen(RECORD)
    text = updated(page, board, Besides(chosen=one))
    assert "| photos may be kept | er " in text and stale(text, board, Besides(chosen=one)) == []
    assert stale(text.replace("| er ", "| lwf "), board, Besides(chosen=one)) == ["coco_b40c10"]
    assert stale(text, board, Besides(chosen=chosen(RECORD, factory.make_record(LWF)))) == ["coco_b40c10"]
    assert "No row of tiny to take yet." in updated(page.replace("coco_b40c10", "tiny"), board, Besides(chosen=one))


def test_a_new_record_makes_the_readme_stale() -> None:
    text = updated(README, leaderboard([RECORD]))
    assert stale(text, leaderboard([RECORD])) == []
    assert stale(text, leaderboard([RECORD, factory.make_record(LWF)])) == ["coco_b40c10"]


def test_a_number_typed_by_hand_makes_the_readme_stale() -> None:
    board = leaderboard([RECORD])
    text = updated(README, board)
    assert stale(text.replace("63.", "99.", 1), board) == ["coco_b40c10"]


def test_a_marker_that_is_never_closed_is_an_error() -> None:
    with pytest.raises(UsageError, match="leaderboard:coco_b40c10"):
        names("<!-- leaderboard:coco_b40c10 -->\n no end\n<!-- leaderboard:tiny -->\n<!-- /leaderboard -->\n")
    assert names("no markers") == []


def test_a_missing_readme_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="cannot be read"):
        update_readme(tmp_path / "none.md", leaderboard([RECORD]))


def test_rows_on_other_data_than_the_pinned_stand_only_where_their_folder_is_named() -> None:
    pinned = factory.make_record(LWF)
    part = msgspec.structs.replace(RECORD.scenario.data, digest="e" * 64)
    stream = msgspec.structs.replace(RECORD.scenario.stream, images="f" * 64)
    scenario = msgspec.structs.replace(RECORD.scenario, data=part, stream=stream)
    other = factory.sealed(factory.sections_of(RECORD) | {"scenario": scenario, "marks": ["unpinned"]})
    board = leaderboard([other, pinned])
    assert [table.folder for table in board.tables] == ["coco_b40c10.v1", "coco_b40c10.v1.unpinned-eeeeeeee"]
    assert "other than the pinned" in board.tables[1].heading
    by_scenario, by_folder = (
        updated(f"<!-- leaderboard:{name} -->\n<!-- /leaderboard -->", board)
        for name in ("coco_b40c10", "coco_b40c10.v1.unpinned-eeeeeeee")
    )
    assert "| lwf |" in by_scenario and "| er |" not in by_scenario
    assert "| er |" in by_folder and "| lwf |" not in by_folder
