"""The whole chain on real gliomas: convert, check, label with shipped weights, fine-tune on one, score the other."""

import json
import shutil
from pathlib import Path

import pytest
from monai.bundle import ConfigWorkflow

from ganglion.data import check_dataset
from ganglion.data.convert import convert

BUNDLE = Path(__file__).parents[2] / "bundles" / "segan_transfer"


def run(kind: str, bundle: Path, names: list[str], **options) -> None:
    files = [str(bundle / "configs" / f"{name}.json") for name in names]
    flow = ConfigWorkflow(files, workflow_type=kind, logging_file=False, bundle_root=str(bundle), **options)
    flow.initialize()
    flow.run()


def dice(folder: Path) -> dict[str, float]:
    rows = json.loads((folder / "scores.json").read_text(encoding="utf-8"))["subjects"]
    return {row["subject"]: row["dice"] for row in rows}


def test_flair_from_simulation_to_a_patient(real_data, tmp_path):
    bundle = Path(shutil.copytree(BUNDLE, tmp_path / "bundle", ignore=shutil.ignore_patterns("runs", "eval", "data")))
    sections = {"training": ["sub-0001"], "test": ["sub-0003"]}
    options = {"label_name": "tumour", "label_map": "brats2013", "sections": sections}
    convert("folder", real_data / "brats2013", tmp_path / "data", **options)
    assert not [finding for finding in check_dataset(tmp_path / "data") if finding.level == "error"]
    data = {"dataset_dir": str(tmp_path / "data")}

    scoring = ["inference", "variants/flair", "evaluate"]
    run("infer", bundle, scoring, output_dir=str(tmp_path / "before"), **data)
    before = dice(tmp_path / "before")
    assert set(before) == {"sub-0003"}
    assert before["sub-0003"] >= 0.6  # no real label seen; the model card has 0.88

    training = ["train", "variants/flair", "variants/fine_tune", "variants/no_validation"]
    run("train", bundle, training, output_dir=str(tmp_path / "run"), epochs=2, tensorboard=False, **data)
    assert (bundle / "models" / "flair" / "model.pt.previous").is_file()
    run("infer", bundle, scoring, output_dir=str(tmp_path / "after"), **data)
    assert dice(tmp_path / "after")["sub-0003"] == pytest.approx(before["sub-0003"], abs=0.2)
