"""Every command in README, docs and cards is executed by a test, or stands here with the reason why not.

What can be executed in seconds a command is typed, word for word, into a sandbox in which the folders that the pages
speak of exist; a training gets a few options more, so that it is short.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fenced import ROOT, faults_of_run, fences
from found_bundles import BUNDLES, with_weights

FENCES = fences()
# Pattern of a command, and why it is not typed here or which test does it in its own way.
ELSEWHERE = {
    r"pip install|pip wheel|venv |make install|pre-commit": "installs packages; .ci/run does so in a fresh environment",
    r"ganglion demo": "minutes; tests/test_demo.py runs it whole",
    r"^cp -r label/|app/model|^monailabel|--out zips": "wants MONAI Label; tests/clients/test_monai_label.py",
    r"^first=|^srun |^export MASTER|--nnodes|--slurm ": "wants a cluster; tests/reproduce/test_slurm.py, "
    "tests/engines/test_distributed.py",
    r"^torchrun ": "several processes; tests/bundles/test_segan_processes.py",
    r"benchmarks\.": "hours, real scans or a finished table; tests/benchmarks/test_benchmarks.py",
    r"^until COMMAND": "a pattern, no command; tests/engines/handlers/test_deadline.py",
    r"SRC DST$": "tests/data/convert/test_layout_pages.py makes what each page shows and converts it",
    r"data convert (brats|iseg2017|iseg2019|mrbrains13|mrbrains18) [A-Zi]": "archives of challenges; "
    "tests/data/convert/test_brats.py, tests/data/convert/test_iseg.py, tests/data/convert/test_mrbrains.py",
    r"data convert (folder|bids|dicom) [sda]|data/ward|dicomseg": "scans of every kind; "
    "tests/data/convert/test_folder.py, tests/data/convert/test_bids.py, tests/data/convert/test_dicom.py, "
    "tests/data/test_dicom_seg.py",
    r"scan somebody": "a zip of somebody else; tests/sharing/test_scan.py",
    r"onnx_export|ckpt_export|verify_net_in_out": "MONAI's own exports; tests/sharing/test_export.py",
}
# Pages that other tests take word for word.
PAGES_ELSEWHERE = {
    "docs/layouts/": "tests/data/convert/test_layout_pages.py",
    "/docs/variants/": "commands of a bundle that is packed alone: tests/sharing/test_alone.py",
}
TRAIN = "python -m monai.bundle run training --config_file bundles/segan_transfer/configs/train.json --dataset_dir DST"
# Folders that a page takes for granted.
BEFORE = {
    "docs/offline.md": ["ganglion pack bundles/segan_transfer --out DIR"],
    "docs/scores.md": ["rm -r RUN", f"{TRAIN} --output_dir RUN"],
    "docs/reports.md": [f"{TRAIN} --output_dir DIR"],
}
QUICK = {
    "segan_transfer": "--epochs 1 --val_interval 1 --slices_per_volume 2 --tensorboard False",
    "multistage_gan": "--epochs 2 --coarse_epochs 1 --patches_per_epoch 2 --val_interval 1 --tensorboard False",
    "unified_multimodal": "--epochs 1 --slices_per_epoch 4 --val_interval 1 --tensorboard False",
    "gt_transfer": "--epochs 2 --patches_per_epoch 4 --val_interval 1 --tensorboard False",
    "stylegan2_synthesis": "--epochs 1 --slices_per_epoch 8 --batch_size 4 --val_interval 1 --tensorboard False",
    "train_generator.json": "--epochs 1 --images_per_epoch 8 --batch_size 4 --tensorboard False",
}
# A data set that a command makes is none of those that lie there.
NEW = {r"--fix DST": "--fix MENDED", r"phantom iseg DST": "phantom iseg SIMULATED"}
FEWER = {r"--count 1000": "--count 4", r"(compare|project)\.json": r"\g<0> --count 8", r"--subjects 20": "--subjects 3"}


def reason(line):
    return next((why for pattern, why in ELSEWHERE.items() if re.search(pattern, line)), None)


TYPED = [
    fence
    for fence in FENCES
    if any(reason(line) is None for line in fence.lines) and not any(part in fence.page for part in PAGES_ELSEWHERE)
]
PAGES = sorted({fence.page for fence in TYPED})


def test_there_are_commands_and_every_reason_is_needed_and_true():
    lines = [line for fence in FENCES for line in fence.lines]
    assert len(lines) > 150
    for pattern in ELSEWHERE:
        assert any(re.search(pattern, line) for line in lines), f"no command is like {pattern}"
    for why in (*ELSEWHERE.values(), *PAGES_ELSEWHERE.values()):
        named = re.findall(r"(?:tests/|\.ci/)[\w/]+(?:\.py)?", why)
        assert named, why
        assert [name for name in named if not (ROOT / name).is_file()] == []


def test_what_is_typed_is_ours_or_monais():
    known = re.compile(r"(cd [\w/]+( && )?)?(ganglion [a-z]|python -m (monai\.bundle|ganglion) |$)")
    lines = [line for fence in TYPED for line in fence.lines if reason(line) is None]
    assert [line for line in lines if not known.match(line)] == []


@pytest.mark.parametrize("page", sorted({fence.page for fence in FENCES}))
def test_configs_run_ids_and_options_of_monais_commands_exist(page):
    """Of those that are not typed here as well: several processes, clusters."""
    for fence in FENCES:
        for line in fence.lines:
            if fence.page == page and " -m monai.bundle run " in line and "data/ward" not in line:
                assert faults_of_run(line, fence.bundle) == [], line


def quick(line, bundle, home):
    """The line as it is typed, with the data sets' whole paths, shorter where it would take long."""
    for pattern, fewer in {**NEW, **FEWER}.items():
        line = re.sub(pattern, fewer, line)
    line = re.sub(r"(?<=[ =])(DST|ADULTS|INFANTS)\b", rf"{home}/\1", line)
    if " run training " in line:
        name = next((key for key in reversed(QUICK) if key in line), bundle or "segan_transfer")
        return f"{line} {QUICK[name]}"
    return f"{line} --dry_run" if "ganglion reproduce" in line and "--dry_run" not in line else line


@pytest.fixture
def sandbox(tmp_path, brats_cohort, iseg_cohort, request):
    """A folder with the bundles, data sets under the pages' names, and a `ganglion` to type."""
    page = request.node.callspec.params["page"]
    tissue = any(name in page for name in ("multistage_gan", "gt_transfer"))
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    for bundle in BUNDLES:
        ready = with_weights(bundle, tmp_path / "weights")
        shutil.copytree(ready, home / "bundles" / bundle.name, ignore=shutil.ignore_patterns("runs", "eval", "data"))
    cohort = iseg_cohort if tissue else brats_cohort
    for name, target in {"DST": cohort, "DIR": cohort, "ADULTS": iseg_cohort, "INFANTS": iseg_cohort}.items():
        if name != "DIR" or page == "docs/own_data.md":
            (home / name).symlink_to(target)
    places = [home / Path(page).parents[1]] if page.startswith("bundles/") else []
    for file in sorted(cohort.glob("sub-*"))[0].glob("*.nii.gz"):
        for place in places:
            shutil.copy(file, place / file.name.split("_")[-1].lower())
            shutil.copy(file, place / f"sub-1_{file.name.split('_')[-1]}")
            shutil.copy(file, place / "upload.nii.gz")
        if not tissue and "label" not in file.name:
            (home / "scans").mkdir(exist_ok=True)
            shutil.copy(file, home / "scans" / f"sub-01_{file.name.split('_')[-1]}")
    (home / "BUNDLE").symlink_to("bundles/segan_transfer")
    flair = home / "bundles" / "segan_transfer" / "models" / "flair"
    (home / "RUN" / "networks").mkdir(parents=True)
    shutil.copy(flair / "model.pt", home / "RUN" / "networks" / "segmenter.pt")
    shutil.copy(flair / "critic.pt", home / "RUN" / "networks" / "critic.pt")
    program = home / "bin" / "ganglion"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ganglion "$@"\n')
    program.chmod(0o755)
    return home


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("page", PAGES)
def test_a_pages_commands_do_what_they_say(page, sandbox):
    path = os.pathsep.join([str(sandbox / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    blocks = [(None, tuple(BEFORE.get(page, ())))]
    blocks += [(fence.bundle, fence.lines) for fence in TYPED if fence.page == page]
    for bundle, lines in blocks:
        typed = [quick(line, bundle, sandbox) for line in lines if reason(line) is None]
        if not typed:
            continue
        cwd = sandbox / "bundles" / bundle if bundle else sandbox
        script = "\n".join(["set -e", *typed])
        done = subprocess.run(["bash", "-c", script], cwd=cwd, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{script}\n{done.stdout[-1500:]}\n{done.stderr[-2500:]}"
