"""The GT-layer transfer GAN's bundle as its users run it: through MONAI's command line and MONAI's workflow objects."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_under_test import BUNDLES, items, over, refused, relisted, train_from, workflow
from gt_quick import OVER_BOTH, QUICK, SIZES, TESTED, WIDTHS
from monai.bundle import ConfigParser

VARIANTS, parser = TESTED.variants, TESTED.parser
# Patches from noise alone: batch norm wants two patches.
FROM_NOISE = {"standard_gan", "fm_gan"}
TRANSFERS = {"transfer", "generator_frozen", "encoders_frozen", "from_infants"}
# What the rest of the ablations is made of; the others run with the slow tests.
QUICKLY = {"unet", "fm_gan", "stage3"}


# --- training ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("place", ["bundle", "elsewhere"])
def test_training_runs_from_anywhere(place, bundle, iseg_cohort, tmp_path):
    """From the bundle's folder with no bundle_root, from elsewhere with it."""
    train_from(place, bundle, tmp_path / "away", **QUICK, dataset_dir=iseg_cohort)
    state = torch.load(bundle / "models" / "model.pt", weights_only=True)
    assert {"encode0", "out"} <= {key.partition(".")[0] for key in state}
    names = {path.name for path in (bundle / "runs" / "reference" / "networks").iterdir()}
    assert {"segmenter.pt", "generator.pt", "discriminator.pt"} <= names


@pytest.mark.parametrize("variant", [pytest.param(v, marks=() if v in QUICKLY else pytest.mark.slow) for v in VARIANTS])
def test_every_variant_trains_and_labels(variant, bundle, iseg_cohort, mrbrains_cohort, parts, tmp_path):
    """Two epochs of two iterations; what changes the network that labels goes over inference.json as well."""
    names, labelled_by = over("train", variant), over("inference", variant)
    if variant in TRANSFERS:
        parts["pretrained"] = str(start_weights(tmp_path / "before", ["T1"]))
        names, labelled_by = [*over("train", "transfer"), f"variants/{variant}.json"], over("inference", "transfer")
    if variant == "mrbrains":
        parts["dataset_dir"] = str(mrbrains_cohort)
    if variant == "stage3":
        parts["synthetic_epochs"] = 1
    if variant == "fine_tune":
        folder = start_weights(tmp_path / "before", ["T1", "T2"])
        parts |= {"weights": str(folder / "discriminator.pt"), "generator_weights": str(folder / "generator.pt")}
    flow = workflow("train", bundle, names, **parts)
    flow.run()
    trainer = flow.parser.get_parsed_content("train#trainer")
    assert (trainer.state.epoch, trainer.state.iteration) == (2, 4)
    assert np.isfinite(trainer.state.metrics.get("dice", 0.0))
    labelled_by = labelled_by if variant in OVER_BOTH | TRANSFERS else ["inference.json"]
    keep = {key: parts[key] for key in (*SIZES, "dataset_dir", "weights")}
    workflow("infer", bundle, labelled_by, output_dir=str(tmp_path / "labels"), **keep).run()
    subjects = items(Path(parts["dataset_dir"]), "test")
    assert len(list((tmp_path / "labels").glob("*_pred.nii.gz"))) == len(subjects)


def start_weights(folder: Path, contrasts: list[str], **options) -> Path:
    """First weights of both networks, as a training leaves them in its folder."""
    folder.mkdir()
    content = parser("train.json", **WIDTHS, contrasts=contrasts, **options)
    for name in ("generator", "discriminator"):
        torch.save(content.get_parsed_content(f"{name}_def").state_dict(), folder / f"{name}.pt")
    return folder


def test_the_sweep_found_all_variants():
    assert len(VARIANTS) == 24
    assert set(VARIANTS) >= OVER_BOTH | QUICKLY | TRANSFERS | FROM_NOISE | {"gt_gan", "no_validation", "fine_tune"}


@pytest.mark.parametrize(
    ("variant", "moves"),
    [
        ("transfer", {"discriminator", "image_encoder", "mapping", "boundary", "decoder"}),
        pytest.param("generator_frozen", {"discriminator"}, marks=pytest.mark.slow),
        ("encoders_frozen", {"discriminator", "mapping", "boundary", "decoder"}),
    ],
)
def test_a_transfer_starts_from_the_other_training_and_moves_what_it_says(variant, moves, bundle, parts, tmp_path):
    before = start_weights(tmp_path / "before", ["T1"])
    names = [*over("train", "transfer"), f"variants/{variant}.json"]
    flow = workflow("train", bundle, names, **{**parts, "pretrained": str(before), "epochs": 1})
    flow.run()
    after = tmp_path / "run" / "networks"
    moved = set()
    for name in ("generator", "discriminator"):
        old, new = (torch.load(folder / f"{name}.pt", weights_only=True) for folder in (before, after))
        changed = {key for key in old if not torch.equal(old[key], new[key])}
        moved |= {name} if name == "discriminator" and changed else {key.partition(".")[0] for key in changed}
        frozen = [key for key in changed if "encoder." in key]
        assert variant == "transfer" or not frozen
    assert moved == moves


def test_without_the_other_training_the_error_names_the_file(bundle, parts, tmp_path):
    with refused(r"networks/(discriminator|generator)\.pt: no such file.*train it first"):
        workflow("train", bundle, over("train", "transfer"), **parts).run()


def test_the_third_stage_comes_last_and_leaves_the_generator(bundle, parts, tmp_path):
    parts["synthetic_epochs"] = 1
    workflow("train", bundle, over("train", "stage3"), **parts).run()
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()
    table = [dict(zip(rows[0].split(","), row.split(","), strict=True)) for row in rows[1:]]
    phases = {"discriminator", "generator", "synthetic"}
    ran = [{phase for phase in phases if row.get(f"{phase}/loss")} for row in table]
    assert ran == [{"discriminator", "generator"}, {"synthetic"}]


@pytest.mark.parametrize("scale", [[], ["variants/small.json"], ["variants/paper.json"]])
def test_the_multi_stage_row_is_that_of_its_own_bundle(scale):
    """Whoever tunes the one changes the other's overlay `multi_stage`: else tables of both compare something else."""
    sibling, ours = ConfigParser(), parser("train.json", *scale, "variants/multi_stage.json")
    folder = BUNDLES / "multistage_gan" / "configs"
    sibling.read_config([str(folder / name) for name in ("train.json", *scale)])
    weights = {key for key in sibling.config if key.endswith("weights") and key != "class_weights"}
    named = {"_desc_", "variant", "bundle_root", "output_dir"} | weights
    if "variants/paper.json" in scale:  # each method's own number of epochs
        named |= {"epochs", "coarse_epochs"}
    different = {key for key in set(sibling.config) - named if sibling[key] != ours[key]}
    for key in different:  # widths and epochs are made from those of the scale
        assert str(ours[key]).startswith(("$", "@")), key
        assert ours.get_parsed_content(key) == sibling[key], key


def test_sizes_of_the_method():
    """Parameters in millions: G and D; and the few-shot GAN's schedule, since the paper prints none."""
    content = parser(*over("train", "paper"))
    names = ("generator_def", "network_def")
    counts = [sum(p.numel() for p in content.get_parsed_content(name).parameters()) for name in names]
    assert [round(count / 1e6, 2) for count in counts] == [14.23, 6.53]
    batch = content["volumes_per_batch"] * content["patches_per_volume"]
    assert (batch, content["epochs"], content["learning_rate"]) == (30, 100, 0.0001)
    weights = [content[f"{name}_weight"] for name in ("unlabelled", "generated", "feature", "adversarial")]
    assert weights == [1, 2, 1, 0.1]
    assert [content[f"{name}_weight"] for name in ("reconstruction", "edge")] == [10, 1]


# --- synthetic subjects ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["vector", pytest.param("tissue_map", marks=pytest.mark.slow)])
def test_synthetic_subjects_are_a_data_set_to_train_on(mode, bundle, iseg_cohort, parts, tmp_path):
    before = start_weights(tmp_path / "before", ["T1", "T2"], mode=mode)
    sizes = {key: parts[key] for key in SIZES} | {"generator_width": QUICK["generator_width"], "mode": mode}
    out = tmp_path / "synthetic"
    options = {**sizes, "dataset_dir": str(iseg_cohort), "generator_weights": str(before / "generator.pt")}
    names = ["inference.json", "generate.json"]
    flow = workflow("infer", bundle, names, output_dir=str(out), **options)
    flow.run()
    real = items(iseg_cohort, "training")
    made = items(out, "training")
    assert [item["subject"] for item in made] == [f"synthetic-{item['subject']}" for item in real]
    for item in made:
        image, label = (nib.load(out / file) for file in (item["image"][0], item["label"]))
        assert image.shape == label.shape
        assert np.allclose(image.affine, label.affine)
        values, codes = (np.asarray(volume.dataobj) for volume in (image, label))
        assert set(np.unique(codes)) == {0, 1, 2, 3}
        assert 0 <= values.min() < values.max() <= 1000
        assert (values[codes > 0] > 0).mean() > 0.95
        assert (out / item["subject"] / f"{item['subject']}.png").stat().st_size > 1000
    with refused("expected a new or empty folder"):
        workflow("infer", bundle, names, output_dir=str(out), **options).run()
    whole = relisted(out, tmp_path / "joined", validation=[made[0]], training=made[1:])
    options = {**parts, "dataset_dir": str(whole), "epochs": 1}
    workflow("train", bundle, over("train", "unet"), **options).run()
    assert (tmp_path / "model.pt").is_file()


def test_one_subject_alone_has_no_other_code(bundle, iseg_cohort, parts, tmp_path):
    before = start_weights(tmp_path / "before", ["T1", "T2"])
    options = {key: parts[key] for key in SIZES} | {"generator_width": QUICK["generator_width"], "section": "test"}
    options |= {"dataset_dir": str(iseg_cohort), "generator_weights": str(before / "generator.pt")}
    with refused("found 1 real one with labels, expected two or more"):
        workflow("infer", bundle, ["inference.json", "generate.json"], output_dir=str(tmp_path / "o"), **options).run()
