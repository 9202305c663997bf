"""Scores of translations, where the answer is known: a perfect one, one that changes nothing, one that is off."""

import csv
import json

import pytest
import torch
from monai.data import MetaTensor
from quick_evaluator import AFFINE, evaluate

from ganglion.engines.handlers.translation_scores import COLUMNS, TRANSLATION_METRICS, TranslationScores

CONTRASTS = ("T1", "T2")


def item(name, off, held=CONTRASTS):
    """A brain of 12 x 12 x 12 voxels: T2 is T1 turned about; the translation into T2 is off by so much."""
    brain = torch.full((12, 12, 12), -1.0)
    brain[1:, 1:, 1:] = torch.linspace(-0.8, 0.8, 11)[:, None, None].expand(11, 11, 11)
    other = torch.where(brain > -1, -brain, brain)
    image = torch.stack([brain, other])
    translated = torch.where(brain > -1, (other + off).clamp(-1, 1), other)
    label = torch.zeros(1, 12, 12, 12)
    label[:, 2:6, 2:6, 2:6] = 1
    half = label.clone()
    half[:, 2:4] = 0
    made = torch.stack([brain, translated, other, other, label[0], half[0], label[0], label[0]])
    parts = {"image": MetaTensor(image, affine=AFFINE, meta={"contrasts": ",".join(held)})}
    return {"subject": name, **parts, "pred": made, "label": MetaTensor(label, affine=AFFINE)}


def run(tmp_path, items):
    def given(data):
        return {**data, "pred": data["made"]}

    items = [{**each, "made": each.pop("pred")} for each in items]
    evaluate(items, TranslationScores(tmp_path, CONTRASTS), postprocessing=given)
    return json.loads((tmp_path / "translation.json").read_text())


def test_a_perfect_translation_and_one_that_is_off(tmp_path):
    content = run(tmp_path, [item("sub-001", 0.0), item("sub-002", 0.2)])
    rows = {(row["subject"], row["source"]): row for row in content["subjects"]}
    perfect, off = rows["sub-001", "T1"], rows["sub-002", "T1"]
    assert (perfect["ssim"], perfect["mae"], perfect["psnr_db"]) == (pytest.approx(1, abs=1e-5), 0, 99)
    assert off["mae"] == pytest.approx(0.1, abs=1e-6)  # 0.2 of [-1, 1] is a tenth of [0, 1]
    assert off["psnr_db"] == pytest.approx(20, abs=1e-4)
    assert off["ssim"] < perfect["ssim"]
    assert perfect["mae_before"] == pytest.approx(0.8 * 6 / 11 * 10 / 10 * 1, abs=0.02)  # mean of |2 x| / 2
    assert perfect["dice"] == pytest.approx(2 * 32 / 96)
    assert perfect["dice_before"] == perfect["dice_target"] == 1
    # T2 as T1 came out as T2 itself: no better than before
    assert all(rows["sub-001", "T2"][name] == rows["sub-001", "T2"][f"{name}_before"] for name in TRANSLATION_METRICS)


def test_files_and_summary(tmp_path):
    content = run(tmp_path, [item("sub-001", 0.0), item("sub-002", 0.2)])
    with open(tmp_path / "translation.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 4
    assert set(content["summary"]) == {"all", "T1 as T2", "T2 as T1"}
    assert content["summary"]["all"]["dice"]["n"] == 2
    assert content["summary"]["T1 as T2"]["mae"]["mean"] == pytest.approx(0.05, abs=1e-6)
    assert {*TRANSLATION_METRICS, "dice_target"} <= set(content["definitions"])


def test_nothing_to_score(tmp_path, caplog):
    handler = TranslationScores(tmp_path, CONTRASTS)
    one = item("sub-001", 0.0, held=("T1",))
    evaluate([one], handler, postprocessing=lambda data: {**data, "pred": torch.zeros(8, 12, 12, 12)})
    assert "no translation was scored" in caplog.text
    assert not list(tmp_path.iterdir())
