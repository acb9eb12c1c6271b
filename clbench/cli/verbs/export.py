"""`clbench export`."""

from __future__ import annotations

from pathlib import Path

import click

from clbench.cli import options
from clbench.cli.terminal import output


@click.command()
@click.argument("record", metavar="RECORD", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder to make.")
@click.option("--onnx/--no-onnx", default=True, help="Write the scores as an ONNX graph too.")
@click.option("--scenario", default="", metavar="FILE", help="The record's scenario, where its name does not find it.")
@click.option("--strategy", default="", metavar="FILE", help="The record's strategy, where its name does not find it.")
@click.option("--data", type=options.FOLDER, help="The data set's folder, for thresholds and for a comparison.")
def command(record: Path, *, out: Path, onnx: bool, scenario: str, strategy: str, data: Path | None) -> None:
    """Write a finished run's model for use elsewhere: safetensors, ONNX, a description and a card.

    RECORD is the record of a run that kept its weights. Thresholds are chosen on the scenario's validation split where
    it has one, never on test images. What is written is read back and compared with the scores beside the record.

    \b
    Examples:
      clbench run tiny --strategy dlfl --keep-weights
      clbench export results/tiny.v1/dlfl/0123abcd/seed0.json --out model
      clbench predict model photo.jpg
    """
    from clbench.export.export import export

    done = export(record, out, scenario=scenario, strategy_file=strategy, data=data, onnx=onnx)
    for remark in done.remarks:
        output.say(f"Note: {remark}.", indent="  ")
    for path in sorted(done.folder.iterdir()):
        click.echo(f"{path}  {path.stat().st_size / 1e3:,.1f} kB")
