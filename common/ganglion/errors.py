"""Errors that a user can mend. Each message is one line: what, in which file, found, expected, how to mend it."""


class GanglionError(Exception):
    """Base of all errors that end a command in one line instead of a traceback."""

    exit_code = 1


class InputError(GanglionError):
    """Bad input: a file, an argument or a data set that does not fit (exit code 2)."""

    exit_code = 2


class DivergedError(GanglionError):
    """A training that met a non-finite loss, gradient or weight (exit code 3)."""

    exit_code = 3


class StorageError(GanglionError):
    """A disk that is full or a folder that cannot be written (exit code 4)."""

    exit_code = 4
