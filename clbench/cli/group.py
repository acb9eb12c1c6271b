"""The group of verbs: found as modules, imported when they are needed, with suggestions for misspelt ones."""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Sequence

import click

import clbench
from clbench.cli import verbs
from clbench.errors import suggest

PROGRAM = "clbench"
COMPLETE = "_CLBENCH_COMPLETE"
"""The variable in which the shell asks for completions."""
ORDER = (
    "run",
    "check",
    "report",
    "serve",
    "list",
    "show",
    "status",
    "export",
    "predict",
    "data",
    "weights",
    "new",
    "verify",
    "doctor",
    "completion",
)
"""Verbs in the order of the help page; others follow by name."""
EXIT_CODES = """\b
Exit codes:
  0  done
  1  a defect of clbench itself
  2  a name, option or value that cannot be meant
  3  data missing or damaged
  4  the results folder or a record
  5  a run failed
  6  a check or a verification failed
  130  interrupted"""


class Verbs(click.Group):
    """Finds a verb `x` in the module `clbench.cli.verbs.x`, whose `command` it is."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs' names in the order of the help page."""
        names = {module.name for module in pkgutil.iter_modules(verbs.__path__) if not module.name.startswith("_")}
        return [name for name in ORDER if name in names] + sorted(names - set(ORDER))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the verb's command, importing its module now."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"{verbs.__name__}.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each verb with the whole first line of its help; click itself would cut long ones."""
        rows = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, (verb.help or "").partition("\n")[0]) for name, verb in rows if verb])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb that `args` begin with; suggest the nearest when there is none."""
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            raise click.UsageError(f"No such verb '{args[0]}'.{suggest(args[0], self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Verbs,
    name=PROGRAM,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=EXIT_CODES,
)
@click.version_option(clbench.__version__, message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, envvar="CLBENCH_DEBUG", help="Show the traceback of an unexpected error.")
@click.pass_context
def command(ctx: click.Context, debug: bool) -> None:
    """The benchmark suite for continual multi-label learning.

    \b
    Examples:
      clbench list                                  what there is
      clbench run coco_b40c10                       every strategy of a scenario
      clbench run coco_b40c10 --strategy er,dlfl    two of them
      clbench report leaderboard coco_b40c10        the table
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def invoke(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code; errors pass through."""
    asked = os.environ.get(COMPLETE, "")
    if asked:
        from click.shell_completion import shell_complete

        return shell_complete(command, {}, PROGRAM, COMPLETE, asked)
    try:
        with command.make_context(PROGRAM, list(arguments)) as context:
            code = command.invoke(context)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    return code if isinstance(code, int) else 0
