"""The rows that clbench ships are those of the strategy files beside them."""

from __future__ import annotations

from pathlib import Path

from clbench.records.store import scan
from clbench.records.submission import why_not_shipped

ROOT = Path(__file__).parent.parent


def test_every_shipped_row_was_made_by_the_strategy_file_beside_it() -> None:
    stored, damaged = scan(ROOT / "results" / "reference")
    assert stored and not damaged
    apart = {str(item.path): why for item in stored if (why := why_not_shipped(item.record, root=ROOT))}
    assert apart == {}, "run these rows again and submit them: CONTRIBUTING.md"
