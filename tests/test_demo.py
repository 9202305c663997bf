"""The pieces of the demonstration with commands that do nothing, and, marked slow, the whole of it."""

import ast
import hashlib
import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from ganglion import demo as module
from ganglion.demo import Settings, Step, demo, execute, find_bundle, plan, prepare_folder, splits_of
from ganglion.errors import GanglionError, InputError
from ganglion.metrics import DEFINITIONS, METRICS, score_subject, summarise

SETTINGS = Settings(version="1", subjects=4, epochs=2, seed=3, spacing=2.0)
ROOT = Path(__file__).parents[1]


@pytest.fixture
def bundle(tmp_path):
    root = tmp_path / "repository" / "segan_transfer"
    (root / "configs").mkdir(parents=True)
    (root / "models").mkdir()
    (root / "configs" / "train.json").write_text("{}")
    (root / "configs" / "metadata.json").write_text('{"version": "1.2.3"}')
    (root / "models" / "model.pt").write_bytes(b"weights")
    return root


@pytest.mark.parametrize("out", ["demo", "a b/demo", "it's", 'a"b$c', "/tmp/x"])
def test_lines_mean_the_words_in_a_shell(out):
    steps = plan(Path(out), SETTINGS, "1.2.3")
    names = ["cohort", "before", "training", "after", "pack", "unpack", "inference"]
    assert [step.name for step in steps] == names
    for step in steps:
        assert shlex.split(step.line) == list(step.words)
    assert f"{out}/zip/segan_transfer_v1.2.3.zip" in steps[5].words
    for step in (*steps[1:4], steps[6]):
        assert step.words[:4] == ("python", "-m", "monai.bundle", "run")
    config = steps[1].words[steps[1].words.index("--config_file") + 1]
    names = [f"{out}/segan_transfer/configs/{name}.json" for name in ("inference", "evaluate")]
    assert ast.literal_eval(config) == names


def test_splits_keep_half_for_the_test():
    assert splits_of(16) == (6, 2, 8)
    for subjects in range(4, 40):
        assert sum(splits_of(subjects)) == subjects
        assert min(splits_of(subjects)) >= 1


def test_folder_of_somebody_else_is_refused_and_untouched(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not of a demonstration"):
        prepare_folder(tmp_path, SETTINGS)
    with pytest.raises(InputError, match="is a file, expected a folder"):
        prepare_folder(tmp_path / "thesis.txt", SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_former_demonstration_is_replaced_and_nothing_else(tmp_path):
    assert prepare_folder(tmp_path / "out", SETTINGS) is False
    for name in ("data/dataset.json", "run/history.csv", "before/x", "report.html", "mine.txt"):
        path = tmp_path / "out" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    assert prepare_folder(tmp_path / "out", replace(SETTINGS, epochs=9)) is True
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {"data", "mine.txt", "logs", ".demo.json"}
    assert prepare_folder(tmp_path / "out", replace(SETTINGS, seed=4)) is False
    assert not (tmp_path / "out" / "data").exists()
    assert (tmp_path / "out" / "mine.txt").exists()


def test_data_that_were_not_finished_are_made_again(tmp_path):
    prepare_folder(tmp_path / "out", SETTINGS)
    (tmp_path / "out" / "data" / "sub-001").mkdir(parents=True)
    assert prepare_folder(tmp_path / "out", SETTINGS) is False
    assert not (tmp_path / "out" / "data").exists()


def test_bundle_is_found_or_the_missing_part_is_named(bundle, monkeypatch):
    assert find_bundle(str(bundle)) == bundle
    monkeypatch.setenv("GANGLION_BUNDLE", str(bundle))
    assert find_bundle() == bundle
    (bundle / "models" / "model.pt").unlink()
    with pytest.raises(InputError, match=r"found no models/model\.pt"):
        find_bundle()


def step_of(code, name="training"):
    return Step(name, "Train", ("python", "-c", code), total=2, count=lambda: 1)


def test_execute_logs_what_the_command_says(tmp_path, capfd):
    execute(step_of("import sys; print('out'); print('err', file=sys.stderr)"), tmp_path / "log")
    assert (tmp_path / "log").read_text().splitlines() == ["out", "err"] or "err" in (tmp_path / "log").read_text()
    assert capfd.readouterr().out == ""


def test_failure_shows_the_end_of_the_log_and_passes_the_code_on(tmp_path, capfd):
    code = "import sys; [print(i) for i in range(50)]; print('error: it diverged'); sys.exit(3)"
    with pytest.raises(GanglionError, match=r"'Train' ended with exit code 3; its log is .*log") as caught:
        execute(step_of(code), tmp_path / "log")
    assert caught.value.exit_code == 3
    shown = capfd.readouterr().err
    assert "error: it diverged" in shown
    assert "\n  | 49\n" in shown
    assert "\n  | 40\n" not in shown


def test_too_few_subjects():
    with pytest.raises(InputError, match="at least 4 and 1"):
        demo(subjects=3)


def pretend_cohort(folder, subjects):
    """Cubes with a bright cube inside; four contrasts that are the same."""
    names = [f"sub-{number:03d}" for number in range(1, subjects + 1)]
    items = []
    for number, name in enumerate(names):
        home = folder / "data" / name
        home.mkdir(parents=True)
        label = np.zeros((12, 12, 6), dtype=np.uint8)
        label[4:8, 4:8, 2:4] = 1
        image = np.random.default_rng(number).normal(100, 5, label.shape).astype(np.float32) + 50 * label
        for contrast, values in (("T1", image), ("T1ce", image), ("T2", image), ("FLAIR", image), ("label", label)):
            nib.save(nib.Nifti1Image(values, np.eye(4)), home / f"{name}_{contrast}.nii.gz")
        images = [f"{name}/{name}_{contrast}.nii.gz" for contrast in ("T1", "T1ce", "T2", "FLAIR")]
        items.append({"subject": name, "image": images, "label": f"{name}/{name}_label.nii.gz"})
    training, validation, _ = splits_of(subjects)
    content = {
        "name": "brats",
        "description": "simulated",
        "channel_names": {"0": "T1", "1": "T1ce", "2": "T2", "3": "FLAIR"},
        "labels": {"background": 0},
        "training": items[:training],
        "validation": items[training : training + validation],
        "test": items[training + validation :],
    }
    (folder / "data" / "dataset.json").write_text(json.dumps(content))


def pretend_command(step, log):
    """Write what the command would: scores and predictions, or a run folder."""
    folder = log.parent.parent
    if step.name == "cohort":
        pretend_cohort(folder, step.total - 1)
        return
    made = {"training": "run", "inference": "new_scans", "pack": "zip", "unpack": "elsewhere"}
    (folder / made.get(step.name, step.name)).mkdir()
    if step.name == "training":
        (folder / "run" / "history.csv").write_text("epoch,critic/loss,segmenter/loss,val/dice\n1,-0.1,0.5,0.6\n")
    if step.name not in ("before", "after"):
        return
    rows = []
    for item in json.loads((folder / "data" / "dataset.json").read_text())["test"]:
        label = nib.load(folder / "data" / item["label"])
        pred = np.roll(label.dataobj, 1 if step.name == "before" else 0, axis=0)
        nib.save(nib.Nifti1Image(pred, label.affine), folder / step.name / f"{item['subject']}_pred.nii.gz")
        scores = score_subject(pred, np.asarray(label.dataobj), (1, 1, 1))
        rows.append({"subject": item["subject"], "region": "whole tumour"} | scores)
    summary = {"whole tumour": {metric: summarise([row[metric] for row in rows]) for metric in METRICS}}
    content = {"definitions": DEFINITIONS, "subjects": rows, "summary": summary}
    (folder / step.name / "scores.json").write_text(json.dumps(content))


def test_demo_from_start_to_end_with_pretended_commands(tmp_path, bundle, monkeypatch, capsys):
    monkeypatch.setattr(module, "execute", pretend_command)
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        report = demo(out="here", subjects=6, epochs=1, bundle=str(bundle))
    printed = capsys.readouterr().out
    lines = printed[: len(printed) // 2].splitlines()
    assert len(lines) <= 40
    assert sum(line.startswith("python -m monai.bundle run ") for line in lines) == 4
    words = [line.split() for line in lines]
    assert ["Dice", "shipped", "weights", "0.750", "0.000", "3", "0.750", "to", "0.750"] in words
    assert ["Dice,", "difference", "0.250", "0.000", "3", "0.250", "to", "0.250"] in words
    assert "imulated" in lines[0]
    assert report == Path("here/report.html")
    text = report.read_text()
    assert "Simulated data" in text
    assert "python -m monai.bundle run training" in text
    assert (tmp_path / "here" / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {"here", "repository"}
    assert (bundle / "models" / "model.pt").read_bytes() == b"weights"


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_whole_demo(tmp_path):
    """The real thing, small: prints at most 40 lines, writes one folder, leaves the bundle as it is."""
    before = digest(ROOT / "bundles" / "segan_transfer")
    command = [sys.executable, "-m", "ganglion", "demo", "--subjects", "4", "--epochs", "1", "--spacing", "3"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1100)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) <= 40
    assert "Traceback" not in done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["ganglion_demo"]
    scores = json.loads((tmp_path / "ganglion_demo" / "after" / "scores.json").read_text())
    assert scores["summary"]["whole tumour"]["dice"]["n"] == 2
    assert list((tmp_path / "ganglion_demo" / "new_scans").glob("*_pred.nii.gz"))
    assert list((tmp_path / "ganglion_demo" / "elsewhere" / "segan_transfer").glob("ganglion_*/networks"))
    assert (tmp_path / "ganglion_demo" / "report.html").is_file()
    assert digest(ROOT / "bundles" / "segan_transfer") == before
