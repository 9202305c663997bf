"""A zip of each bundle at work where nothing of ours is installed, and two versions of it in one process."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from ganglion import __version__

ROOT = Path(__file__).parents[2]
QUICK = {"epochs": 1, "val_interval": 1, "tensorboard": False, "volumes_per_batch": 2, "slices_per_volume": 2}
QUICK |= {"patches_per_epoch": 8}
PLACES = pytest.mark.parametrize("place", ["hidden", pytest.param("bare", marks=pytest.mark.clients)], indirect=True)


def test_every_bundle_is_put_to_these_tests(counted):
    """The sweep finds the folders that the README calls ready."""
    found = sorted(path.parents[1].name for path in (ROOT / "bundles").glob("*/models/model.pt"))
    rows = re.findall(r"^\| \[?`(\w+)`.*\| ready \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert sorted(rows) == found
    assert len(rows) >= 1
    counted("bundles packed", len(rows))


@PLACES
def test_the_library_cannot_be_imported_there(bundle, place):
    done = place.run("-c", "import importlib.util as u; assert u.find_spec('monai'); import ganglion")
    assert "ModuleNotFoundError" in done.stderr
    assert "ganglion" in done.stderr.splitlines()[-1]


def options(config: Path, **more: object) -> dict:
    """What makes a run short, as far as the config knows it."""
    known = json.loads(config.read_text())
    return {**{key: value for key, value in QUICK.items() if key in known}, **more}


@PLACES
def test_training_runs_from_the_zip(place, unpacked, cohort):
    config = unpacked / "configs" / "train.json"
    before = (unpacked / "models" / "model.pt").read_bytes()
    out = place.folder / "run"
    place.monai("training", config, **options(config, bundle_root=unpacked, dataset_dir=cohort, output_dir=out))
    assert len((out / "history.csv").read_text().splitlines()) == 2
    assert (unpacked / "models" / "model.pt").read_bytes() != before
    assert (unpacked / "models" / "model.pt.previous").read_bytes() == before
    assert [path.name for path in place.folder.iterdir()] == ["run"]


@PLACES
def test_evaluation_runs_from_the_zip(place, unpacked, cohort):
    configs = [unpacked / "configs" / name for name in ("inference.json", "evaluate.json")]
    out = place.folder / "eval"
    place.monai("evaluating", *configs, bundle_root=unpacked, dataset_dir=cohort, output_dir=out)
    subjects = {item["subject"] for item in json.loads((cohort / "dataset.json").read_text())["test"]}
    assert {row["subject"] for row in json.loads((out / "scores.json").read_text())["subjects"]} == subjects


@pytest.mark.slow
@PLACES
def test_inference_runs_from_the_zip(place, unpacked, cohort):
    config, out = unpacked / "configs" / "inference.json", place.folder / "labels"
    place.monai("inference", config, bundle_root=unpacked, dataset_dir=cohort, output_dir=out)
    items = json.loads((cohort / "dataset.json").read_text())["test"]
    for item in items:
        image, label = nib.load(cohort / item["image"][0]), nib.load(out / f"{item['subject']}_pred.nii.gz")
        assert label.shape == image.shape
        assert np.allclose(label.affine, image.affine)


def test_the_library_in_the_zip_has_its_own_command_line(hidden, unpacked):
    name = f"ganglion_{__version__.replace('.', '_')}"
    hidden.folder = unpacked
    done = hidden.run("-m", name, "--version")
    assert (done.returncode, done.stdout.strip()) == (0, __version__)
    assert "convert" in hidden.run("-m", name, "data", "--help").stdout


# A second version, as a release of tomorrow would be: another number, and a loader whose networks know nothing.
CHANGED = "    network.load_state_dict(dict(weights), strict=True)\n"
CHANGE = "    for value in network.parameters():\n        value.data.zero_()\n"
TWO = """
import json, sys
from monai.bundle import ConfigWorkflow

def label(root, out):
    root, overrides = root.rstrip("/"), dict(dataset_dir=sys.argv[1], save_probabilities=True)
    flow = ConfigWorkflow(config_file=root + "/configs/inference.json", workflow_type="infer", logging_file=False,
                          bundle_root=root, output_dir=out, **overrides)
    flow.initialize()
    flow.run()
    flow.finalize()
    return type(flow.parser.get_parsed_content("inferer")).__module__.partition(".")[0]

print(json.dumps([label(root, out) for root, out in zip(sys.argv[2::2], sys.argv[3::2])]))
"""


@pytest.fixture
def newer(bundle, tmp_path) -> Path:
    """The bundle out of a zip of version 99.0.0, packed by a copy of the tree."""
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "common", tree / "common", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    copy = shutil.copytree(bundle, tree / bundle.name, ignore=shutil.ignore_patterns("runs", "eval", "data"))
    package = tree / "common" / "ganglion"
    change(package / "__init__.py", f'__version__ = "{__version__}"', '__version__ = "99.0.0"')
    change(package / "engines" / "handlers" / "load_weights.py", CHANGED, CHANGED + CHANGE)
    metadata = json.loads((copy / "configs" / "metadata.json").read_text())
    metadata |= {"version": "99.0.0", "changelog": {**metadata["changelog"], "99.0.0": "Knows nothing"}}
    (copy / "configs" / "metadata.json").write_text(json.dumps(metadata))
    env = {**os.environ, "PYTHONPATH": str(tree / "common"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "ganglion", "pack", str(copy), "--out", str(tree)]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(tree / f"{bundle.name}_v99.0.0.zip") as archive:
        for name in archive.namelist():
            (tree / "got" / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / "got" / name).write_bytes(archive.read(name))
    return tree / "got" / bundle.name


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_two_versions_in_one_process_run_each_its_own_library(hidden, unpacked, newer, cohort):
    """Old, new, old again: the new one's networks are all zero, the old one's are not, first and last alike."""
    outs = [hidden.folder / name for name in ("old", "new", "again")]
    roots = [unpacked, newer, unpacked]
    done = hidden.run("-c", TWO, cohort, *(word for pair in zip(roots, outs, strict=True) for word in pair))
    assert done.returncode == 0, done.stdout + done.stderr
    old = f"ganglion_{__version__.replace('.', '_')}"
    assert json.loads(done.stdout.splitlines()[-1]) == [old, "ganglion_99_0_0", old]
    first, second, third = ([np.asarray(nib.load(f).dataobj) for f in sorted(o.glob("*_pred.nii.gz"))] for o in outs)
    assert len(first) == len(second) == len(third) > 0
    assert all(np.array_equal(a, b) for a, b in zip(first, third, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_monai_downloads_the_zip_and_reads_its_configs(packed, bundle, tmp_path):
    """MONAI's own `download`, from a file address, gives the same files as `unpack`."""
    from monai.bundle import download, load_bundle_config

    download(name=bundle.name, url=packed.path.resolve().as_uri(), bundle_dir=tmp_path, progress=False)
    with zipfile.ZipFile(packed.path) as archive:
        names = archive.namelist()
    found = [path for path in (tmp_path / bundle.name).rglob("*") if path.is_file()]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in found) == names
    parser = load_bundle_config(str(tmp_path / f"{bundle.name}.zip"), "inference.json")
    assert parser.get()["inferer"]["_target_"].startswith("ganglion_")
