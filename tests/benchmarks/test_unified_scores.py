"""The scores of the unified bundle, put together from made-up evaluations."""

import json

import pytest
from benchmarks.bundle_runs import table_lines
from benchmarks.unified_scores import collect, translation_lines
from fake_table import scores_of

METRICS = ("precision", "sensitivity", "hd95_mm", "assd_mm", "volume_error_ml")


def write_scores(folder, dice):
    """Subjects a and b; `dice`: region -> that of a; b has 0.1 more."""
    content = {"subjects": [], "summary": {region: {} for region in dice}}
    for region, value in dice.items():
        values = {s: {"dice": value + add, **dict.fromkeys(METRICS, 1.0)} for s, add in (("a", 0.0), ("b", 0.1))}
        content["subjects"] += scores_of(values, region)["subjects"]
    folder.mkdir(parents=True)
    (folder / "scores.json").write_text(json.dumps(content))


@pytest.fixture
def results(tmp_path):
    """What a data set with an evaluation, a baseline and translations gives."""
    write_scores(tmp_path / "head" / "subsets", {"T1": 0.5, "T2": 0.7, "T1+T2": 0.8, "any 1": 0.6})
    write_scores(tmp_path / "head" / "unet", {"T1": 0.4, "T2": 0.7, "T1+T2": 0.75, "any 1": 0.55})
    numbers = ("ssim", "psnr_db", "mae", "dice")
    values = {name: {"mean": 0.25, "n": 2} for name in (*numbers, *(f"{name}_before" for name in numbers))}
    pair = {"T1 as T2": {**values, "dice_target": {"mean": 0.7, "n": 2}}}
    (tmp_path / "head" / "translated").mkdir()
    (tmp_path / "head" / "translated" / "translation.json").write_text(json.dumps({"summary": pair}))
    return collect("made up", ["head"], tmp_path, ["unet"])


def test_each_subset_has_a_row_and_each_contrast_its_baseline(results):
    names = [row["name"] for row in results["rows"]]
    assert names[:4] == ["head, T1", "head, T2", "head, T1+T2", "head, any 1"]
    assert names[4:] == ["head, unet, T1", "head, unet, T2", "head, unet, any 1"]
    assert results["rows"][2]["subjects"] == pytest.approx({"a": 0.8, "b": 0.9})
    gains = {each["name"]: each["mean"] for each in results["differences"]}
    assert gains["head, T1, less unet"] == pytest.approx(0.1)
    assert gains["head, T2, less unet"] == pytest.approx(0.0)
    assert len(table_lines(results)) == 2 + 7 + 3 + 3


def test_translations_stand_beside_what_they_have_to_beat(results):
    assert translation_lines(results)[-1] == (
        "| head, T1 as T2 | 2 | 0.250 (0.250) | 0.2 (0.2) | 0.250 (0.250) | 0.250 (0.250) | 0.700 |"
    )
