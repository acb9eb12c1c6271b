"""The command line: `main` runs it; every verb is one module of `clbench.cli.verbs`."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line with `arguments` (default: those of the process) and leave with its exit code."""
    from clbench.cli import failures
    from clbench.cli.group import invoke

    # at its end Python would look through all that torch imported, which takes longer than many a command
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        # an odd terminal encoding must not turn a result into a traceback
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = invoke(sys.argv[1:] if arguments is None else list(arguments))
        sys.stdout.flush()
    except BaseException as error:
        code = failures.report(error)
    sys.exit(code)
