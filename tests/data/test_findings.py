"""A fault of a file: one line, its parts kept, also on the way from another process."""

import copy

from ganglion.data import FileError, Finding
from ganglion.errors import InputError


def test_parts_and_line_agree():
    error = FileError("a.nii", "x", "y", "Mend it.")
    assert isinstance(error, InputError)
    assert error.exit_code == 2
    assert str(error) == str(error.finding) == "a.nii: found x, expected y. Mend it."
    assert error.finding == Finding("a.nii", "x", "y", "Mend it.", "error")


def test_survives_a_process_boundary():
    sent = FileError("a.nii", "x", "y", "Mend it.")
    received = copy.copy(sent)  # rebuilt from its parts, as a process pool rebuilds it
    assert (type(received), received.finding) == (FileError, sent.finding)
