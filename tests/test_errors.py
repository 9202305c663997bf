"""Which error of a chain is shown, and how."""

import errno
import itertools

import pytest

from ganglion.errors import DivergedError, GanglionError, InputError, StorageError, find_user_error, format_error


def chained(*errors, cause=True):
    """The last of the errors, each raised from (or while handling) the one before it."""
    for before, after in itertools.pairwise(errors):
        setattr(after, "__cause__" if cause else "__context__", before)
    return errors[-1]


@pytest.mark.parametrize("cause", [True, False])
def test_the_error_of_ours_is_found_however_deep(cause):
    ours = InputError("label: found 5, expected 0 to 3")
    assert find_user_error(chained(ours, ValueError("a"), RuntimeError("b"), cause=cause)) is ours


def test_the_outermost_of_ours_wins():
    outer = InputError("sub-001: label: found 5")
    assert find_user_error(chained(InputError("found 5"), outer, RuntimeError("wrapped"))) is outer


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES])
def test_the_disk_is_the_users_matter(number):
    found = find_user_error(chained(OSError(number, "no", "history.csv"), RuntimeError("wrapped")))
    assert isinstance(found, StorageError)
    assert str(found) == "no: history.csv"


TOLD = """Caught {kind} in DataLoader worker process 0.
Original Traceback (most recent call last):
  File "loader.py", line 9, in fetch
    raise {kind}(text)
{module}.{kind}: {message}

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
RuntimeError: applying transform
"""


@pytest.mark.parametrize("kind", [GanglionError, InputError, DivergedError, StorageError])
@pytest.mark.parametrize("wrapper", [InputError, RuntimeError])
def test_a_workers_traceback_in_words_gives_its_error(kind, wrapper):
    told = wrapper(TOLD.format(kind=kind.__name__, module=kind.__module__, message="scan.nii: bad, mend it"))
    found = find_user_error(chained(told, RuntimeError("wrapped")))
    assert (type(found), str(found)) == (kind, "scan.nii: bad, mend it")


def test_a_workers_full_disk_in_words_is_the_users_matter():
    text = TOLD.replace("{module}.", "")
    full = text.format(kind="OSError", message="[Errno 28] No space left on device: 'cache.pt'")
    found = find_user_error(OSError(full))
    assert (type(found), str(found)) == (StorageError, "No space left on device: 'cache.pt'")
    missing = text.format(kind="FileNotFoundError", message="[Errno 2] No such file or directory: 'scan.nii'")
    assert find_user_error(RuntimeError(missing)) is None


def test_a_fault_of_the_program_is_none_of_the_users():
    loop = KeyError("pred")
    loop.__cause__ = ValueError("a")
    loop.__cause__.__context__ = loop
    assert find_user_error(loop) is None
    assert find_user_error(OSError(errno.EPIPE, "broken pipe")) is None


def test_exit_codes():
    assert [kind.exit_code for kind in (GanglionError, InputError, DivergedError, StorageError)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("message", "shown"),
    [("one", "error: one"), ("a\n\n b \nc\nd", "error: a\nb\nc"), ("", "error: InputError")],
)
def test_at_most_three_lines_are_shown(message, shown):
    assert format_error(InputError(message)) == shown
