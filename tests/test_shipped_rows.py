"""The rows that clbench ships are those of the strategy files beside them."""

from __future__ import annotations

from pathlib import Path

from clbench import PROTOCOL
from clbench.records.store import scan
from clbench.records.submission import why_not_shipped

ROOT = Path(__file__).parent.parent


def test_every_shipped_row_of_this_protocol_was_made_by_the_strategy_file_beside_it() -> None:
    stored, damaged = scan(ROOT / "results" / "reference")
    assert stored and not damaged
    current = [item for item in stored if item.record.protocol == PROTOCOL]
    apart = {str(item.path): why for item in current if (why := why_not_shipped(item.record, root=ROOT))}
    assert apart == {}, "run these rows again and submit them: CONTRIBUTING.md"


def test_a_row_of_an_older_protocol_is_no_longer_submitted() -> None:
    stored, _ = scan(ROOT / "results" / "reference")
    older = [why_not_shipped(item.record, root=ROOT) for item in stored if item.record.protocol == 1]
    assert older and set(older) == {f"it is of protocol 1, and this clbench measures by protocol {PROTOCOL}"}
