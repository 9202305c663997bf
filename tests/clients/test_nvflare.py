"""NVFlare's simulator trains the zip of a bundle at two sites, where the library is not installed."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from found_bundles import BUNDLES, with_weights

from ganglion.sharing.pack import pack
from ganglion.sharing.unpack import unpack

pytestmark = [pytest.mark.clients, pytest.mark.timeout(3000)]


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_two_sites_average_what_they_trained(bundle, environment, cohort_of, tmp_path):
    python = environment("nvflare")
    packed = pack(with_weights(bundle, tmp_path / "untrained"), tmp_path)
    for number in (1, 2):
        home = tmp_path / "sites" / f"site-{number}"
        root = unpack(packed.path, home / "bundle").folder
        listed = Path(shutil.copytree(cohort_of(bundle), home / "data")) / "dataset.json"
        content = json.loads(listed.read_text())
        content["training"] = content["training"][number - 1 :: 2]
        listed.write_text(json.dumps(content))
    before = torch.load(root / "models" / "model.pt", weights_only=True)
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "GANGLION"))}
    keep |= {"OMP_NUM_THREADS": "1", "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    words = [Path(__file__).with_name("nvflare_job.py"), "--sites", tmp_path / "sites", "--work", tmp_path / "work"]
    done = subprocess.run([str(python), *map(str, words)], env=keep, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (written,) = (tmp_path / "work").glob("**/app_server/FL_global_model.pt")
    after = torch.load(written, weights_only=True)["model"]
    assert set(after) == set(before)
    sent = [torch.load(home / "sent.pt", weights_only=True) for home in sorted((tmp_path / "sites").iterdir())]
    assert any(not torch.equal(sent[0][name], sent[1][name]) for name in before)  # each has subjects of its own
    moved = [name for name in before if before[name].is_floating_point() and not torch.equal(after[name], before[name])]
    assert len(moved) > len(before) / 2
    for name in moved:  # the server's weights lie between those that the sites sent last
        low, high = torch.minimum(sent[0][name], sent[1][name]), torch.maximum(sent[0][name], sent[1][name])
        assert ((after[name] >= low - 1e-6) & (after[name] <= high + 1e-6)).all(), name
