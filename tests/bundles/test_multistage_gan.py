"""The multi-stage GAN's bundle as its users run it: through MONAI's command line and MONAI's workflow objects."""

from pathlib import Path

import numpy as np
import pytest
import torch
from bundle_under_test import items, over, train_from, workflow
from multistage_quick import BASELINES, OVER_BOTH, QUICK, SIZES, TESTED, WIDTHS

VARIANTS, parser = TESTED.variants, TESTED.parser
# What the rest of the ablations is made of; the others run with the slow tests.
QUICKLY = {"unet", "standard_gan", "one_stage", "joint_coarse", "wasserstein", "auxiliary_classifier", "no_unlabelled"}


# --- training ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [pytest.param("bundle", marks=pytest.mark.slow), "elsewhere"])
def test_training_runs_from_anywhere(place, bundle, iseg_cohort, tmp_path):
    """From the bundle's folder with no bundle_root, from elsewhere with it."""
    train_from(place, bundle, tmp_path / "away", **QUICK, dataset_dir=iseg_cohort)
    state = torch.load(bundle / "models" / "model.pt", weights_only=True)
    assert {key.partition(".")[0] for key in state} == {"coarse", "refiner"}
    names = {path.name for path in (bundle / "runs" / "reference" / "networks").iterdir()}
    assert {"segmenter.pt", "generator.pt", "discriminator.pt"} <= names


@pytest.mark.parametrize("variant", [pytest.param(v, marks=() if v in QUICKLY else pytest.mark.slow) for v in VARIANTS])
def test_every_variant_trains_and_labels(variant, bundle, iseg_cohort, mrbrains_cohort, parts, tmp_path):
    """Two epochs of two iterations; what changes the network that labels goes over inference.json as well."""
    if variant in BASELINES | {"one_stage", "joint_coarse"}:
        parts.pop("coarse_epochs")
    if variant in BASELINES - {"unet"}:  # batch norm wants two patches, the encoder large ones
        parts |= {"volumes_per_batch": 2, "patches_per_epoch": 4}
        parts["patch_size"] = [32, 32, 32] if variant == "bad_gan" else parts["patch_size"]
    if variant == "mrbrains":
        parts["dataset_dir"] = str(mrbrains_cohort)
    if variant == "fine_tune":
        parts |= start_weights(tmp_path)
    flow = workflow("train", bundle, over("train", variant), **parts)
    flow.run()
    trainer = flow.parser.get_parsed_content("train#trainer")
    assert (trainer.state.epoch, trainer.state.iteration) == (2, 4)
    assert np.isfinite(trainer.state.metrics.get("dice", 0.0))
    names = over("inference", variant) if variant in OVER_BOTH else ["inference.json"]
    keep = {key: parts[key] for key in (*SIZES, "dataset_dir", "weights")}
    workflow("infer", bundle, names, output_dir=str(tmp_path / "labels"), **keep).run()
    subjects = items(Path(parts["dataset_dir"]), "test")
    assert len(list((tmp_path / "labels").glob("*_pred.nii.gz"))) == len(subjects)


PARTS = {"network": "weights", "generator": "generator_weights", "discriminator": "discriminator_weights"}


def start_weights(folder: Path) -> dict[str, str]:
    """First weights of all networks, in files, and the options that name them."""
    content = parser("train.json", **WIDTHS)
    places = {}
    for part, key in PARTS.items():
        places[key] = str(folder / f"{part}.start")
        torch.save(content.get_parsed_content(f"{part}_def").state_dict(), places[key])
    return places


def test_the_sweep_found_all_variants():
    assert len(VARIANTS) == 25
    assert set(VARIANTS) >= OVER_BOTH | QUICKLY | {"multi_stage", "no_validation", "fine_tune", "bad_gan", "mrbrains"}


def test_the_coarse_stage_comes_first_and_is_frozen_then(bundle, parts, tmp_path):
    """In the first epoch G1 alone is trained, in the second all but G1; `joint_coarse` trains it in both."""
    kept = {}
    for name, names in {"first": ["train.json"], "joint": over("train", "joint_coarse")}.items():
        options = {**parts, "output_dir": str(tmp_path / name), "weights": str(tmp_path / f"{name}.pt")}
        if name == "joint":
            options.pop("coarse_epochs")
        workflow("train", bundle, names, **options).run()
        rows = (tmp_path / name / "history.csv").read_text().splitlines()
        table = [dict(zip(rows[0].split(","), row.split(","), strict=True)) for row in rows[1:]]
        kept[name] = [{phase for phase in PHASES if row.get(f"{phase}/loss")} for row in table]
    assert kept["first"] == [{"coarse"}, PHASES - {"coarse"}]
    assert kept["joint"] == [PHASES, PHASES]


PHASES = {"coarse", "discriminator", "generator", "refiner"}


def test_papers_sizes_are_those_of_the_method():
    """Parameters in millions: G1, G2, G3, D, and what labels."""
    content = parser(*over("train", "paper"))
    names = ("coarse_def", "generator_def", "refiner_def", "discriminator_def", "network_def")
    counts = [sum(p.numel() for p in content.get_parsed_content(name).parameters()) for name in names]
    assert [round(count / 1e6, 2) for count in counts] == [1.63, 5.87, 12.08, 6.53, 13.71]
    batch = content["volumes_per_batch"] * content["patches_per_volume"]
    assert (batch, content["epochs"], content["learning_rate"]) == (30, 80, 0.0001)
