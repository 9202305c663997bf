"""Errors that a user can mend. Each message is one line: what, in which file, found, expected, how to mend it."""

import errno

_STORAGE_ERRNOS = {errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES}


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


def find_user_error(error: BaseException) -> GanglionError | None:
    """Looks through an exception and what caused it for the one error that a user can mend.

    MONAI wraps what a component raises in errors of its own, so the useful one may lie deeper in the chain.
    An operating system's "disk full", "read-only" or "permission denied" becomes a `StorageError`.

    Args:
        error: the exception that ended a command.

    Returns:
        The error to show in one line, or None if the exception is a fault of the program.
    """
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, GanglionError):
            return current
        if isinstance(current, OSError) and current.errno in _STORAGE_ERRNOS:
            return StorageError(f"{current.strerror}: {current.filename or 'the output folder'}")
        current = current.__cause__ or current.__context__
    return None


def format_error(error: BaseException) -> str:
    """The text that ends a command: `error: ` and the message, at most three lines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "error: " + "\n".join(lines[:3] or [type(error).__name__])
