"""Everything that the page shows, as plain JSON values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

import clbench
from clbench.metrics.names import NAMES
from clbench.metrics.thresholds import EACH, ONE
from clbench.records.record import Record
from clbench.records.rows import MARKS, Row, is_static
from clbench.records.verify.findings import Verification
from clbench.report.figures.curves import THRESHOLDS, Line
from clbench.report.formats.grid import printed_grid
from clbench.report.page.rows import all_columns, page_rows
from clbench.report.page.shared_values import Pool
from clbench.report.table.above_bound import above_bound
from clbench.report.table.choice import choices, others
from clbench.report.table.columns import ERROR, RULES, Column, Measured
from clbench.report.table.heads_compared import HeadTable, grid_of, head_tables
from clbench.report.table.leaderboard import leaderboard, sections
from clbench.report.table.model import Leaderboard, Table
from clbench.report.table.published import CAUTION

Galleries = dict[str, list[dict[str, Any]]]
Methods = Mapping[str, Mapping[str, str]]
Decided = Callable[[Sequence[Row]], dict[str, list[Line]]]


def page_model(
    records: Sequence[Record | Row],
    *,
    trust: Mapping[str, str] | None = None,
    galleries: Galleries | None = None,
    methods: Methods | None = None,
    published: bool = True,
    wrong: Sequence[Verification] = (),
    decided: Decided | None = None,
    measured: Measured | None = None,
    printed: Leaderboard | None = None,
) -> dict[str, Any]:
    """Return the values behind the page of `records`: tables, columns with their definitions, pooled long values.

    Fractions have six decimals, AP matrices are whole numbers of 1/10,000. `trust` is as in `tables.leaderboard`;
    `galleries` maps a record's content digest to pictures, as `gallery.galleries` finds them, `methods` the sha256 of a
    strategy's file to what it says of its source. `wrong` are the files in which verification found something,
    `decided` gives the lines over the threshold of comparable rows, `measured` is as in `tables.leaderboard`. `printed`
    has the numbers from papers of a scenario without records. The same records give the same values, whenever they are
    asked.
    """
    board = printed or leaderboard(records, trust=trust or {}, published=published, measured=measured)
    every = [record for item in records for record in (item.records if isinstance(item, Row) else (item,))]
    pool = Pool()
    heads = head_tables(records, trust=trust, errors=(measured or {}).get(ERROR.key))
    compared = [rows for rows, _ in sections(records)]
    rules = _rules(every)
    known = all_columns(measured or (), rules=rules)
    found_wrong = _by_content(wrong)
    tables = []
    for table, rows in zip(board.tables, compared or [[] for _ in board.tables], strict=True):
        shown = page_rows(
            table,
            rows,
            known=known,
            pool=pool,
            galleries=galleries or {},
            methods=methods or {},
            found_wrong=found_wrong,
            decided=decided(rows) if decided else {},
        )
        for line, row in zip(table.rows, shown, strict=True):
            row["printed"] = board.beside(line, table)
        here = {row.first.content for row in rows}
        own = next((one for one in heads if all(row.row.first.content in here for row in one.rows)), None)
        tables.append(
            _table(table, rows, pool=pool)
            | {
                "sort": board.ranked_by(table),
                "said": list(filter(None, [above_bound(board, table), table.of_clocks])),
                "heads": _heads(own),
                "rows": shown,
            }
        )
    return {
        "clbench": clbench.__version__,
        "records": len(every),
        "newest": max((record.times.finished for record in every), default=""),
        "rule": board.rule,
        "rules": rules,
        "columns": [_column(key, column) for key, column in known.items()],
        "definitions": _definitions(),
        "marks": _marks(board),
        "caution": CAUTION,
        "wrong": [_told(found) for found in wrong],
        "thresholds": list(THRESHOLDS),
        "tables": tables,
        "pool": pool.values,
    }


def _rules(records: Sequence[Record]) -> dict[str, str]:
    """Return the decision rules that the page offers: those that validation images choose where any record has them."""
    tuned = any(EACH in record.counts for record in records)
    return {rule: told for rule, told in RULES.items() if tuned or rule not in (EACH, ONE)}


def _by_content(wrong: Sequence[Verification]) -> dict[str, list[str]]:
    """Return what verification found, by the content digest that a record names."""
    found: dict[str, list[str]] = {}
    for outcome in wrong:
        if outcome.record is not None:
            found.setdefault(outcome.record.content, []).extend(map(str, outcome.findings))
    return found


def _told(outcome: Verification) -> dict[str, Any]:
    """Return where a file lies below its results folder, and what is wrong with it."""
    place = "" if outcome.path is None else "/".join(outcome.path.parts[-4:])
    return {"file": place, "findings": list(map(str, outcome.findings)), "shown": outcome.record is not None}


def _heads(compared: HeadTable | None) -> dict[str, Any] | None:
    """Return the comparison of methods that ran with several heads, as texts; a method's best head comes first."""
    if compared is None:
        return None
    shown = grid_of(compared)
    return {"headings": shown.titles, "rows": shown.texts}


def _table(table: Table, rows: Sequence[Row], *, pool: Pool) -> dict[str, Any]:
    printed = printed_grid(table)
    return _stream(rows, pool=pool) | {
        "slug": table.slug,
        "scenario": table.scenario,
        "heading": table.heading,
        "title": table.title,
        "track": table.track,
        "apart": table.apart,
        "dataset": table.dataset,
        "standIn": table.stand_in,
        "protocol": table.protocol,
        "digest": table.digest,
        "orders": list(table.orders or []),
        "choices": [{"need": one.need, "row": one.row, "alike": others(table, one)} for one in choices(table)],
        "printed": {
            "headings": [name for name, _ in printed.headings],
            "rows": [[field.text for field in line] for line in printed.rows],
        }
        if table.printed
        else None,
    }


def _stream(rows: Sequence[Row], *, pool: Pool) -> dict[str, Any]:
    """Return what the rows of a table were shown, of the first class order where there are several."""
    # the stream is the same for every row but those that saw it as one session
    record = next((row.first for row in rows if not is_static(row.first)), rows[0].first if rows else None)
    if record is None:
        return {"data": {}, "stream": {}, "sessions": [], "labels": pool.place({"names": [], "learned": []})}
    about = record.scenario
    return {
        "data": msgspec.to_builtins(about.data),
        "stream": msgspec.to_builtins(about.stream),
        "sessions": [
            {"labels": len(session.labels), "train": session.train_images, "test": session.test_images}
            for session in about.sessions
        ],
        "labels": pool.place({"names": record.labels, "learned": record.learned}),
        "positives": _positives(record),
    }


def _positives(record: Record) -> list[int | None]:
    """Return, per label, how many images of the last growing test set show it."""
    counts = record.counts.get("0.5")
    if counts is None:
        return [None] * len(record.labels)
    last = zip(counts.tp[-1], counts.fn[-1], strict=True)
    return [None if tp is None or fn is None else tp + fn for tp, fn in last]


def _column(key: str, column: Column) -> dict[str, Any]:
    base, _, rule = key.partition("@")
    return {
        "key": key,
        "base": base,
        "rule": rule,
        "title": column.title,
        "unit": column.unit,
        "higher": column.higher_is_better,
        "competes": column.competes,
    }


def _definitions() -> dict[str, dict[str, Any]]:
    """Return the definition of every column and of the metrics that those are made of."""
    told = {
        name: {"title": metric.title, "formula": metric.formula, "doc": metric.doc, "version": metric.version}
        for name, metric in NAMES.items()
    }
    costs = {
        "stored_images": ("Stored", "Most images kept for rehearsal after any session."),
        "stored_bytes": (
            "Memory",
            "Most bytes kept for rehearsal after any session.",
        ),
        "state_bytes": (
            "State",
            "Most bytes kept over a session's end beside network and stored images: statistics, teachers, graphs.",
        ),
        "score_cost": (
            "Passes",
            "Passes through the backbone for the scores of one test image, after the last session.",
        ),
        "parameters": ("Params", "Parameters of the model after the last session."),
        "train_seconds": ("Train time", "Seconds of training over all sessions, on the machine that ran it."),
    }
    costs["trials"] = ("Trials", "Configurations that a search tried on validation images before it chose this one.")
    return told | {key: {"title": title, "formula": "", "doc": doc} for key, (title, doc) in costs.items()}


def _marks(board: Leaderboard) -> dict[str, str]:
    return MARKS | {mark: meaning for table in board.tables for mark, meaning in table.marks().items()}
