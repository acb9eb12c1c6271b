"""One family of errors whose messages say what to do next."""

from __future__ import annotations

from collections.abc import Iterable


class ClbenchError(Exception):
    """Something the user can mend; printed without a traceback by the command line.

    `hint` is the next step (a command, a value to write). `exit_code` is what the process returns.
    """

    exit_code = 1
    told = False
    """Whether another of the processes that share a run says it already."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # worker processes send errors home; the constructor cannot be called with what `args` holds
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[ClbenchError], args: tuple[object, ...], state: dict[str, object]) -> ClbenchError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class UsageError(ClbenchError):
    """A name, option or configuration value that cannot be meant."""

    exit_code = 2


class DataError(ClbenchError):
    """Data that is missing, damaged or not the data described."""

    exit_code = 3
    row: int | None = None
    """The row of the table whose picture cannot be read, where it is one picture alone."""


def not_allowed(error: PermissionError) -> DataError:
    """Return what to say of a file or folder of somebody else's that a reader met where nobody looked for it."""
    return DataError(
        f"{error.filename or 'a file'}: not allowed ({error.strerror or error}).",
        hint="Ask whose it is for access, or name another folder.",
    )


class ResultsError(ClbenchError):
    """A results folder or a record that cannot be read, written or trusted."""

    exit_code = 4


class RunError(ClbenchError):
    """A run that had to stop."""

    exit_code = 5


class TakenError(RunError):
    """Another process is carrying out this very run at this moment."""


class CutOffError(RunError):
    """A run that something outside it ended; the same command goes on with it."""


class CheckError(ClbenchError):
    """A check or a verification that failed."""

    exit_code = 6


def suggest(name: str, options: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the option nearest to `name`, or an empty string."""
    # difflib costs 10 ms to import and is needed only on the way to an error
    from difflib import get_close_matches

    near = get_close_matches(name, list(options), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""
