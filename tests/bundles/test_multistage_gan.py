"""The multi-stage GAN's bundle as its users run it: through MONAI's command line and MONAI's workflow objects."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_under_test import BundleUnderTest, items, over, refused, relisted, train_from, workflow
from monai.bundle import verify_net_in_out
from multistage_quick import QUICK

TESTED = BundleUnderTest("multistage_gan")
VARIANTS, parser = TESTED.variants, TESTED.parser
WIDTHS = {key: value for key, value in QUICK.items() if key.endswith("_width")}
SIZES = {**WIDTHS, "spacing": QUICK["spacing"], "patch_size": QUICK["patch_size"]}
# The discriminator itself is what labels; no network stands beside it, or one that makes patches from noise.
BASELINES = {"unet", "standard_gan", "fm_gan", "bad_gan"}
OVER_BOTH = BASELINES | {"one_stage", "no_fusion", "plain_skips", "small", "paper", "adults"}
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
    names = over("inference", variant) if variant in OVER_BOTH | {"mrbrains"} else ["inference.json"]
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
    options = {**SIZES, "refiner_width": 4, "dataset_dir": str(iseg_cohort), "weights": str(weights)}
    with refused("same settings"):
        workflow("infer", bundle, ["inference.json"], output_dir=str(tmp_path / "out"), **options).run()


# --- what must agree, what clients ask for ------------------------------------------------------------------------

SAME = ("contrasts", "spacing", "patch_size", "coarse_width", "refiner_width", "discriminator_width", "outputs")
SAME += ("fusion", "skips", "weights", "bundle_root", "coarse_def", "refiner_def", "network_def", "network", "device")


@pytest.mark.parametrize("variant", [None, *sorted(OVER_BOTH | {"mrbrains"})])
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


def test_papers_sizes_are_those_of_the_method():
    """Parameters in millions: G1, G2, G3, D, and what labels."""
    content = parser(*over("train", "paper"))
    names = ("coarse_def", "generator_def", "refiner_def", "discriminator_def", "network_def")
    counts = [sum(p.numel() for p in content.get_parsed_content(name).parameters()) for name in names]
    assert [round(count / 1e6, 2) for count in counts] == [1.63, 5.87, 12.08, 6.53, 13.71]
    batch = content["volumes_per_batch"] * content["patches_per_volume"]
    assert (batch, content["epochs"], content["learning_rate"]) == (30, 80, 0.0001)
