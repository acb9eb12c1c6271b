"""What papers print can be asked for by scenario and by method, without any record."""

from __future__ import annotations

import csv
import io

import pytest

from clbench.errors import UsageError
from clbench.report.formats.printed_numbers import cells, csv_text, markdown, short
from clbench.report.table.published import all_printed, bibtex_of, methods, printed_of


def test_a_method_is_found_in_any_case_of_letters_and_over_all_scenarios() -> None:
    rows = printed_of("krt")
    assert {row.method for row in rows} == {"KRT"}
    assert {"coco_b0c10", "coco_b40c10", "voc07_b0c4"} <= {row.scenario for row in rows}


def test_a_scenario_is_found_by_its_file_too() -> None:
    assert printed_of("scenarios/coco_b40c10.yaml") == printed_of("coco_b40c10")


def test_a_name_of_neither_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'krtt'\. Did you mean 'KRT'"):
        printed_of("krtt")


def test_csv_holds_every_field_of_every_row() -> None:
    read = list(csv.DictReader(io.StringIO(csv_text(all_printed()))))
    assert len(read) == len(all_printed())
    assert [row["last_map"] for row in read] == [row.last_map for row in all_printed()]


def test_a_terminal_shows_what_differs_and_the_numbers() -> None:
    titles, told = cells(printed_of("coco_b40c10"), short(printed_of("coco_b40c10")))
    assert titles[0] == "Method"
    assert "Scenario" not in titles
    assert ["KRT", "none", "77.8", "74.0", "64.4", "63.4", "KBK (arXiv 2608.30316), Table 1"] in told


def test_markdown_warns_before_the_numbers() -> None:
    assert markdown(printed_of("krt")).startswith("> Copied from print, not run here")


def test_every_source_has_one_entry_with_what_is_known_of_it() -> None:
    text = bibtex_of(printed_of("krt"))
    assert text.count("@misc{arxiv_2608_30316,") == 1
    assert "eprint = {2608.30316}" in text
    assert "year = {2026}" in text
    assert text.count("{") == text.count("}")


def test_methods_are_listed_once_each() -> None:
    assert len(methods()) == len(set(methods())) == len({row.method for row in all_printed()})
