"""What the user sees of an error, and the exit code that scripts see."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clbench.errors import ClbenchError, RunError, not_allowed
from clbench.ranks import launched

if TYPE_CHECKING:
    from clbench.many.one import RunOutcome

INTERRUPTED = 130
BROKEN_PIPE = 141
UNEXPECTED = 1


def report(error: BaseException) -> int:
    """Print `error` for its reader and return the exit code of the process."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else UNEXPECTED
    if isinstance(error, BrokenPipeError):
        # the reader of the pipe has left; Python's own flush at exit would complain once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        if launched.number():
            return INTERRUPTED  # the first process of the run says it
        click.echo(f"\n{str(error) or 'Interrupted.'}", err=True)
        if str(error):  # a run says what it has saved
            click.echo(f"  clbench {shlex.join(sys.argv[1:])}", err=True)
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, PermissionError) and not debugging():
        error = not_allowed(error)
    if isinstance(error, ClbenchError):
        if not error.told:
            complain(str(error))
        return error.exit_code
    return _unexpected(error)


def complain(text: str) -> None:
    """Print an error message to stderr."""
    from clbench.cli.terminal.output import printable

    click.echo(f"{click.style('Error:', fg='red', bold=True)} {printable(text)}", err=True)


def of_runs(failed: Sequence[RunOutcome], count: int) -> ClbenchError:
    """Print what stopped runs, once for all that the same stopped, and return the error of the whole command.

    Each of `failed` has an error; `count` runs were asked for. What all were refused for is the error itself.
    """
    from clbench.many.run_scenario import kind_of_failure, why_failed

    reasons, kind = why_failed(failed), kind_of_failure(failed, count)
    if len(reasons) == 1 and kind is not RunError:
        return kind(reasons[0])
    for text in reasons:
        complain(text)
    might_help = any(isinstance(outcome.error, RunError) for outcome in failed)
    hint = "run it again" if might_help else "mend what is named above and run it again"
    return kind(f"{len(failed)} of {count} runs failed.", hint=f"What is finished is kept; {hint}.")


def debugging() -> bool:
    """Return whether the user asked for tracebacks, by `--debug` or the variable CLBENCH_DEBUG."""
    return "--debug" in sys.argv[1:] or os.environ.get("CLBENCH_DEBUG", "0") not in ("", "0", "false")


def _unexpected(error: BaseException) -> int:
    text = "".join(traceback.format_exception(error))
    complain(f"unexpected {type(error).__name__}: {str(error).partition(chr(10))[0]}")
    if debugging():
        click.echo(text, err=True)
    else:
        click.echo(f"  This is a defect of clbench, not of what you asked. The traceback is in {_save(text)}", err=True)
    return UNEXPECTED


def _save(text: str) -> Path:
    from clbench.files.user_folders import cache_folder

    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    for folder in (cache_folder() / "errors", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"clbench {' '.join(sys.argv[1:])}\n\n{text}", encoding="utf-8")
        except OSError:
            continue
        return folder / name
    return Path("nowhere: no folder could be written")
