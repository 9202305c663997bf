"""The GT-layer transfer GAN's bundle as its users run it: through MONAI's command line and MONAI's workflow objects."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_under_test import BUNDLES, BundleUnderTest, items, over, refused, relisted, train_from, workflow
from gt_quick import QUICK
from monai.bundle import ConfigParser, verify_net_in_out

TESTED = BundleUnderTest("gt_transfer")
VARIANTS, parser = TESTED.variants, TESTED.parser
WIDTHS = {key: value for key, value in QUICK.items() if key.endswith("_width")}
SIZES = {**WIDTHS, "spacing": QUICK["spacing"], "patch_size": QUICK["patch_size"]}
# Patches from noise alone: batch norm wants two patches.
FROM_NOISE = {"standard_gan", "fm_gan"}
TRANSFERS = {"transfer", "generator_frozen", "encoders_frozen", "from_infants"}
OVER_BOTH = {"multi_stage", "last_features", "small", "paper", "adults", "infants", "mrbrains", "transfer"}
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


def test_labels_are_counted_and_the_rest_is_left_out(bundle, iseg_cohort, parts):
    """With one label of four the other three are seen by nobody, not even without their labels."""
    named = {item["subject"] for item in items(iseg_cohort, "unlabeled")}
    for names in (["train.json"], over("train", "no_unlabelled")):
        flow = workflow("train", bundle, names, labelled=1, **parts)
        data = [flow.parser.get_parsed_content(f"train#{part}").data for part in ("dataset", "unlabelled_dataset")]
        labelled, unlabelled = ({item["subject"] for item in part} for part in data)
        assert len(labelled) == 1
        assert unlabelled == (named if len(names) == 1 else labelled)
        assert all("label" not in item for item in data[1])


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


def test_without_unlabelled_subjects_the_error_names_the_variant_and_it_works(bundle, iseg_cohort, parts, tmp_path):
    parts["dataset_dir"] = str(relisted(iseg_cohort, tmp_path / "labelled_only", unlabeled=[]))
    with refused(r"list 'unlabeled' empty.*variants/no_unlabelled\.json"):
        workflow("train", bundle, ["train.json"], **parts).run()
    for variant in ("unet", "no_unlabelled"):
        own = {"output_dir": str(tmp_path / variant), "weights": str(tmp_path / f"{variant}.pt"), "epochs": 1}
        workflow("train", bundle, over("train", variant), **{**parts, **own}).run()
        assert (tmp_path / f"{variant}.pt").is_file()


def test_whoever_is_tested_is_never_drawn_without_a_label(bundle, iseg_cohort, parts, tmp_path):
    (held,) = items(iseg_cohort, "test")
    renamed = {"subject": "sub-stranger", "image": held["image"]}
    parts["dataset_dir"] = str(relisted(iseg_cohort, tmp_path / "leaky", unlabeled=[renamed]))
    with refused(f"sub-stranger of 'unlabeled' also in 'test', as {held['subject']}"):
        workflow("train", bundle, ["train.json"], **parts).run()


# --- evaluation and inference -----------------------------------------------------------------------------------


def test_evaluation_scores_each_tissue_and_saves_what_it_scored(bundle, iseg_cohort, weights, tmp_path):
    options = {**SIZES, "dataset_dir": str(iseg_cohort), "weights": str(weights), "output_dir": str(tmp_path / "out")}
    workflow("infer", bundle, ["inference.json", "evaluate.json"], **options).run()
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    (item,) = items(iseg_cohort, "test")
    assert [(row["subject"], row["region"]) for row in scores["subjects"]] == [
        (item["subject"], tissue) for tissue in ("CSF", "GM", "WM")
    ]
    prediction = np.asarray(nib.load(tmp_path / "out" / f"{item['subject']}_pred.nii.gz").dataobj)
    truth = np.asarray(nib.load(iseg_cohort / item["label"]).dataobj)
    for code, row in enumerate(scores["subjects"], start=1):
        dice = 2 * ((prediction == code) & (truth == code)).sum() / ((prediction == code).sum() + (truth == code).sum())
        assert row["dice"] == pytest.approx(dice, abs=1e-6)


def test_probabilities_lie_on_the_inputs_grid_and_the_label_is_the_likeliest(bundle, iseg_cohort, weights, tmp_path):
    options = {**SIZES, "dataset_dir": str(iseg_cohort), "weights": str(weights), "save_probabilities": True}
    workflow("infer", bundle, ["inference.json"], output_dir=str(tmp_path / "out"), **options).run()
    (item,) = items(iseg_cohort, "test")
    image = nib.load(iseg_cohort / item["image"][0])
    label = nib.load(tmp_path / "out" / f"{item['subject']}_pred.nii.gz")
    probability = nib.load(tmp_path / "out" / f"{item['subject']}_probability.nii.gz")
    assert label.shape == image.shape
    assert np.allclose(label.affine, image.affine)
    values = np.asarray(probability.dataobj)
    assert values.shape == (*image.shape, 4)
    assert values.min() >= 0
    assert values.sum(axis=-1).max() == pytest.approx(1, abs=1e-4)
    assert np.array_equal(values.argmax(axis=-1), np.asarray(label.dataobj))


def test_weights_of_another_size_are_refused(bundle, iseg_cohort, weights, tmp_path):
    options = {**SIZES, "discriminator_width": 4, "dataset_dir": str(iseg_cohort), "weights": str(weights)}
    with refused("same settings"):
        workflow("infer", bundle, ["inference.json"], output_dir=str(tmp_path / "out"), **options).run()


# --- what must agree, what clients ask for ------------------------------------------------------------------------

SAME = ("contrasts", "spacing", "patch_size", "discriminator_width", "outputs", "weights", "bundle_root")
SAME += ("network_def", "network", "device")


@pytest.mark.parametrize("variant", [None, *sorted(OVER_BOTH)])
def test_train_and_inference_agree(variant):
    """Also under an overlay that goes over both."""
    train, infer = (parser(*(over(name, variant) if variant else [f"{name}.json"])) for name in ("train", "inference"))
    for key in SAME:
        assert train[key] == infer[key], key
    for key in ("load", "orient", "resample", "crop_to_head", "scale_intensity", "to_signed"):
        ours, theirs = dict(train[key]), dict(infer[key])
        for config in (ours, theirs):  # training carries the label along; inference mends what training refuses
            for only in ("keys", "mode", "allow_missing_keys", "on_nonfinite"):
                config.pop(only, None)
        assert ours == theirs, key
    names = [name for name in train["validate#preprocessing#transforms"] if name != "@load_truth"]
    assert names == infer["preprocessing#transforms"]
    assert train["train#preprocessing#transforms"][:6] == train["validate#preprocessing#transforms"][:6]
    served = {key: value for key, value in infer["inferer"].items() if key not in ("precision", "sw_batch_size")}
    ours = {key: value for key, value in train["validate#inferer"].items() if key != "sw_batch_size"}
    # Fewer windows while training: validation is repeated, and the choice of an epoch needs no more.
    assert (ours.pop("overlap"), infer[served.pop("overlap")[1:]]) == (0.25, 0.5)
    assert ours == served


@pytest.mark.parametrize("variant", [None, *VARIANTS])
def test_several_processes_share_every_network_that_is_trained(variant):
    """Else each would train weights of its own, and nobody would notice."""
    content = parser("train.json", *([f"variants/{variant}.json"] if variant else []), "multi_gpu_train.json")
    for phase in content["phases"]:
        for name in content[phase[1:]]["trains"]:
            network = content[content["networks"][name][1:]]
            assert network["_target_"] == "ganglion.networks.share_network", (phase, name)


@pytest.mark.parametrize(("kind", "names"), [("train", ["train.json"]), ("infer", ["inference.json"])])
def test_properties_that_clients_ask_for_exist(kind, names, bundle, iseg_cohort, weights):
    flow = workflow(kind, bundle, names, dataset_dir=str(iseg_cohort), weights=str(weights), **SIZES)
    assert not flow.check_properties()


def test_metadata_describes_the_network(bundle, monkeypatch):
    monkeypatch.chdir(bundle)
    verify_net_in_out(net_id="network_def", config_file="configs/inference.json", meta_file="configs/metadata.json")
    metadata = json.loads((TESTED.configs / "metadata.json").read_text())
    assert metadata["version"] in metadata["changelog"]
    channels = metadata["network_data_format"]["inputs"]["image"]["channel_def"]
    assert list(channels.values()) == parser("inference.json")["contrasts"]
    tissues = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    regions = parser("inference.json", "evaluate.json")["score#regions"]
    names = {"CSF": "cerebro-spinal fluid", "GM": "gray matter", "WM": "white matter"}  # viewers know their colours
    expected = {"background": 0, **{names[region]: code for region, code in regions.items()}}
    assert {name: int(code) for code, name in tissues.items()} == expected


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
