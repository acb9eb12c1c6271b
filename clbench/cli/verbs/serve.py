"""`clbench serve`."""

from __future__ import annotations

from pathlib import Path

import click

from clbench.cli import options


@click.command()
@options.results
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes any that is free."
)
def command(results: Path, port: int) -> None:
    """Show results in a browser while runs are in progress.

    The page of `clbench report html`, for this machine alone, with the runs that have no record yet; it follows what
    changes in the results folder. Ctrl-C ends it.

    \b
    Examples:
      clbench serve
      clbench serve --results /big/disk/results --port 9000
    """
    from clbench.report.page.serve import Server

    with Server(results, port=port) as server:
        click.echo(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
