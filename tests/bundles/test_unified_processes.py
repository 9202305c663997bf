"""The unified bundle under torchrun, over gloo where there is no GPU: the whole game, each process with its share."""

import csv
import os
import subprocess
import sys

import pytest
import torch
from unified_quick import SIZES, TESTED

from ganglion.data.unpair import unpair

pytestmark = [
    pytest.mark.multigpu,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="needs gloo"),
]
QUICK = {
    **SIZES,
    "epochs": 2,
    "decay_epochs": 1,
    "ramp_epochs": 1,
    "slices_per_epoch": 8,
    "volumes_per_batch": 2,
    "val_interval": 1,
    "discriminator_base": 2,
    "discriminator_layers": 4,
    "critic_base": 2,
    "tensorboard": False,
}


@pytest.mark.parametrize("variant", [None, "unet_joint", "stargan_unet"])
def test_two_processes_train_every_network_of_the_game(variant, brats_cohort, tmp_path):
    """Each waits for the other's gradients of every weight, also where a phase calls a network several times."""
    bundle = TESTED.copy(tmp_path)
    unpair(brats_cohort, tmp_path / "data", seed=0)
    names = ["train", *([f"variants/{variant}"] if variant else []), "multi_gpu_train"]
    files = repr([str(bundle / "configs" / f"{name}.json") for name in names])
    places = {"bundle_root": bundle, "dataset_dir": tmp_path / "data", "output_dir": tmp_path / "run"}
    options = {**QUICK, **places, "weights": tmp_path / "model.pt"}
    words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    line += ["-m", "monai.bundle", "run", "training", "--config_file", files, *words]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(tmp_path / "run" / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["iteration"]) for row in rows] == [2, 4]
    assert all(float(value) == float(value) for row in rows for value in row.values() if value)
    start = TESTED.parser("train.json", *[f"variants/{variant}.json"] if variant else [], **QUICK)
    expected = start.get_parsed_content("network_def").state_dict()
    assert set(torch.load(tmp_path / "model.pt", weights_only=True)) == set(expected)
