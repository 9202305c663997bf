"""Environments of their own for clients that do not fit beside the library."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def environment():
    """Call it with the name of a client: the Python of its environment."""
    return make


def make(name: str) -> Path:
    """The Python of a virtual environment that holds what `<name>.txt` and `<name>-alone.txt` list.

    The packages of the second file come without what they ask for. The environment is made once and kept in
    GANGLION_CLIENT_ENVIRONMENTS, or else in the folder for temporary files; a test is skipped where it cannot be made.
    """
    lists = [HERE / f"{name}.txt", HERE / f"{name}-alone.txt"]
    found = [path for path in lists if path.exists()]
    key = hashlib.sha256(b"".join(path.read_bytes() for path in found) + sys.version.encode()).hexdigest()[:12]
    root = Path(os.environ.get("GANGLION_CLIENT_ENVIRONMENTS") or Path(tempfile.gettempdir()) / "ganglion-clients")
    folder = root / f"{name}-{key}"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (folder / "ready").exists():
        call(sys.executable, "-m", "venv", "--clear", str(folder))
        for path in found:
            alone = ["--no-deps"] if path.stem.endswith("-alone") else []
            call(str(python), "-m", "pip", "install", "--quiet", *alone, "-r", str(path))
        (folder / "ready").touch()
    return python


def call(*command: str) -> None:
    """Run a step of the making, or skip the test and say why."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        pytest.skip(f"the environment cannot be made here: {last}")
