"""`clbench explain`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clbench.cli import options
from clbench.errors import UsageError

if TYPE_CHECKING:
    from clbench.explain.explain import Explanation

KINDS = (".png", ".pdf", ".svg")


@click.command()
@click.argument("record", metavar="RECORD", type=click.Path(path_type=Path))
@click.option("--label", required=True, help="The label's name.")
@click.option("--image", default="", help="The image's id. Default: the first test image that shows the label.")
@click.option("--photo", type=click.Path(path_type=Path), help="A photo file instead; no data set is needed.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The picture to write (.png, .pdf, .svg).")
@click.option("--json", "as_json", is_flag=True, help="Print the maps as JSON and draw nothing.")
@click.option("--scenario", default="", metavar="FILE", help="The record's scenario, where its name does not find it.")
@click.option("--strategy", default="", metavar="FILE", help="The record's strategy, where its name does not find it.")
@click.option("--data", type=options.FOLDER, help="The data set's folder.")
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda or cuda:N.")
def command(
    record: Path,
    *,
    label: str,
    image: str,
    photo: Path | None,
    out: Path | None,
    as_json: bool,
    scenario: str,
    strategy: str,
    data: Path | None,
    device: str,
) -> None:
    """Draw where a label looked on a picture, after the session that taught it and after each later one.

    RECORD is the record of a run that kept its weights. A head with a feature per label shows its attention, one with a
    shared feature where the label's classifier responds.

    \b
    Examples:
      clbench run tiny --strategy dlfl --keep-weights
      clbench explain results/tiny.v1/dlfl/0123abcd/seed0.json --label person
      clbench explain results/tiny.v1/dlfl/0123abcd/seed0.json --label person --image test-00003 --out person.png
      clbench explain results/tiny.v1/dlfl/0123abcd/seed0.json --label person --photo street.jpg
    """
    from clbench.explain.explain import explain

    if out is not None and out.suffix not in KINDS:
        raise UsageError(f"--out {out}: ends in none of {', '.join(KINDS)}.")
    found = explain(
        record,
        label=label,
        image=image,
        photo=photo,
        scenario=scenario,
        strategy_file=strategy,
        data=data,
        device=device,
    )
    if as_json:
        click.echo(json.dumps(found.to_plain(), ensure_ascii=False))
        return
    path = out or record.with_suffix("") / f"explain-{_word(label)}-{_word(found.image)}.png"
    _draw(found, path)
    for look in found.looks:
        click.echo(f"after session {look.session + 1}: {100 * look.score:.1f} %")
    click.echo(path)


def _draw(found: Explanation, path: Path) -> None:
    from clbench.explain.overlay import draw_looks
    from clbench.report.figures.style import save

    said = {1: "shown", 0: "not shown", -1: "not known"}[found.truth]
    figure = draw_looks(
        found.picture,
        [look.map for look in found.looks],
        titles=[f"session {look.session + 1}: {100 * look.score:.0f} %" for look in found.looks],
        note=f"{found.run} · {found.label} ({said}) on {found.image} · {found.kind} and probability after each session",
    )
    save(figure, path.with_suffix(""), formats=[path.suffix[1:]])


def _word(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-") or "x"
