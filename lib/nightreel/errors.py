"""The errors that a person can correct, and the exit codes of jobs."""

from __future__ import annotations

DONE = 0
FAILED = 1
BAD_USAGE = 2
GATE_REFUSED = 3
INTERRUPTED = 130


class NightreelError(Exception):
    """An error that a person can correct; its text is the one line they see."""

    exit_code = FAILED


class ConfigurationError(NightreelError):
    """A setting, argument or name is not allowed; the text says which, where it comes from and what is allowed."""

    exit_code = BAD_USAGE


class DataError(NightreelError):
    """The data cannot be used: there is none at the path, too many lines are rejected, or no rows are left."""


class TableError(NightreelError):
    """A table is missing, has an older schema, cannot be written, or was changed by another job."""


class CapabilityError(NightreelError):
    """A model lacks a capability: a popularity count, for example, predicts no ratings."""


class GateRefusedError(NightreelError):
    """The quality gate kept the model that served before."""

    exit_code = GATE_REFUSED
