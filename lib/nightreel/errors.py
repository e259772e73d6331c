"""What can go wrong for a person, each with the exit code its job ends with."""

from __future__ import annotations

DONE = 0
FAILED = 1
BAD_USAGE = 2
GATE_REFUSED = 3
INTERRUPTED = 130


class NightreelError(Exception):
    """Something a person can mend; its text is the one line they see."""

    exit_code = FAILED


class ConfigurationError(NightreelError):
    """A setting, argument or name is not allowed; the text names it, where it stands and what is allowed."""

    exit_code = BAD_USAGE


class DataError(NightreelError):
    """The data cannot be used as asked: no dump where one was named, too many rejects, nothing left."""


class TableError(NightreelError):
    """A table is missing, has an older schema, cannot be written, or changed under a running job."""


class CapabilityError(NightreelError):
    """A model was asked for what its form cannot do, such as ratings from a popularity count."""


class GateRefusedError(NightreelError):
    """The quality gate kept what served before."""

    exit_code = GATE_REFUSED
