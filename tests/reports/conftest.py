"""A finished run, its evaluation and its data set."""

import pytest
from finished_run import write_finished


@pytest.fixture
def finished(tmp_path):
    """Folder with data/, run/ and evaluation/, see `write_finished`."""
    return write_finished(tmp_path)
