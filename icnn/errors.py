"""What can go wrong: each error is also the builtin one that a caller would catch."""

from typing import Any


class ICNNError(Exception):
    """Any error that this package raises on purpose."""


class BadData(ICNNError, ValueError):
    """A table, a set or a file is not what it should be; the message names place and cure."""


class NotConvex(ICNNError, ValueError):
    """The function asked for would not be convex, or would be optimised in the wrong direction."""


class NotSupported(ICNNError, NotImplementedError):
    """A solver, an option or a file format cannot take this; the message says what can."""


class NotSolved(ICNNError, RuntimeError):
    """No certified decision; whatever was found is kept in `.decision`."""

    def __init__(self, message: str, decision: Any = None) -> None:
        super().__init__(message)
        self.decision = decision


class Infeasible(NotSolved):
    """No point satisfies all constraints."""


class Unbounded(NotSolved):
    """The objective falls for ever along a direction that the constraints allow."""


class TimeLimit(NotSolved):
    """The solver ran out of time; `.decision` holds the incumbent and a valid bound."""


class Inaccurate(NotSolved):
    """A point was found, but its certificate does not close the gap."""
