"""Records say how a search chose their values, and those that no search chose are what they always were."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import record_factory as factory

from clbench.files.yaml_text import digest
from clbench.plan.identity import configuration_digest
from clbench.records.record import Record, parse_record, seal, to_plain, to_text, tuning_of
from clbench.records.rows import group_rows
from clbench.records.schema import TuningPart
from clbench.records.verify.consistency import check_record
from clbench.report.formats.grid import grid
from clbench.report.table.leaderboard import leaderboard

SPACE = {"train.lr": {"low": 1e-5, "high": 1e-2, "log": True}, "head": ["linear", "queries"]}
TUNING: dict[str, Any] = {
    "trials": 20,
    "failed": 1,
    "objective": "average_map",
    "value": 0.5,
    "sampler": "tpe",
    "sampler_seed": 0,
    "batch": 4,
    "space": SPACE,
    "space_digest": digest(SPACE),
    "seeds": [0],
    "sessions": 1,
    "validation": {"fraction": 0.1, "seed": 0},
}
PLAIN = factory.make_record(factory.METHODS[4], factory.TINY)


def tuned(seed: int = 0, **changes: Any) -> Record:
    """A sealed record whose values a search found."""
    told = TUNING | changes
    record = factory.make_record(factory.METHODS[4], factory.TINY, seed=seed)
    strategy = record.strategy
    right = configuration_digest(
        strategy.name, fields=strategy.fields, train=record.train, protocol=record.protocol, tuning=told
    )
    part = msgspec.convert(told, TuningPart)
    return seal(msgspec.structs.replace(record, tuning=part, configuration=right, content=""))


def test_a_record_without_a_search_has_no_trace_of_one() -> None:
    assert "tuning" not in to_plain(PLAIN) and b"tuning" not in to_text(PLAIN)
    assert tuning_of(PLAIN) is None


def test_the_configuration_digest_of_runs_without_a_search_is_what_it_was() -> None:
    # worked out by hand: sha256 of {"fields":{},"protocol":1,"strategy":"er","train":{}}
    right = "9c5995cdac3f1642236feadcd8628115104291078a0f5e46a0a698527ea5612e"
    assert configuration_digest("er", fields={}, train={}, protocol=1) == right
    assert configuration_digest("er", fields={}, train={}, protocol=1, tuning=None) == right


def test_a_tuned_record_survives_its_file() -> None:
    record = tuned()
    again = parse_record(to_text(record), source="here")
    assert again == record and tuning_of(again) == TUNING
    assert check_record(again) == []


def test_how_was_searched_makes_the_configuration_and_what_came_of_it_does_not() -> None:
    base = tuned().configuration
    assert base != PLAIN.configuration
    for change in ({"trials": 40}, {"seeds": [0, 1]}, {"objective": "last_map"}, {"sessions": 2}, {"batch": 1}):
        assert tuned(**change).configuration != base, change
    assert tuned(value=0.7, failed=3).configuration == base


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"space_digest": "0" * 64}, "tuning.space_digest"), ({"trials": 2, "failed": 2}, "tuning.failed")],
)
def test_a_tuning_that_contradicts_itself_is_found(changes: dict[str, Any], field: str) -> None:
    assert [finding.field for finding in check_record(tuned(**changes))] == [field]


def test_a_number_of_trials_that_was_changed_is_found() -> None:
    plain = to_plain(tuned())
    plain["tuning"]["trials"] = 2
    findings = check_record(msgspec.convert(plain, Record))
    assert [finding.field for finding in findings] == ["configuration"] and "tuning" in findings[0].problem


def test_seeds_of_searches_of_different_size_never_share_a_row() -> None:
    records = [PLAIN, tuned(seed=0), tuned(seed=1), tuned(seed=2, trials=40)]
    assert [row.seeds for row in group_rows(records)] == [(0,), (0, 1), (2,)]


def test_the_leaderboard_shows_the_trials_where_a_row_has_some() -> None:
    board = leaderboard([PLAIN, tuned(seed=0), tuned(seed=1, trials=40)])
    shown = grid(board, board.tables[0])
    column = [name for name, _ in shown.headings].index("Trials")
    assert sorted(row[column].text for row in shown.rows) == ["20", "40", "–"]
    without = leaderboard([PLAIN])
    assert "Trials" not in [name for name, _ in grid(without, without.tables[0]).headings]
