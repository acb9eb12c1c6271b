"""`clbench data import`."""

from __future__ import annotations

from pathlib import Path

import click

from clbench.cli.options import FOLDER
from clbench.errors import UsageError

MANY = 8
MOST_LABELS = 40


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--to", type=FOLDER, required=True, help="Write the table into this folder.")
@click.option("--form", default="", help="The export's form, where it could be several. Default: found by itself.")
@click.option("--photos", type=FOLDER, help="The folder of the photos. Default: that of the export.")
@click.option("--split", type=float, help="Put this share into test, stratified over the labels, for example 0.2.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="With --split: which split.")
@click.option(
    "--group", default="", metavar="COLUMN", help="With --split: keep photos together. path:REGEX looks in the path."
)
@click.option(
    "--val",
    type=click.Choice(["train", "test", "drop"]),
    default=None,
    help="Where val photos go. Default: into train where there is a test split, else into test.",
)
@click.option(
    "--missing",
    type=click.Choice(["refuse", "drop"]),
    default="refuse",
    show_default=True,
    help="What to do when a photo is absent.",
)
@click.option("--copy", is_flag=True, help="Copy photos that lie elsewhere. Default: a link to their folder.")
@click.option("--replace", is_flag=True, help="Replace a table that is there.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="A choice of the form.")
def import_(
    source: Path,
    to: Path,
    form: str,
    photos: Path | None,
    split: float | None,
    seed: int,
    group: str,
    val: str | None,
    missing: str,
    copy: bool,
    replace: bool,
    options: tuple[str, ...],
) -> None:
    """Make a label table of what another tool exported.

    SOURCE is a file or folder: COCO or Datumaro JSON, Roboflow, CheXpert, CelebA, Open Images, Label Studio, CVAT,
    labelme, VOC, YOLO, a folder per label, Hugging Face, ARFF, libsvm. What was dropped, merged or unknown is said and
    written into import-report.md.

    \b
    Examples:
      clbench data import export.json --to photos --split 0.2
      clbench data import roboflow_export --to roboflow_export
      clbench data import CheXpert/train.csv --to chexpert --split 0.2 --group 'path:(patient[0-9]+)'
    """
    from clbench.data.importers.import_export import Wish, import_export

    pairs = {}
    for text in options:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"--option {text}: expected NAME=VALUE.")
        pairs[name] = value
    wish = Wish(
        form=form,
        photos=photos,
        split=split,
        seed=seed,
        group=group,
        val=val or "",
        missing=missing,
        copy=copy,
        replace=replace,
        options=pairs,
    )
    done = import_export(source, to=to, wish=wish)
    table, labels = done.table, done.table.labels
    train, test = (table.splits.count(split) for split in ("train", "test"))
    click.echo(f"{done.file}: {train:,} train and {test:,} test photos, form {done.form}")
    shown = ", ".join(labels[:MOST_LABELS]) + (f", … ({len(labels):,} in all)" if len(labels) > MOST_LABELS else "")
    click.echo(f"  labels: {shown}")
    click.echo(f"  known: {int((table.y != -1).sum()):,} of {table.y.size:,} entries")
    for note in done.notes[:MANY]:
        click.echo(f"  {note}")
    if len(done.notes) > MANY:
        click.echo(f"  and {len(done.notes) - MANY} more notes, in the report")
    if done.left_out:
        names = ", ".join(done.left_out[:3]) + (", …" if len(done.left_out) > 3 else "")
        click.echo(f"  {len(done.left_out):,} photos in the folder are not named by the export: {names}")
    click.echo(f"  report: {done.report}")
    if done.features:
        click.echo(f"  features, row by row: {done.features}")
        click.echo(f"Next: a scenario with dataset: {done.file.parent} and options: {{features: {done.features.name}}}")
    else:
        click.echo(f"Next: clbench data check {done.file}")
