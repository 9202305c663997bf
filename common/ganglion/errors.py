"""Errors that a user can mend. Each message is one line: what, in which file, found, expected, how to mend it."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STORAGE_ERRNOS = {getattr(errno, name, -1) for name in ("ENOSPC", "EROFS", "EACCES", "EPERM", "EIO", "EFBIG", "EDQUOT")}


class GanglionError(Exception):
    """Base of all errors that end a command in one line instead of a traceback."""

    exit_code = 1
    max_lines = 3  # of its message that are shown


class InputError(GanglionError):
    """Bad input: a file, an argument or a data set that does not fit (exit code 2)."""

    exit_code = 2


class DivergedError(GanglionError):
    """A training that met a non-finite loss, gradient or weight (exit code 3)."""

    exit_code = 3


class StorageError(GanglionError):
    """A disk that is full or a folder that cannot be written (exit code 4)."""

    exit_code = 4


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a full or read-only disk into a StorageError, a path that cannot be into an InputError, naming the file."""
    try:
        yield
    except OSError as error:
        if error.errno not in STORAGE_ERRNOS:
            raise InputError(f"cannot write {path}: {error.strerror}; choose another folder") from error
        raise StorageError(
            f"cannot write {path}: {error.strerror}; free space or rights there, or choose another folder; "
            "what was saved before is whole"
        ) from error


def find_user_error(error: BaseException | None) -> GanglionError | None:
    """Looks through an exception and what caused it for the one error that a user can mend.

    MONAI wraps what a component raises in errors of its own, so the useful one may lie deeper in the chain; what a
    DataLoader's worker raises arrives as the text of its traceback. An operating system's "disk full", "read-only"
    or "permission denied" becomes a `StorageError`.

    Args:
        error: the exception that ended a command.

    Returns:
        The error to show in one line, or None if the exception is a fault of the program.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        told = _error_in_text(str(error))
        if told is not None:
            return told
        if isinstance(error, GanglionError):
            return error
        if isinstance(error, OSError) and error.errno in STORAGE_ERRNOS:
            return StorageError(f"{error.strerror}: {error.filename or 'the output folder'}")
        error = error.__cause__ or error.__context__
    return None


def _error_in_text(text: str) -> GanglionError | None:
    """The last error that a traceback in words tells of, if it is one that a user can mend."""
    kinds: dict[str, type[GanglionError]] = {}
    for kind in (GanglionError, InputError, DivergedError, StorageError):
        kinds.update({f"{sub.__module__}.{sub.__qualname__}": kind for sub in (*kind.__subclasses__(), kind)})
    names = "|".join(map(re.escape, kinds))
    found = re.findall(rf"^(?:({names})|\w*Error): (?:\[Errno (\d+)\] )?(.+)$", text, flags=re.MULTILINE)
    for name, number, message in reversed(found):
        if name:
            return kinds[name](message.strip())
        if number and int(number) in STORAGE_ERRNOS:
            return StorageError(message.strip())
    return None


def format_error(error: BaseException) -> str:
    """The text that ends a command: `error: ` and the message; three lines at most unless the error is a list."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "error: " + "\n".join(lines[: getattr(error, "max_lines", 3)] or [type(error).__name__])
