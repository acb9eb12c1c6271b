"""The leaderboard in a real browser: orders, ranks, filters, definitions, and what lies behind a row."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_tools import B40_SLUG, PLACE, Visit, cells, go_to, header, in_view, rows_of, spoken
from record_factory import B40, METHODS, make_record

from clbench.records.record import Record
from clbench.report.page.document import write_page
from clbench.report.page.model import page_model
from clbench.report.table.columns import columns
from clbench.report.table.leaderboard import leaderboard

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("key", [key for key, column in columns("0.5").items() if column.competes and key != "gap"])
def test_a_press_on_a_column_orders_ranks_and_marks_the_best_as_tables_do(
    visit: Visit, page_file: Path, records: list[Record], trust: dict[str, str], key: str
):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    shown = f"{key}@0.5" if columns("0.5")[key].decided else key
    if header(page, shown).get_attribute("aria-sort") == "none":
        header(page, shown).locator("button").click()
    board = leaderboard(records, sort=key, trust=trust)
    table = next(table for table in board.tables if table.slug == B40_SLUG)
    assert rows_of(page) == [row.strategy for row in table.rows]
    assert cells(page, "rank") == ["–" if row.rank is None else str(row.rank) for row in table.rows]
    texts = [board.text(row, key) for row in table.rows]
    assert [" ".join(text.split()) for text in cells(page, shown)] == texts
    best = [row.strategy for row in table.rows if row.cells[key].best]
    place = page.locator("#board-table thead th").evaluate_all(PLACE, shown) + 1
    marked = page.locator(f"#board-table tbody tr:has(> :nth-child({place}).best) .name").all_inner_texts()
    assert marked == best


def test_an_unverified_row_stands_below_without_rank_in_every_order(visit: Visit, tmp_path: Path):
    made = [make_record(method, B40) for method in METHODS[1:5]]
    best = max(made, key=lambda record: record.summary["average_map"] or 0)
    trust = {record.content: "unverified" if record is best else "consistent" for record in made}
    page = visit(write_page(page_model(made, trust=trust), tmp_path / "page.html"))
    for key in ("average_map", "last_map", "strategy"):
        for _ in range(2):
            header(page, key).locator("button").click()
            assert rows_of(page)[-1] == best.strategy.name
            assert cells(page, "rank")[-1] == "–" and sorted(cells(page, "rank")[:-1]) == ["1", "2", "3"]
    assert page.locator("#board-table tbody tr:last-child .best").count() == 0


def test_a_second_press_turns_the_order_round_and_says_so(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    assert header(page, "average_map").get_attribute("aria-sort") == "descending"
    first = rows_of(page)
    header(page, "average_map").locator("button").click()
    assert header(page, "average_map").get_attribute("aria-sort") == "ascending"
    assert rows_of(page) == first[::-1]
    assert "ascending" in spoken(page, after="")


def test_names_sort_from_a_and_costs_from_cheap_without_touching_ranks(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    ranks = dict(zip(rows_of(page), cells(page, "rank"), strict=True))
    header(page, "strategy").locator("button").click()
    assert rows_of(page) == sorted(rows_of(page))
    header(page, "parameters").locator("button").click()
    assert rows_of(page)[-1] == "dlfl"
    assert dict(zip(rows_of(page), cells(page, "rank"), strict=True)) == ranks


def test_filters_by_words_head_and_mark_leave_the_rows_that_fit(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    page.fill("#query", "memory=1600")
    assert sorted(rows_of(page)) == ["derpp", "er"]
    assert page.locator("#legend [data-toggle]").count() == 2
    page.fill("#query", "")
    page.select_option("#head", "queries")
    assert sorted(rows_of(page)) == ["dlfl", "krt"]
    page.select_option("#head", "")
    page.uncheck('#choose input[value="upper-bound"]')
    assert "joint" not in rows_of(page) and len(rows_of(page)) == 7
    page.fill("#query", "no such thing")
    assert "No row passes the filters" in page.locator("#board-table").inner_text()
    page.click("text=Clear the filters")
    assert len(rows_of(page)) == 8


def test_rows_keep_their_rank_when_others_are_filtered_out(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    before = dict(zip(rows_of(page), cells(page, "rank"), strict=True))
    page.fill("#query", "naive")
    assert cells(page, "rank") == [before["naive"]]


def test_each_scenario_has_a_table_and_a_stand_in_says_what_it_is(visit: Visit, page_file: Path):
    page = visit(page_file)
    assert page.locator("#scenario option").count() == 3
    go_to(page, "tiny.v1.scenes")
    assert "Stand-in." in page.locator("#board-notes").inner_text()
    assert rows_of(page) == ["er"]
    go_to(page, "coco_b0c10.v1")
    assert "Stand-in." not in page.locator("#board-notes").inner_text()


def test_printed_numbers_are_marked_never_ranked_and_hidden_on_request(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    table = page.locator("#board-printed table")
    assert "never ranked" in page.locator("#board-printed caption").inner_text()
    assert "Rank" not in table.locator("thead").inner_text()
    rows = table.locator("tbody tr").count()
    assert rows > 10
    assert table.locator("tbody .printed-mark").count() == rows
    assert page.locator("#board-table .printed-mark").count() == 0
    page.fill("#query", "KRT")
    assert 0 < table.locator("tbody tr").count() < rows
    page.uncheck("#with-printed")
    assert table.count() == 0


def test_the_rule_of_f1_changes_columns_and_their_numbers(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    header(page, "of1@0.5").locator("button").click()
    before = cells(page, "of1@0.5")
    page.select_option("#rule", "top3")
    assert header(page, "of1@0.5").count() == 0
    assert header(page, "of1@top3").get_attribute("aria-sort") == "descending"
    assert sorted(cells(page, "of1@top3")) != sorted(before)


def test_decimals_and_columns_follow_the_reader(visit: Visit, page_file: Path):
    page = visit(page_file)
    page.select_option("#digits", "2")
    assert all(len(text.split()[0].split(".")[1]) == 2 for text in cells(page, "average_map"))
    page.click("#columns-menu summary")
    page.uncheck('#columns-menu input[value="bwt"]')
    assert header(page, "bwt").count() == 0
    page.check('#columns-menu input[value="stored_bytes"]')
    assert header(page, "stored_bytes").count() == 1


def test_a_definition_appears_for_the_pointer_and_for_the_focus_and_leaves_on_escape(visit: Visit, page_file: Path):
    page = visit(page_file)
    header(page, "forgetting").hover()
    assert "Chaudhry" in page.locator("#tip").inner_text()
    page.mouse.move(5, 5)
    assert page.locator("#tip").is_hidden()
    header(page, "bwt").locator("button").focus()
    assert "Lopez-Paz" in page.locator("#tip").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()
    described = header(page, "bwt").locator("button").get_attribute("aria-describedby")
    assert "Lopez-Paz" in page.locator(f"#{described}").inner_text()


def test_a_row_opens_with_its_configuration_seeds_and_origin(visit: Visit, page_file: Path, records: list[Record]):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    page.click('#board-table button.name:text-is("er")')
    behind = page.locator(".behind")
    record = next(r for r in records if r.strategy.name == "er" and r.scenario.name == "coco_b40c10")
    text = behind.inner_text()
    for wanted in (record.configuration, record.strategy.sha256, record.code.commit[:12], "1600 (not the default)"):
        assert wanted in text
    for name, value in record.train.items():
        line = behind.locator(f'dl > div:has(dt:text-is("{name}"))').first
        assert line.locator("dd").inner_text() == (
            "0.00004" if value == 4e-05 else f"{value:g}" if isinstance(value, float) else str(value)
        )
    assert behind.locator("table").first.locator("tbody tr").count() == 3
    page.click('#board-table button.name:text-is("er")')
    assert behind.count() == 0


def test_a_permalink_survives_a_reload_and_passes_every_filter(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    page.click('#board-table button.name:text-is("ewc")')
    address = page.url
    assert "#row=coco_b40c10.v1/ewc/" in address
    page.reload()
    assert page.locator(".behind").count() == 1
    assert page.evaluate("document.activeElement.textContent") == "ewc"
    assert in_view(page, 'tr[data-id*="/ewc/"]')
    other = visit(address)
    assert other.locator('button.name[aria-expanded="true"]').inner_text() == "ewc"
    assert other.locator("#scenario").input_value() == B40_SLUG
    other.fill("#query", "dlfl")
    assert rows_of(other) == ["dlfl"]
    other.evaluate("(address) => { location.hash = ''; location.hash = address; }", address.partition("#")[2])
    other.wait_for_selector('tr[data-id*="/ewc/"]')
    assert in_view(other, 'tr[data-id*="/ewc/"]')


def test_the_chosen_scenario_survives_a_reload(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, "tiny.v1.scenes")
    page.reload()
    assert page.locator("#scenario").input_value() == "tiny.v1.scenes"


@pytest.mark.parametrize("hash_", ["#row=gone.v1/er/00000000", "#row=%E0%A4%A", "#row=<img src=x onerror=1>"])
def test_an_address_of_no_row_is_told_or_ignored(visit: Visit, page_file: Path, hash_: str):
    page = visit(page_file.as_uri() + hash_)
    assert len(rows_of(page)) == 8
    if "gone" in hash_:
        assert "There is no row gone.v1/er/00000000" in page.locator("#board-notes").inner_text()
