"""The page without a mouse, without sight, in the dark, on a phone, on paper, and with a thousand records."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from page_tools import B40_SLUG, Visit, audit, cells, go_to, header, rows_of

from clbench.records.record import Record
from clbench.report.page.document import write_page
from clbench.report.page.model import page_model

pytestmark = pytest.mark.slow

MOST_SMOOTH = 20
"""Times that a bare table of numbers takes; measured: 5."""


def test_the_whole_page_can_be_used_without_a_mouse(visit: Visit, page_file: Path):
    page = visit(page_file)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the leaderboard"
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('th')?.dataset.key") == "last_map":
            break
    page.keyboard.press("Enter")
    assert header(page, "last_map").get_attribute("aria-sort") == "descending"
    assert page.evaluate("document.activeElement.closest('th')?.dataset.key") == "last_map"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('name')"):
            break
    page.keyboard.press("Enter")
    assert page.locator(".behind").count() == 1
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_every_stop_of_the_tab_key_is_in_reading_order_in_sight_and_marked(
    visit: Visit, page_file: Path, width: int, scheme: str
):
    page = visit(page_file, width=width, color_scheme=scheme, reduced_motion="reduce")
    go_to(page, B40_SLUG)
    page.click('#board-table button.name:text-is("er")')
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # draws what waits to come near
    page.focus(".skip")
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    stops: list[dict[str, Any]] = []
    while (stop := audit(page, "stop()")) and (not stops or stop["place"] > 0):
        stops.append(stop)
        page.keyboard.press("Tab")
    assert len(stops) == audit(page, "stops()"), "each once, none left out"
    assert [stop["name"] for stop in stops if not stop["marked"]] == []
    assert [stop["name"] for stop in stops if not stop["in_sight"]] == []
    places = [stop["place"] for stop in stops]
    assert places == sorted(places), "the order of the page's parts"


def test_headings_and_landmarks_tell_the_parts_of_the_page(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    levels = page.locator("h1:visible, h2:visible, h3:visible, h4:visible").evaluate_all(
        "(n) => n.map((h) => +h.tagName[1])"
    )
    assert levels[0] == 1 and all(b - a <= 1 for a, b in pairwise(levels)), levels
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.locator("main, header, nav").count() == 3
    for name in ("board", "curves", "labels", "definitions"):
        assert page.get_by_role("region", name=page.inner_text(f"#{name}-title"), exact=True).count() == 1
    table = page.get_by_role("table", name="ranked by")
    assert table.count() == 1
    heads = len(cells(page, "rank"))
    assert page.locator('#board-table tbody th[scope="row"]').count() == heads
    assert table.get_by_role("columnheader").first.inner_text() == "Rank"


def test_everything_has_a_name_for_screen_readers(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    page.click('#board-table button.name:text-is("er")')
    assert audit(page, "names()") == []
    sortable = page.locator("#board-table th[aria-sort]")
    assert sortable.count() > 10
    assert page.locator('#board-table th[aria-sort]:not([aria-sort="none"])').count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(visit: Visit, page_file: Path, scheme: str):
    page = visit(page_file, color_scheme=scheme)
    go_to(page, B40_SLUG)
    page.click('#board-table button.name:text-is("er")')
    assert audit(page, "contrast(4.5)") == []


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_sticks_out_of_the_window(visit: Visit, page_file: Path, width: int):
    page = visit(page_file, width=width)
    for slug in (B40_SLUG, "coco_b0c10.v1", "tiny.v1.scenes"):
        go_to(page, slug)
        page.locator("#board-table button.name").first.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_theme_follows_the_system_until_the_reader_chooses(visit: Visit, page_file: Path):
    page = visit(page_file, color_scheme="dark")
    back = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(back)
    page.click("#theme")
    assert page.inner_text("#theme") == "Theme: light"
    light = page.evaluate(back)
    assert light != dark
    page.reload()
    assert page.evaluate(back) == light
    page.click("#theme")
    assert page.evaluate(back) == dark
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).color") == visit(page_file, color_scheme="light").evaluate(
        "getComputedStyle(document.body).color"
    )


def test_print_leaves_out_what_paper_cannot_do(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    page.emulate_media(media="print")
    assert page.locator("button.quiet:visible, nav:visible, #choose:visible").count() == 0
    assert page.locator("#board-table table").is_visible() and page.locator("#panels svg").first.is_visible()
    box = page.locator("#board-printed .scroll").evaluate("(node) => node.scrollHeight - node.clientHeight")
    assert box <= 1  # the whole table, not the part that scrolls
    # a button in a heading that is repeated on the next sheet is not painted there
    shown = page.locator("#board-table thead button").evaluate_all("(n) => n.map((b) => getComputedStyle(b).display)")
    assert set(shown) == {"contents"}


def test_a_thousand_records_stay_smooth(visit: Visit, thousand: list[Record], tmp_path: Path):
    trust = {record.content: "consistent" for record in thousand}
    page = visit(write_page(page_model(thousand, trust=trust), tmp_path / "big.html"))
    calls = {
        "sort": """'[data-key="last_map"] button', 'click'""",
        "filter": "'#query', 'input', 'method1'",
        "clear": "'#query', 'input', ''",
        "all": "'#legend .tools button:nth-child(2)', 'click'",
        "scenario": "'#scenario', 'change', 'nuswide_b0c9.v1'",
    }
    # against a bare table of as many rows with as many numbers; the best of three, for a busy machine
    plain = min(audit(page, "bareTable(50, 20)") for _ in range(3))
    spent = {what: min(audit(page, f"spent({call})") for _ in range(3)) for what, call in calls.items()}
    assert rows_of(page)[0] == "joint" and len(rows_of(page)) == 50
    ratios = {what: took / plain for what, took in spent.items()}
    assert max(ratios.values()) < MOST_SMOOTH, ratios


def test_a_page_without_records_says_so(visit: Visit, tmp_path: Path):
    page = visit(write_page(page_model([]), tmp_path / "empty.html"))
    assert "no finished runs yet" in page.locator("#board").inner_text()
