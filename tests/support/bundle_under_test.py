"""A bundle that is tested: a copy of it, its configs parsed, its workflows and commands run, and what it refuses."""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from monai.bundle import ConfigParser, ConfigWorkflow

from ganglion.errors import InputError

BUNDLES = Path(__file__).parents[2] / "bundles"


class BundleUnderTest:
    """A bundle of the repository; a test file holds one as `TESTED`, from which its fixtures are made."""

    def __init__(self, name: str) -> None:
        self.folder = BUNDLES / name
        self.configs = self.folder / "configs"
        self.variants = sorted(path.stem for path in (self.configs / "variants").glob("*.json"))

    def copy(self, folder: Path) -> Path:
        """A copy of the bundle without what it has written, so that no test writes into the repository."""
        ignored = shutil.ignore_patterns("runs", "eval", "data", "samples", "*.previous")
        return Path(shutil.copytree(self.folder, folder / self.folder.name, ignore=ignored))

    def parser(self, *names: str, **overrides) -> ConfigParser:
        """The repository's configs, one over the other."""
        result = ConfigParser()
        result.read_config([str(self.configs / name) for name in names])
        result.update(overrides)
        return result


def workflow(kind: str, bundle: Path, names: list[str], **overrides) -> ConfigWorkflow:
    """The configs of a copy as MONAI's workflow, initialised."""
    files = [str(bundle / "configs" / name) for name in names]
    overrides = {"bundle_root": str(bundle), **overrides}
    flow = ConfigWorkflow(config_file=files, workflow_type=kind, logging_file=False, **overrides)
    flow.initialize()
    return flow


def over(name: str, variant: str) -> list[str]:
    """A config and a variant over it."""
    return [f"{name}.json", f"variants/{variant}.json"]


def command(run_id: str, *config_files: Path | str, **overrides) -> list[str]:
    """The words of a command of MONAI's."""
    files = repr([str(f) for f in config_files]) if len(config_files) > 1 else str(config_files[0])
    options = [item for key, value in overrides.items() for item in (f"--{key}", str(value))]
    return [sys.executable, "-m", "monai.bundle", "run", run_id, "--config_file", files, *options]


def call(arguments: list[str], cwd: Path, timeout: float = 300) -> subprocess.CompletedProcess:
    """Run a command on one thread."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(arguments, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout)


def train_from(place: str, bundle: Path, away: Path, **options) -> None:
    """Train from the bundle's folder with no bundle_root, or from elsewhere with it, where nothing may be left."""
    away.mkdir()
    if place == "bundle":
        done = call(command("training", "configs/train.json", **options), bundle)
    else:
        done = call(command("training", bundle / "configs" / "train.json", bundle_root=bundle, **options), away)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(away.iterdir())


@contextmanager
def refused(says: str):
    """What is called in here ends in an error of ours that says so, which MONAI may have wrapped."""
    with pytest.raises((InputError, RuntimeError)) as caught:
        yield
    error = caught.value
    while error.__cause__ is not None:
        error = error.__cause__
    assert isinstance(error, InputError)
    assert re.search(says, str(error)), error


def items(cohort: Path, section: str) -> list[dict]:
    """A list of a data set."""
    return json.loads((cohort / "dataset.json").read_text())[section]


def relisted(cohort: Path, folder: Path, **lists) -> Path:
    """The cohort with other lists."""
    shutil.copytree(cohort, folder)
    content = json.loads((folder / "dataset.json").read_text()) | lists
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder
