"""Figures in a real browser: lines on request, values under pointer and keys, label by label, as CSV."""

from __future__ import annotations

from pathlib import Path

import page_records
import pytest
from page_tools import B40_SLUG, Visit, go_to, rows_of, saved, spoken
from PIL import Image
from record_factory import METHODS, TINY, make_record

from clbench.records.record import Record
from clbench.report.page.document import write_page
from clbench.report.page.gallery import galleries
from clbench.report.page.model import page_model

pytestmark = pytest.mark.slow


def test_the_legend_shows_and_hides_lines_in_every_figure(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    figures = page.locator("#panels figure, #one-label figure")
    assert figures.count() == 4
    assert [figure.locator("g.line").count() for figure in figures.all()] == [8, 8, 7, 8]
    page.click('#legend button[data-toggle*="/er/"]')
    assert page.locator('#legend button[data-toggle*="/er/"]').get_attribute("aria-pressed") == "false"
    assert [figure.locator("g.line").count() for figure in figures.all()] == [7, 7, 6, 7]
    page.click("#legend >> text=None")
    assert page.locator("#panels g.line, #one-label g.line").count() == 0
    assert "No strategy is shown" in page.locator("#panels").inner_text()
    page.click("#legend >> text=All")
    assert [figure.locator("g.line").count() for figure in figures.all()] == [8, 8, 7, 8]


def test_a_point_under_the_pointer_says_its_value(visit: Visit, page_file: Path, records: list[Record]):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    group = page.locator('#panels figure >> nth=1 >> g.line[data-line*="/naive/"]')
    group.scroll_into_view_if_needed()
    box = group.locator(".marker").last.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = page.locator("#panels figure >> nth=1 >> .chart-tip").inner_text()
    maps = [
        r.summary["last_map_fixed"] for r in records if r.strategy.name == "naive" and r.scenario.name == "coco_b40c10"
    ]
    assert tip.startswith("naive")
    assert f"{100 * sum(maps) / len(maps):.2f} ±" in tip
    assert "3 seeds" in tip and "after session 5, 80 labels" in tip
    page.mouse.move(2, 2)
    assert page.locator(".chart-tip:visible").count() == 0


def test_bands_are_one_standard_deviation_wide(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    assert page.locator("#panels figure >> nth=0 >> .band").count() == 7  # the bound is one value, so it has no band
    go_to(page, "tiny.v1.scenes")
    heights = page.locator("#panels figure >> nth=0 >> .band").evaluate("(node) => node.getBBox().height")
    assert heights > 0


def test_arrow_keys_walk_along_and_across_lines_and_are_spoken(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    page.locator("#panels svg[tabindex] >> nth=0").focus()
    page.keyboard.press("ArrowRight")
    first = spoken(page, after="")
    assert "after session" in first
    page.keyboard.press("ArrowRight")
    second = spoken(page, after=first)
    assert first.split(",")[0] == second.split(",")[0]
    page.keyboard.press("ArrowDown")
    assert spoken(page, after=second).split(",")[0] != second.split(",")[0]


def test_the_numbers_of_a_figure_are_there_as_a_table(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    page.click("#panels figure >> nth=0 >> summary")
    table = page.locator("#panels figure >> nth=0 >> table")
    table.wait_for()  # it is made when the browser says that it was opened, which comes a little later
    assert table.locator("tbody tr").count() == 8
    assert table.locator("thead th").all_inner_texts() == ["After session", "1", "2", "3", "4", "5"]


def test_every_figure_and_table_leaves_as_csv(visit: Visit, page_file: Path, records: list[Record]):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    board = saved(page, "#board-tools >> text=CSV")
    assert [line["strategy"] for line in board] == rows_of(page)
    assert 0.7 < float(board[1]["average_map"]) < 0.9 and float(board[1]["average_map_std"]) > 0
    curves = saved(page, '#panels figure >> nth=0 >> button:has-text("CSV")')
    assert len(curves) == 7 * 5 + 1
    assert {line["labels_seen"] for line in curves if line["configuration"] == "er"} == {"40", "50", "60", "70", "80"}
    heat = saved(page, '#heat button:has-text("CSV")')
    assert len(heat) == 80 and heat[79]["after_4"] == "" and 0 < float(heat[79]["after_5"]) < 1
    label = saved(page, '#one-label button:has-text("CSV")')
    assert {line["configuration"] for line in label} >= {"er", "dlfl"}
    assert len(saved(page, '#board-printed button:has-text("CSV")')) > 10


def test_the_map_shows_the_ap_of_every_label_by_session(visit: Visit, page_file: Path, records: list[Record]):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    chosen = page.locator("#heat-row option", has_text="naive").get_attribute("value")
    page.select_option("#heat-row", chosen)
    tables = page.locator("#heat table")
    assert [text.split(" ")[3] for text in tables.locator("caption").all_inner_texts()] == ["1", "2", "3", "4", "5"]
    found = [r for r in records if r.strategy.name == "naive" and r.scenario.name == "coco_b40c10"]
    mean = [sum(r.ap.fixed[s][0] for r in found) / len(found) for s in range(5)]
    first = tables.first.locator("tbody tr").first.locator("td").all_inner_texts()
    assert [abs(int(text) - 100 * value) <= 0.51 for text, value in zip(first, mean, strict=True)] == [True] * 5
    last = tables.last.locator("tbody tr").first.locator("td")
    assert [cell.get_attribute("class") for cell in last.all()][:4] == ["unseen"] * 4
    page.check('input[name="test-set"][value="growing"]')
    assert "growing test set" in page.locator("#heat").inner_text()


def test_a_label_is_found_by_typing_and_by_pressing_it_in_the_map(visit: Visit, page_file: Path):
    page = visit(page_file)
    go_to(page, B40_SLUG)
    page.fill("#label", "zeb")
    page.keyboard.press("Enter")
    assert "zebra" in page.locator("#one-label figcaption").inner_text()
    assert "learned in session 5" in page.locator("#one-label figcaption").inner_text()
    page.click('#heat button:text-is("banana")')
    assert "banana" in page.locator("#one-label figcaption").inner_text()
    assert page.locator("#label").input_value() == "banana"
    page.click("#label-controls >> text=Next")
    assert "baseball bat" in page.locator("#one-label figcaption").inner_text()
    page.fill("#label", "no such label")
    page.keyboard.press("Enter")
    assert "baseball bat" in page.locator("#one-label figcaption").inner_text()


def test_pictures_of_where_labels_looked_keep_their_sizes_and_fit_a_phone(visit: Visit, tmp_path: Path):
    record = make_record(METHODS[7], TINY)
    work = next(page_records.write_folder(tmp_path, [record]).rglob("seed0.json")).with_suffix("")
    work.mkdir()
    for name, width in (("explain-car-test-1.png", 1400), ("explain-cup-test-2.png", 780)):
        Image.new("RGB", (width, 500), "red").save(work / name, dpi=(300, 300))
    found = galleries([record], [tmp_path])
    file = write_page(page_model([record], galleries=found), tmp_path / "report.html")
    wide = visit(file)
    assert wide.locator("#gallery").is_visible() and wide.locator("#to-gallery").is_visible()
    images = wide.locator("#pictures img")
    assert [round(images.nth(i).bounding_box()["width"]) for i in (0, 1)] == [448, 250]
    assert wide.locator("#pictures figcaption").all_inner_texts() == ["car-test-1 seed 0", "cup-test-2 seed 0"]
    narrow = visit(file, width=360)
    assert narrow.locator("#pictures img").first.bounding_box()["width"] < 360
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 360
