"""Faulty inputs in the bundle: training and inference say the line that the check says, and exit with 2."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.bundle import ConfigParser

from ganglion.data import check_dataset
from ganglion.errors import InputError, find_user_error

CONFIGS = Path(__file__).parents[2] / "bundles" / "segan_transfer" / "configs"


def cut(path):
    path.write_bytes(path.read_bytes()[:-2000])


def nan(path):
    image = nib.load(path)
    data = np.asarray(image.dataobj).astype(np.float32)
    data[2, 3, 4] = np.nan
    nib.save(nib.Nifti1Image(data, image.affine), path)


def shifted(path):
    image = nib.load(path)
    affine = image.affine.copy()
    affine[0, 3] += 3
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), path)


def codes(path):
    image = nib.load(path)
    nib.save(nib.Nifti1Image((np.asarray(image.dataobj) + 5).astype(np.uint8), image.affine), path)


def empty(path):
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.zeros(image.shape, dtype=np.uint8), image.affine), path)


@pytest.fixture
def cohort(brats_cohort, tmp_path):
    """A copy of the small cohort that may be harmed."""
    return Path(shutil.copytree(brats_cohort, tmp_path / "cohort"))


def first(folder, section):
    return json.loads((folder / "dataset.json").read_text())[section][0]


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (cut, "T1"),
        (nan, "T2"),
        (shifted, "FLAIR"),
        (shifted, "label"),
        (Path.unlink, "T1ce"),
        (codes, "label"),
        (empty, "label"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_training_and_validation_say_what_the_check_says(harm, what, cohort, counted):
    for section in ("training", "validation"):
        subject = first(cohort, section)["subject"]
        path = cohort / subject / f"{subject}_{what}.nii.gz"
        kept = path.read_bytes()
        harm(path)
        (finding,) = [f for f in check_dataset(cohort) if f.file == str(path)]
        parser = ConfigParser()
        parser.read_config(str(CONFIGS / "train.json"))
        parser.update({"dataset_dir": str(cohort), "bundle_root": str(CONFIGS.parent)})
        name = {"training": "train", "validation": "validate"}[section]
        with pytest.raises(Exception) as error:
            parser.get_parsed_content(f"{name}#dataset")
        found = find_user_error(error.value)
        assert isinstance(found, InputError)
        assert str(found) == str(finding)
        path.write_bytes(kept)
        counted("faulty inputs")


@pytest.mark.parametrize(
    ("config", "section", "what", "harm"),
    [
        pytest.param("train", "training", "label", shifted, marks=pytest.mark.slow),
        ("inference", "test", "T2", cut),
    ],
    ids=["train", "inference"],
)
def test_on_the_command_line_it_is_one_line_and_exit_code_2(config, section, what, harm, cohort, tmp_path, counted):
    subject = first(cohort, section)["subject"]
    path = cohort / subject / f"{subject}_{what}.nii.gz"
    harm(path)
    (finding,) = check_dataset(cohort)
    assert finding.file == str(path)
    words = ["--config_file", CONFIGS / f"{config}.json", "--bundle_root", CONFIGS.parent, "--dataset_dir", cohort]
    words += ["--output_dir", tmp_path / "out", "--device", "cpu"]
    words += ["--weights", tmp_path / "model.pt"] if config == "train" else []
    done = subprocess.run(
        [sys.executable, "-m", "monai.bundle", "run", *map(str, words)],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 2, done.stderr[-2000:]
    assert f"error: {finding}" in done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    counted("faulty inputs")
