"""Two rows compared, trade-offs, heads and thresholds, and what is wrong with a record, in a real browser."""

from __future__ import annotations

import dataclasses
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_tools import B40_SLUG, PLACE, Visit, go_to, header, saved
from record_factory import B40, METHODS, TINY, in_order, make_record

from clbench.plan.catalog import find_scenario
from clbench.records.record import Record
from clbench.records.rows import group_rows
from clbench.records.rows_over_orders import over_orders
from clbench.records.verify.findings import Finding, Verification
from clbench.report.figures.curves import THRESHOLDS, Line
from clbench.report.page.document import write_page
from clbench.report.page.model import page_model
from clbench.report.table.chosen import printed_alone
from clbench.spec.scenario import load_scenario

pytestmark = pytest.mark.slow

JOINT, NAIVE, ER = METHODS[0], METHODS[1], METHODS[4]


def choose(page: Any, selector: str, name: str) -> None:
    value = page.locator(f"{selector} option", has_text=f"{name} ·").first.get_attribute("value")
    page.select_option(selector, value)


def part(page: Any, name: str) -> Any:
    """A part of the page, which is drawn when it comes near."""
    page.locator(f"#{name}").scroll_into_view_if_needed()
    page.locator(f"#{name} :is(figure, table)").first.wait_for()
    return page.locator(f"#{name}")


def number(page: Any, title: str) -> list[str]:
    row = page.locator(f'#compared table >> nth=0 >> tr:has(th:text-is("{title}")) td')
    return [" ".join(text.split()) for text in row.all_inner_texts()]


def test_means_over_class_orders_say_so_and_show_nothing_of_single_labels(visit: Visit, tmp_path: Path):
    made = [
        in_order(make_record(m, B40, seed=s), order) for m in (NAIVE, ER) for order in ("", "shuffle:1") for s in (0, 1)
    ]
    model = page_model(over_orders(group_rows(made)), trust={record.content: "consistent" for record in made})
    page = visit(write_page(model, tmp_path / "page.html"))
    assert page.locator("#labels").is_visible()
    go_to(page, model["tables"][1]["slug"])
    assert "Means over the class orders alphabetical, shuffle:1" in page.locator("#board-notes").inner_text()
    assert page.locator("#board-table thead").inner_text().count("First") == 1
    assert "2 of 2" in page.locator("#board-table tbody tr >> nth=0").inner_text()
    assert not page.locator("#labels").is_visible()
    part(page, "compare")
    assert "over the class orders that both have (alphabetical, shuffle:1)" in page.locator("#compared").inner_text()
    page.locator("#board-table .name >> nth=0").click()
    assert page.locator("#board-table .details th[scope=row]:text-is('shuffle:1')").count() == 1


def test_a_page_of_printed_numbers_alone_shows_them_and_nothing_empty(visit: Visit, tmp_path: Path):
    about = load_scenario(find_scenario("voc07_b10c2").path)
    page = visit(write_page(page_model([], printed=printed_alone(about)), tmp_path / "page.html"))
    assert "No record of it here" in page.locator("#board-table").inner_text()
    every = page.locator("#board-printed table tbody tr").count()
    for name in ("curves", "tradeoffs", "heads", "compare", "labels", "gallery"):
        assert not page.locator(f"#{name}").is_visible(), name
    assert page.locator("nav a:visible").all_inner_texts() == ["Leaderboard", "Definitions"]
    page.fill("#query", "krt")
    assert 0 < page.locator("#board-printed table tbody tr").count() < every


def test_the_difference_of_two_rows_is_taken_seed_by_seed(visit: Visit, page_file: Path, records: list[Record]):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    part(page, "compare")
    choose(page, "#compare-first", "naive")
    choose(page, "#compare-second", "er")
    here = [record for record in records if record.scenario.name == "coco_b40c10"]
    naive, er = (
        [100 * (record.summary["last_map"] or 0) for record in here if record.strategy.name == name]
        for name in ("naive", "er")
    )
    apart = [b - a for a, b in zip(naive, er, strict=True)]
    told = number(page, "Last mAP")
    assert told[2] == f"+{statistics.mean(apart):.1f} ± {statistics.stdev(apart):.1f}" and told[3] == "better"
    page.click("#compare-swap")
    assert number(page, "Last mAP")[2].startswith("-") and number(page, "Last mAP")[3] == "worse"
    assert page.locator("#compared figure").count() == 3
    labels = saved(page, '#compared button[aria-label*="labels"]')
    assert len(labels) == 80 and float(labels[0]["difference"]) >= float(labels[-1]["difference"])


def test_what_differs_between_two_rows_is_listed_and_nothing_else(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    part(page, "compare")
    choose(page, "#compare-first", "er")
    choose(page, "#compare-second", "derpp")
    table = page.locator('#compared [aria-label="What differs"] tbody tr')
    names = [row.split("\t")[1] for row in table.all_inner_texts()]
    assert "name" in names and "memory" not in names and "lr" not in names


def test_a_row_is_compared_from_its_details_and_a_row_with_itself_is_not(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    page.click('#board-table button.name:text-is("ewc")')
    page.click("text=Compare with another row")
    assert "ewc" in page.locator("#compare-second option:checked").inner_text()
    choose(page, "#compare-first", "ewc")
    assert "the same row" in page.locator("#compared").inner_text()


def test_trade_offs_have_a_point_for_every_row_that_is_shown(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    figures = part(page, "tradeoffs").locator("figure")
    assert figures.count() >= 3
    assert figures.nth(0).locator("g.line").count() == 7, "the bound forgets nothing"
    assert figures.last.locator("g.line").count() == 8 and figures.last.locator("g.open").count() == 1
    points = saved(page, '#tradeoff-panels figure >> nth=0 >> button:has-text("CSV")')
    assert {line["configuration"] for line in points} >= {"er", "naive"} and float(points[0]["x"]) > 1
    figures.nth(0).locator("svg").focus()
    page.keyboard.press("ArrowRight")
    assert "new labels" in figures.nth(0).locator(".chart-tip").inner_text()


def test_heads_and_thresholds_stand_on_the_page_where_there_are_some(visit: Visit, page_file: Path, tmp_path: Path):
    plain = visit(page_file)
    assert plain.locator("#thresholds").is_hidden() and plain.locator("#heads").is_hidden()
    made = [make_record(dataclasses.replace(ER, head=head), B40) for head in ("linear", "queries")]
    mean = np.linspace(0.2, 0.8, len(THRESHOLDS))
    lines = {"CP": [Line("er/linear", "er", 0, mean, mean * np.nan, 1)]}
    model = page_model(made, trust={r.content: "consistent" for r in made}, decided=lambda rows: lines)
    page = visit(write_page(model, tmp_path / "page.html"))
    assert part(page, "heads").locator("tbody tr").count() == 2
    assert part(page, "thresholds").locator("figure").count() == 1
    page.click("#thresholds summary")
    table = page.locator("#thresholds table")
    table.wait_for()
    assert table.locator("tbody td").all_inner_texts()[::18] == ["20.0", "80.0"]


def test_what_is_wrong_with_a_record_is_told_beside_it_and_of_files_that_cannot_be_shown(visit: Visit, tmp_path: Path):
    made = [make_record(method, B40) for method in (NAIVE, ER)]
    changed, cut = Finding("summary.last_map", "is 0.9, not 0.7"), Finding("", "ends in the middle")
    wrong = [
        Verification(tmp_path / "coco.v1/er/0123/seed0.json", "unverified", (changed,), made[1]),
        Verification(tmp_path / "coco.v1/lwf/0123/seed0.json", "unverified", (cut,)),
    ]
    trust = {made[0].content: "consistent", made[1].content: "unverified"}
    page = visit(write_page(page_model(made, trust=trust, wrong=wrong), tmp_path / "page.html"))
    page.click("#wrong-files summary")
    told = page.locator("#wrong-files").inner_text()
    assert "2 records are unverified" in told and "lwf/0123/seed0.json" in told and "cannot be shown" in told
    assert page.locator("#board-table td.bad").all_inner_texts() == ["unverified"]
    page.click('#board-table button.name:text-is("er")')
    assert "seed 0: summary.last_map is 0.9, not 0.7" in page.locator(".behind").inner_text()


def test_names_stay_in_sight_and_settings_never_break_inside_a_number(visit: Visit, page_file: Path, tmp_path: Path):
    page = visit(page_file, width=390)
    go_to(page, B40_SLUG)
    for box, name in (("#board-table", ".strategy .name"), ("#board-printed", "th.strategy")):
        scroll = page.locator(f"{box} .scroll")
        assert scroll.evaluate("(node) => node.scrollHeight - node.clientHeight") <= 1, "no box that scrolls down"
        scroll.evaluate("(node) => { node.scrollLeft = 400; }")
        assert page.locator(f"{box} tbody {name}").first.evaluate("(node) => node.getBoundingClientRect().left >= 0")
    made = make_record(dataclasses.replace(ER, fields=(("memory_of_many", 1234567890),)), B40)
    small = visit(write_page(page_model([made]), tmp_path / "page.html"), width=390)
    parts = small.locator(".settings", has_text="memory_of").evaluate(
        "(node) => [...node.childNodes].map((part) => part.textContent).filter(Boolean)"
    )
    assert parts == ["memory_", "of_", "many=1234567890"], "where a line may break"


def test_a_stream_that_begins_with_few_labels_is_ranked_by_its_end_until_the_reader_chooses(
    visit: Visit, tmp_path: Path
):
    made = [make_record(method, layout) for method in (NAIVE, ER) for layout in (TINY, B40)]
    trust = {record.content: "consistent" for record in made}
    page = visit(write_page(page_model(made, trust=trust), tmp_path / "page.html"))
    go_to(page, "tiny.v1.scenes")
    assert header(page, "last_map").get_attribute("aria-sort") == "descending"
    place = page.locator("#board-table thead th").evaluate_all(PLACE, "average_map") + 1
    assert page.locator(f"#board-table tbody tr > :nth-child({place}).best").count() == 0
    assert "begins with few labels" in page.locator("#board-notes").inner_text()
    go_to(page, B40_SLUG)
    assert header(page, "average_map").get_attribute("aria-sort") == "descending"
    header(page, "strategy").locator("button").click()
    go_to(page, "tiny.v1.scenes")
    assert header(page, "strategy").get_attribute("aria-sort") == "ascending"
