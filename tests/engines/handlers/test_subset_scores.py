"""Scores of every subset: which there are, from which maps, and what the means over subsets are means of."""

import json

import pytest
import torch
from monai.data import MetaTensor
from quick_evaluator import AFFINE, evaluate

from ganglion.engines.handlers import FuseContrastsd, SubsetScores
from ganglion.engines.handlers.subset_scores import held_by, subsets_of
from ganglion.errors import InputError

CONTRASTS = ("T1", "T2", "FLAIR")


def item(name, maps, held=CONTRASTS):
    """A label of 4 x 4 x 4 voxels; each contrast marks the box shifted by so many voxels, or misses it (None)."""
    label = torch.zeros(1, 12, 12, 12)
    label[:, 2:6, 2:6, 2:6] = 3
    probability = torch.zeros(3, 12, 12, 12)
    for channel, shift in zip(probability, maps, strict=True):
        if shift is not None:
            channel[2 + shift : 6 + shift, 2:6, 2:6] = 1
    image = MetaTensor(probability.clone(), affine=AFFINE, meta={"contrasts": ",".join(held)})
    parts = {"probability": MetaTensor(probability, affine=AFFINE), "label": MetaTensor(label, affine=AFFINE)}
    return {"subject": name, "image": image, **parts}


def scores(tmp_path, items, **options):
    evaluate(items, SubsetScores(tmp_path, CONTRASTS, **options))
    content = json.loads((tmp_path / "scores.json").read_text())
    return {(row["subject"], row["region"]): row for row in content["subjects"]}, content["summary"]


def test_every_subset_once_smallest_first():
    assert len(subsets_of(("T1", "T1ce", "T2", "FLAIR"))) == 15
    assert subsets_of(("a", "b")) == [("a",), ("b",), ("a", "b")]


def test_each_subset_is_scored_from_its_own_maps(tmp_path):
    rows, summary = scores(tmp_path, [item("sub-001", [0, 2, None])])
    assert len(rows) == 7 + 2
    dice = {region: row["dice"] for (_, region), row in rows.items()}
    assert (dice["T1"], dice["T2"], dice["FLAIR"]) == (1.0, 0.5, 0.0)
    assert dice["T1+T2"] == pytest.approx(2 * 64 / (64 + 96))  # a half is enough: both boxes count
    assert dice["T1+T2+FLAIR"] == pytest.approx(2 * 32 / (64 + 32))  # two of three are needed: where both boxes lie
    assert dice["any 1"] == pytest.approx(0.5)
    assert dice["any 2"] == pytest.approx((dice["T1+T2"] + dice["T1+FLAIR"] + dice["T2+FLAIR"]) / 3)
    assert next(iter(summary)) == "T1"
    assert set(summary) == {region for _, region in rows}


def test_learnt_weights_count(tmp_path):
    network = torch.nn.Module()
    network.fusion = torch.nn.Parameter(torch.log(torch.tensor([1.0, 3.0, 1.0])))
    rows, _ = scores(tmp_path, [item("sub-001", [0, 2, None])], network=network)
    assert rows["sub-001", "T1+T2"]["dice"] == rows["sub-001", "T2"]["dice"] == 0.5


def test_a_subject_is_scored_on_what_it_has(tmp_path):
    items = [item("sub-001", [0, None, 0], held=("T1", "FLAIR")), item("sub-002", [0, 0, 0])]
    rows, summary = scores(tmp_path, items)
    assert {region for subject, region in rows if subject == "sub-001"} == {"T1", "FLAIR", "T1+FLAIR"}
    assert summary["T1"]["dice"]["n"] == 2
    assert summary["T2"]["dice"]["n"] == summary["any 1"]["dice"]["n"] == 1


def test_regions_that_nobody_has_are_left_out(tmp_path):
    _, summary = scores(tmp_path, [item("sub-001", [0, None, None], held=("T1",))])
    assert set(summary) == {"T1"}


def test_the_prediction_is_fused_from_what_there_is():
    one = item("sub-001", [0, 2, None], held=("T1", "T2"))
    one["pred"] = one["probability"]
    fused = FuseContrastsd("pred", CONTRASTS)(one)["pred"]
    assert fused.shape == (1, 12, 12, 12)
    assert fused.unique().tolist() == [0.0, 0.5, 1.0]
    assert isinstance(fused, MetaTensor)


def test_which_contrasts_there_are():
    image = item("a", [0, None, 0], held=("T1", "FLAIR"))["image"]
    assert held_by(image, CONTRASTS) == ["T1", "FLAIR"]
    assert held_by(image.as_tensor(), CONTRASTS) == ["T1", "FLAIR"]


def test_names_twice():
    with pytest.raises(InputError, match="contrasts: found T1, T1, expected names, each once"):
        SubsetScores(None, ["T1", "T1"])
