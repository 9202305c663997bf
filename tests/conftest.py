"""What every test may rely on: one thread, fixed seeds, a small simulated cohort, real scans."""

import json
import os
import random
from pathlib import Path

# Before torch, MLflow and matplotlib are imported by any test.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _quiet_and_seeded(monkeypatch):
    """Each test starts from the same random numbers, on one thread, with the user's switches off."""
    torch.set_num_threads(1)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  what others draw from the global state must be the same each time
    torch.manual_seed(0)
    monkeypatch.delenv("GANGLION_DEBUG", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scans that GANGLION_REAL_DATA names; the test is skipped where there is none."""
    folder = os.environ.get("GANGLION_REAL_DATA")
    if not folder:
        pytest.skip("GANGLION_REAL_DATA is not set")
    if not Path(folder).is_dir():
        pytest.fail("GANGLION_REAL_DATA names a folder that does not exist")
    return Path(folder)


@pytest.fixture(scope="session")
def brats_cohort(tmp_path_factory) -> Path:
    """Eight simulated subjects with a tumour at 4 mm; read only, copy it to change it."""
    from ganglion.data.phantom import write_cohort

    folder = tmp_path_factory.mktemp("brats")
    write_cohort("brats", folder, subjects=8, seed=0, spacing=4.0, progress=False)
    return folder


@pytest.fixture(scope="session")
def iseg_cohort(tmp_path_factory) -> Path:
    """Six simulated infants with tissue labels and two without, at 4 mm; read only, copy it to change it."""
    from ganglion.data.phantom import write_cohort

    folder = tmp_path_factory.mktemp("iseg")
    write_cohort("iseg", folder, subjects=6, seed=0, spacing=4.0, unlabeled=2, splits=(4, 1, 1), progress=False)
    return folder


@pytest.fixture(scope="session")
def cohort_of(brats_cohort, iseg_cohort):
    """`cohort_of(bundle)`: the simulated subjects that a bundle can be trained on, and can label."""

    def find(bundle: Path) -> Path:
        metadata = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
        labels = set(metadata["network_data_format"]["outputs"]["pred"]["channel_def"].values())
        return iseg_cohort if "white matter" in labels else brats_cohort

    return find


@pytest.fixture
def counted(record_property):
    """Call `counted("faulty inputs")` where a test has proved one; the run's last lines say how many passed."""

    def count(what: str, number: int = 1) -> None:
        record_property(f"counted {what}", number)

    return count


def pytest_terminal_summary(terminalreporter):
    """Print how many of each kind of fault the tests that passed have put to the software."""
    totals = {}
    for report in terminalreporter.stats.get("passed", []):
        for name, number in report.user_properties if report.when == "call" else []:
            if name.startswith("counted "):
                what = name.removeprefix("counted ")
                totals[what] = totals.get(what, 0) + number
    if totals:
        terminalreporter.write_sep("=", "counted")
        terminalreporter.write_line(", ".join(f"{number} {what}" for what, number in sorted(totals.items())))
