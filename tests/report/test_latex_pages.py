"""Tables in LaTeX keep to the page of an article of one column and of two, whatever stands in them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import record_factory as factory

from clbench.cli.group import invoke
from clbench.records.record import Record, write_record
from clbench.records.rows import group_rows
from clbench.records.store import record_path
from clbench.report.compare import table as compared
from clbench.report.formats.latex import NEEDS, latex
from clbench.report.formats.printed_numbers import latex as printed_latex
from clbench.report.table import across, choice, heads_compared, label_groups, labels, orders_compared
from clbench.report.table.leaderboard import leaderboard
from clbench.report.table.published import printed_of

LONG = (("memory", 1600), ("schedule", "cosine-with-warm-restarts"), ("temperature", 2.5))
METHODS = [*factory.METHODS, replace(factory.METHODS[4], head="queries", fields=LONG, learns=0.81)]


def made() -> list[Record]:
    return [
        factory.make_record(method, layout, seed=seed)
        for layout in (factory.B40, factory.B0)
        for method in METHODS
        for seed in range(3)
    ]


def tables() -> Iterator[str]:
    """One of each kind."""
    records = made()
    trust = {record.content: "consistent" for record in records}
    measured = {"error_images": {record.content: 0.0123 for record in records}}
    board = leaderboard(records, trust=trust, measured=measured)
    rows = [row for row in group_rows(records) if row.first.scenario.name == "coco_b40c10"]
    yield latex(board)
    yield across.latex(across.across(board, ["coco_b40c10", "coco_b0c10"]))
    yield choice.latex(board, board.tables[0])
    yield heads_compared.latex(heads_compared.head_tables(records, errors=measured["error_images"]))
    yield label_groups.latex(label_groups.group_rows(rows, {}), heading="coco_b40c10 v1")
    yield labels.latex(rows, heading="coco_b40c10 v1")
    found = compared.compare(rows, baseline="ewc", measure="last_map", folders=[], resampler=None)
    said = compared.notes(found, measure="last_map", images=None, resamples=1000)
    yield compared.latex(found, said, heading="coco_b40c10 v1")
    shuffled = [factory.in_order(record, order) for record in records[:12] for order in ("", "shuffle:1", "shuffle:2")]
    for table in orders_compared.orders_tables(group_rows(shuffled), measure="last_map"):
        yield orders_compared.latex(table, orders_compared.notes(table, measure="last_map"))
    yield from (printed_latex(printed_of(name), name) for name in ("krt", "coco_b0c10"))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
@pytest.mark.parametrize("options", ["", "twocolumn"])
def test_every_kind_compiles_and_none_is_wider_or_higher_than_the_page(tmp_path: Path, options: str) -> None:
    body = "\\clearpage\n".join(tables())
    (tmp_path / "x.tex").write_text(
        f"\\documentclass[{options}]{{article}}\\usepackage[utf8]{{inputenc}}\\usepackage{{booktabs,graphicx}}\n"
        f"\\begin{{document}}\n{body}\\end{{document}}\n",
        encoding="utf-8",
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "x.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "x.log").read_text(encoding="utf-8", errors="replace").splitlines()
    assert [line for line in log if "Overfull" in line or "too large" in line or "multiply defined" in line] == []


@pytest.mark.parametrize(
    "words",
    [
        ["compare", "coco_b40c10", "--baseline", "er"],
        ["choose", "coco_b40c10"],
        ["labels", "coco_b40c10"],
        ["published", "krt"],
    ],
)
def test_reports_are_typed_with_latex(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for method in METHODS[1:5]:
        record = factory.make_record(method)
        path = record_path(tmp_path, record)
        path.parent.mkdir(parents=True)
        write_record(record, path)
    where = [] if words[0] == "published" else ["--results", str(tmp_path), "--no-reference"]
    assert invoke(["report", *words, *where, "--format", "latex"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(NEEDS) and r"\begin{tabular}" in text and text.endswith("\\end{table*}\n")


def test_the_answers_of_which_one_are_markdown_and_csv_too() -> None:
    records = [factory.make_record(method) for method in METHODS[:6]]
    board = leaderboard(records, trust={record.content: "consistent" for record in records})
    text = choice.markdown(board, board.tables[0])
    assert text.count("\n| ") == 1 + 1 + 3 and "| photos may be kept | derpp linear" in text
    first = choice.csv_text([(board, board.tables[0])]).splitlines()[1].split(",")
    assert first[:5] == ["coco_b40c10 v1", board.tables[0].track, "photos may be kept", "derpp", "linear"]
