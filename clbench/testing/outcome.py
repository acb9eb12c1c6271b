"""What a check found: the words in which it fails, and the three lines to look at."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from clbench.errors import CheckError, ClbenchError

Status = Literal["passed", "noted", "failed", "not run"]
"""`noted` is a pass with something to know: the check was adapted, or the strategy declares what it does."""


class Failed(Exception):  # noqa: N818 - a verdict, not an accident
    """The strategy breaks a promise: what was found, the verb to look at, what to do about it."""

    def __init__(self, found: str, *, verb: str = "", mend: str) -> None:
        super().__init__(found)
        self.found = found
        self.verb = verb
        self.mend = mend


class NotRun(Exception):  # noqa: N818 - no accident either
    """The check has nothing to look at; the text says why."""


class Broken(Exception):  # noqa: N818 - a verdict too
    """What went wrong in another process: the names of the error's classes, what was found, where to look, what to do.

    Where to look is empty when only the file as a whole can be named.
    """

    @dataclass(frozen=True)
    class Told:
        """The same as plain values."""

        kinds: tuple[str, ...]
        found: str
        look: str
        mend: str

        def error(self) -> Broken:
            """Return what can be raised."""
            return Broken(self.kinds, self.found, look=self.look, mend=self.mend)

    def __init__(self, kinds: tuple[str, ...], found: str, *, look: str = "", mend: str = "") -> None:
        super().__init__(found)
        self.kinds = kinds
        self.found = found
        self.look = look
        self.mend = mend

    @staticmethod
    def of(error: BaseException, *, look: str = "") -> Broken:
        """Return an error, a verdict or an accident, as what can be told."""
        if isinstance(error, Broken):
            return error
        kinds = tuple(kind.__name__ for kind in type(error).__mro__)
        if isinstance(error, Failed):
            return Broken(kinds, error.found, look=look, mend=error.mend)
        text = next(iter(str(error).splitlines()), "")
        found = text if isinstance(error, ClbenchError) else f"{type(error).__name__}: {text}"
        return Broken(kinds, found, look=look, mend=getattr(error, "hint", "") or "")

    def told(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(Broken.Told(self.kinds, self.found, self.look, self.mend))

    def is_a(self, *kinds: type[BaseException]) -> bool:
        """Whether the error was of one of these classes."""
        return any(kind.__name__ in self.kinds for kind in kinds)


class ConformanceError(CheckError):
    """A strategy that breaks a promise; the message has the three lines to look at."""


@dataclass
class Outcome:
    """What one check said of one strategy."""

    check: str
    sentence: str
    status: Status
    note: str = ""
    """Why it was not run, or what was adapted or declared."""
    lines: tuple[str, ...] = ()
    """Of a failure: what was found, where to look, what to do."""
    seconds: float = 0.0
