"""`clbench data`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from clbench.cli.data_import import import_
from clbench.cli.options import FOLDER
from clbench.cli.terminal import output
from clbench.errors import DataError, UsageError

SIGNS = {"ok": "ok ", "warning": "-- ", "error": "BAD"}


def _names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from clbench.data.datasets.registry import DATASETS

    return [CompletionItem(name, help=d.title) for name, d in DATASETS.items() if name.startswith(incomplete)]


@click.group()
def command() -> None:
    """Get data sets and check them.

    Data sets lie in the folder CLBENCH_DATA, one folder each, or in the cache.

    \b
    Examples:
      clbench data list
      clbench data get coco2014
      clbench data check coco2014
    """


command.add_command(import_)


@command.command("list")
def list_() -> None:
    """List the known data sets and where they lie.

    \b
    Example:
      clbench data list
    """
    from clbench.data.fetch.data_verbs import list_datasets

    rows = []
    for row in list_datasets():
        if row.place is not None:
            place = str(row.place)
        elif row.dataset.folders:
            place = f"clbench data get {row.name}" + ("" if row.automatic else "  (says what to do by hand)")
        else:
            place = "built in"
        rows.append([row.name, row.title, row.size, place])
    output.table(["data set", "", "size", "here, or the command that gets it"], rows)


@command.command("get")
@click.argument("name", shell_complete=_names)
@click.option(
    "--root", type=FOLDER, help="Put it into this folder. Default: its folder below CLBENCH_DATA or the cache."
)
@click.option("--mirror", "mirrors", multiple=True, metavar="FILE=URL", help="Fetch FILE from this address instead.")
@click.option("--keep-archives", is_flag=True, help="Keep archives that were fetched and unpacked.")
def get(name: str, root: Path | None, mirrors: tuple[str, ...], keep_archives: bool) -> None:
    """Fetch the official files of a data set and unpack them.

    What is there is not fetched again, and a broken download goes on. Where a form must be signed, it says so.

    \b
    Examples:
      clbench data get voc2007
      clbench data get coco2014 --root /big/disk/coco2014
    """
    from clbench.data.fetch import data_verbs as verbs

    with _progress() as progress:
        got = verbs.get(name, root=root, mirrors=_mirrors(mirrors), keep_archives=keep_archives, progress=progress)
    click.echo(f"{name}: {got.root}")
    for title, items in (
        ("fetched", got.fetched),
        ("there already", got.already),
        ("fetched, no checksum known", got.unchecked),
        ("left to do by hand", got.by_hand),
        ("how it must lie there", got.layout if got.by_hand else ()),
    ):
        for item in items:
            click.echo(f"  {title}: {item}")
    if got.next_step:
        click.echo(f"Next: {got.next_step}")


@command.command("check")
@click.argument("name", shell_complete=_names)
@click.option("--root", type=FOLDER, help="The data set's folder. Default: where it was found.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="A choice of the reader.")
@click.option("--no-decode", is_flag=True, help="Do not open every photo.")
def check(name: str, root: Path | None, options: tuple[str, ...], no_decode: bool) -> None:
    """Compare a data set on disk with what is known of it.

    NAME is a known data set or the path of a label table. The exit code is 3 when something is wrong.

    \b
    Examples:
      clbench data check coco2014
      clbench data check my_table.csv --root photos
    """
    from clbench.data.fetch import data_verbs as verbs

    with _progress() as progress:
        report = verbs.check(
            name, root=root, options=_pairs(options, "--option"), decode=not no_decode, progress=progress
        )
    click.echo(f"{name}: {report.root or 'built in'}")
    for finding in report.findings:
        items = f" ({', '.join(finding.items)})" if finding.items else ""
        click.echo(f"  {SIGNS[finding.level]}  {finding.text}{items}")
        if finding.hint:
            click.echo(f"       {finding.hint}")
    if not report.ok:
        raise DataError(f"{name} is not the data described.")


def _mirrors(texts: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {file: (url,) for file, url in _pairs(texts, "--mirror").items()}


def _pairs(texts: tuple[str, ...], option: str) -> dict[str, str]:
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"{option} {text}: expected {'FILE=URL' if option == '--mirror' else 'NAME=VALUE'}.")
        found[name] = value
    return found


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """Give a function that shows (what, done, total) on a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, TaskID

    tasks: dict[str, TaskID] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what)
            progress.update(tasks[what], completed=done, total=total or None)

        yield tell
