"""The bundles that exist, a zip of each, and places to run it where the library cannot be imported."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from found_bundles import swept
from packaging.requirements import Requirement

HOOK = """
import sys


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ganglion":
            raise ModuleNotFoundError(f"{name} is not to be had here", name=name)


sys.meta_path.insert(0, Refuse())
"""


class Place:
    """A Python without the library, in a folder of its own, far from the repository."""

    def __init__(self, python: Path | str, folder: Path, path: str = "") -> None:
        self.python, self.folder = str(python), folder
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GANGLION"))}
        self.env = {**keep, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": path}

    def run(self, *words: object) -> subprocess.CompletedProcess:
        """Call Python with words."""
        command = [self.python, *map(str, words)]
        return subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=500)

    def monai(self, run_id: str, *configs: Path, **options: object) -> subprocess.CompletedProcess:
        """`python -m monai.bundle run`."""
        files = repr([str(file) for file in configs]) if len(configs) > 1 else str(configs[0])
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        done = self.run("-m", "monai.bundle", "run", run_id, "--config_file", files, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done


@pytest.fixture(scope="session", params=swept())
def bundle(request) -> Path:
    """A bundle of the repository; a test that asks for it runs once for each."""
    return request.param


@pytest.fixture(scope="session")
def packed(bundle, tmp_path_factory):
    """The zip of a bundle."""
    from ganglion.sharing.pack import pack

    return pack(bundle, tmp_path_factory.mktemp("zips"))


@pytest.fixture
def unpacked(packed, tmp_path) -> Path:
    """A bundle that came out of its zip, to be written into."""
    from ganglion.sharing.unpack import unpack

    return unpack(packed.path, tmp_path / "got").folder


@pytest.fixture
def cohort(bundle, cohort_of) -> Path:
    """Simulated subjects that the bundle can label."""
    return cohort_of(bundle)


@pytest.fixture
def hidden(tmp_path) -> Place:
    """The Python of the tests, which refuses to import the library."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    (tmp_path / "away").mkdir()
    return Place(sys.executable, tmp_path / "away", str(tmp_path / "hook"))


@pytest.fixture
def bare(bundle, tmp_path) -> Place:
    """A Python that has MONAI and what the bundle's metadata lists, with their own requirements, and nothing else."""
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    venv.create(tmp_path / "venv", symlinks=True)
    site = next((tmp_path / "venv").glob("**/site-packages"))
    for name in requirements({"monai", "torch", "numpy", *metadata["required_packages_version"]}):
        for part in {file.parts[0] for file in importlib.metadata.files(name) or ()} - {"..", "__pycache__"}:
            source = Path(importlib.metadata.distribution(name).locate_file(part))
            if not (site / part).exists():
                (site / part).symlink_to(source)
    (tmp_path / "away").mkdir()
    return Place(next((tmp_path / "venv").glob("*/python")), tmp_path / "away")


def requirements(names: set[str]) -> set[str]:
    """Distributions with all that they require."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += map(Requirement, importlib.metadata.requires(name) or [])
    return found - {"ganglion"}


@pytest.fixture
def place(request):
    """`hidden` or `bare`, as the test's parameter says."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def bundle_copy(bundle, tmp_path) -> Path:
    """A bundle of the repository, to be spoilt."""
    ignored = shutil.ignore_patterns("runs", "eval", "data", "*.previous")
    return Path(shutil.copytree(bundle, tmp_path / "copy" / bundle.name, ignore=ignored))


class Watch:
    """Notes what Python's audit hooks say: programs, evaluated code, unpickled names, files written, the network."""

    EVENTS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "exec", "pickle.find_class")
    EVENTS += ("marshal.loads", "socket.connect", "os.rename", "os.remove", "os.mkdir", "shutil", "ctypes")

    def __init__(self) -> None:
        self.seen, self.on = [], False
        sys.addaudithook(self.note)

    def note(self, event: str, arguments: tuple) -> None:
        writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if self.on and (event.startswith(self.EVENTS) or writes):
            self.seen.append((event, arguments))

    def __enter__(self):
        self.seen.clear()
        self.on = True

    def __exit__(self, *_):
        self.on = False
        assert self.seen == []


@pytest.fixture(scope="session")
def watch() -> Watch:
    """One hook for all tests; hooks cannot be taken away."""
    return Watch()


@pytest.fixture
def watched(watch) -> Watch:
    """`with watched:` fails if anything in it is run, evaluated, unpickled or written."""
    import codecs

    import yaml  # noqa: F401  importing evaluates code, ours

    for name in ("cp437", "raw_unicode_escape", "unicode_escape"):
        codecs.lookup(name)
    return watch
