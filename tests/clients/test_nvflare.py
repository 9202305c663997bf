"""NVFlare's simulator trains the zip of a bundle at two sites, where the library is not installed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from ganglion.sharing.pack import pack
from ganglion.sharing.unpack import unpack

pytestmark = [pytest.mark.clients, pytest.mark.timeout(3000)]
ROOT = Path(__file__).parents[2]
BUNDLES = sorted(path.parents[1] for path in (ROOT / "bundles").glob("*/configs/metadata.json"))


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_two_sites_average_what_they_trained(bundle, environment, brats_cohort, tmp_path):
    python = environment("nvflare")
    packed = pack(bundle, tmp_path)
    for site in ("site-1", "site-2"):
        root = unpack(packed.path, tmp_path / "sites" / site / "bundle").folder
        shutil.copytree(brats_cohort, tmp_path / "sites" / site / "data")
    before = torch.load(root / "models" / "model.pt", weights_only=True)
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "GANGLION"))}
    keep |= {"OMP_NUM_THREADS": "1", "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    words = [Path(__file__).with_name("nvflare_job.py"), "--sites", tmp_path / "sites", "--work", tmp_path / "work"]
    done = subprocess.run([str(python), *map(str, words)], env=keep, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (written,) = (tmp_path / "work").glob("**/app_server/FL_global_model.pt")
    after = torch.load(written, weights_only=True)["model"]
    assert set(after) == set(before)
    sent = [torch.load(folder / "models" / "model.pt", weights_only=True) for folder in site_bundles(tmp_path)]
    moved = [name for name in before if before[name].is_floating_point() and not torch.equal(after[name], before[name])]
    assert len(moved) > len(before) / 2
    # What each site wrote last is what it sent last; the server's weights are their mean.
    for name in moved:
        assert torch.allclose(after[name].float(), (sent[0][name] + sent[1][name]).float() / 2, atol=1e-5), name


def site_bundles(folder: Path) -> list[Path]:
    """The bundles' folders at the sites."""
    return [next((site / "bundle").iterdir()) for site in sorted((folder / "sites").iterdir())]
