"""What figures and the page need beside records: decisions over the threshold, galleries, the page itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from clbench.cli import options

if TYPE_CHECKING:
    from clbench.records.collection import Collection
    from clbench.report.formats.write import Decided
    from clbench.report.table.model import Leaderboard

FIGURES = ("pdf", "svg", "png")

labels = click.option("--data", type=options.FOLDER, help="The data set's folder, for CP and CR over the threshold.")


def decided(results: tuple[Path, ...], *, data: Path | None) -> Decided:
    """Return what finds CP and CR over the threshold for rows, where their score files and labels are here."""
    from clbench.records.collection import folders
    from clbench.report.figures.from_scores import over_thresholds

    places = folders(results)
    return lambda rows: over_thresholds(rows, folders=places, data=data)


def page(
    collection: Collection,
    results: tuple[Path, ...],
    *,
    out: Path,
    published: bool,
    data: Path | None,
    printed: Leaderboard | None = None,
) -> Path:
    """Write the page of a collection to `out`, a file, and return it."""
    from clbench.plan.provenance import provenance_by_digest
    from clbench.records.collection import folders
    from clbench.records.rows_over_orders import over_orders
    from clbench.report.compare.measured import numbers_besides
    from clbench.report.page.document import write_page
    from clbench.report.page.gallery import galleries
    from clbench.report.page.model import page_model

    pictures = galleries(collection.own, folders(results))
    model = page_model(
        over_orders(collection.rows),
        trust=collection.trust,
        galleries=pictures,
        methods=provenance_by_digest(),
        published=published,
        wrong=collection.wrong,
        decided=decided(results, data=data),
        measured=numbers_besides(collection, folders=folders(results), data=data),
        printed=printed,
    )
    return write_page(model, out)
