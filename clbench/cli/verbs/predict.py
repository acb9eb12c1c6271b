"""`clbench predict`."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clbench.cli.terminal import output

if TYPE_CHECKING:
    from clbench.export.model import Model, Scores


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="What to print.",
)
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda or cuda:N.")
def command(folder: Path, photos: tuple[Path, ...], *, form: str, device: str) -> None:
    """Say which labels photos show, by a model that `clbench export` wrote.

    PHOTOS are files, or folders of photos. No data set is needed. CSV and JSON have the probability of every label; a
    label is present where it reaches its threshold.

    \b
    Examples:
      clbench predict model photo.jpg
      clbench predict model photos/ --format csv
      clbench predict model *.jpg --format json
    """
    from clbench.export.model import load
    from clbench.export.photos import named_photos
    from clbench.train.environment import pick_device

    files = named_photos(photos)
    model = load(folder).to(str(pick_device(device)))
    scores = model.scores(files)
    if form == "json":
        click.echo(json.dumps(_plain(model, files, scores), ensure_ascii=False, indent=2))
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["photo", "labels", *model.labels])
        for file, row in zip(files, scores, strict=True):
            writer.writerow([file, ";".join(model.present(row)), *(f"{score:.6f}" for score in row)])
    else:
        output.table(
            ["photo", "labels"],
            [[str(file), _told(model.present(row))] for file, row in zip(files, scores, strict=True)],
        )


def _plain(model: Model, files: list[Path], scores: Scores) -> list[dict[str, object]]:
    return [
        {
            "photo": str(file),
            "labels": list(model.present(row)),
            "scores": {label: round(float(score), 6) for label, score in zip(model.labels, row, strict=True)},
        }
        for file, row in zip(files, scores, strict=True)
    ]


def _told(present: dict[str, float]) -> str:
    return ", ".join(f"{label} {100 * score:.0f} %" for label, score in present.items()) or "none of its labels"
