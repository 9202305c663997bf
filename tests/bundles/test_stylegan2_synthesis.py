"""The StyleGAN2 bundle as its users run it: trained, drawn from, and a segmenter trained on what was drawn."""

import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_under_test import BUNDLES, BundleUnderTest, call, command, over, workflow
from monai.bundle import ConfigWorkflow, verify_net_in_out
from stylegan2_quick import QUICK, SEGMENTER_QUICK

from ganglion.networks.stylegan2_synthesis import SIZES

TESTED = BundleUnderTest("stylegan2_synthesis")
CONFIGS, parser = TESTED.configs, TESTED.parser
OVERLAYS = {path.stem: json.loads(path.read_text())["_desc_"] for path in (CONFIGS / "variants").glob("*.json")}
OF_TRAINING = sorted(name for name, text in OVERLAYS.items() if text.startswith("Overlay on train_generator.json"))
OF_SEGMENTER = sorted(name for name, text in OVERLAYS.items() if text.startswith("Overlay on train.json"))
SAME_SIZE = {key: QUICK[key] for key in ("resolution", "spacing")}


@pytest.fixture(autouse=True)
def few_channels(monkeypatch):
    for size, (_, _, layers) in list(SIZES.items()):
        monkeypatch.setitem(SIZES, size, (256, 16, layers))


def save_network(path: Path, name: str, key: str, **overrides) -> str:
    torch.save(parser(name, **overrides).get_parsed_content(key).state_dict(), path)
    return str(path)


@pytest.fixture
def generator(tmp_path):
    """Weights of a small generator that was not trained."""
    return save_network(tmp_path / "generator.pt", "generate.json", "generator_def", **SAME_SIZE)


@pytest.fixture
def samples(bundle, generator, tmp_path):
    """Twelve samples that it drew."""
    folder = tmp_path / "samples"
    options = {**SAME_SIZE, "generator_weights": generator, "output_dir": str(folder), "count": 12, "walk": [1, 2]}
    workflow("infer", bundle, ["generate.json"], **options).run()
    return folder


# --- the generator ----------------------------------------------------------------------------------------------


QUICKLY = {"second_discriminator", "no_path_length", "augmentation"}  # those that change more than a number


@pytest.mark.parametrize(
    "variant",
    [None, *[name if name in QUICKLY else pytest.param(name, marks=pytest.mark.slow) for name in OF_TRAINING]],
)
def test_every_variant_trains(variant, bundle, brats_cohort, tmp_path):
    options = {**QUICK, "dataset_dir": str(brats_cohort), "output_dir": str(tmp_path / "run")}
    names = ["train_generator.json"] + ([f"variants/{variant}.json"] if variant else [])
    weights = tmp_path / "generator.pt"
    flow = workflow("train", bundle, names, generator_weights=str(weights), **options)
    flow.run()
    trainer = flow.parser.get_parsed_content("train#trainer")
    assert trainer.state.iteration == 2
    expected = {"average", "generator", "discriminator"} | (
        {"label_discriminator"} if variant == "second_discriminator" else set()
    )
    assert {path.stem for path in (tmp_path / "run" / "networks").iterdir()} == expected
    drawn = torch.load(weights, weights_only=True)
    start = parser(*names, **QUICK).get_parsed_content("network_def").state_dict()
    assert set(drawn) == set(start)
    columns = (tmp_path / "run" / "history.csv").read_text().splitlines()[0]
    assert "discriminator_penalty/accuracy_without_labels" in columns
    assert ("path_length/length" in columns) == (variant != "no_path_length")


def test_the_sweep_found_all_variants():
    assert set(OF_TRAINING) | set(OF_SEGMENTER) == set(OVERLAYS)
    assert {"small", "half", "paper", "augmentation", "soft", "distance"} <= set(OF_TRAINING)
    named = ["drawn_and_real", "drawn_only", "flipped_and_real", "paper_segmenter", "three_drawn_and_real"]
    assert named == OF_SEGMENTER


def test_the_paper_trains_as_configuration_f():
    """25 million images in batches of 32, channels of 32768, gamma 10."""
    paper = parser("train_generator.json", "variants/paper.json")
    assert paper["epochs"] * paper["images_per_epoch"] == 25_000_000
    assert (paper["batch_size"], paper["gamma"], paper["resolution"]) == (32, 10.0, 256)
    optimizer = parser("train_generator.json", **SAME_SIZE).get_parsed_content("discriminator_optimizer")
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.002 * 16 / 17)


def test_drawn_samples_are_a_data_set_with_pictures(samples, generator):
    content = json.loads((samples / "dataset.json").read_text())
    assert (len(content["training"]), len(content["validation"])) == (11, 1)
    item = content["training"][0]
    images = [nib.load(samples / file) for file in item["image"]]
    label = np.asarray(nib.load(samples / item["label"]).dataobj)
    assert {image.shape for image in images} == {(32, 32, 1)} == {label.shape}
    assert set(np.unique(label)) <= {0, 1, 2, 3}
    assert {"grid.png", "walk.png"} <= {path.name for path in samples.iterdir()}


def test_another_bundle_trains_on_drawn_samples_as_they_are(samples, tmp_path):
    source = BUNDLES / "segan_transfer" / "configs" / "train.json"
    options = {"epochs": 1, "val_interval": 1, "width": 4, "slices_per_volume": 1, "tensorboard": False}
    flow = ConfigWorkflow(
        config_file=str(source), workflow_type="train", logging_file=False, bundle_root=str(tmp_path),
        dataset_dir=str(samples), output_dir=str(tmp_path / "segan"), weights=str(tmp_path / "segan.pt"), **options,
    )  # fmt: skip
    flow.initialize()
    flow.run()
    assert (tmp_path / "segan.pt").is_file()


def test_real_slices_are_looked_for_in_the_latent_space(bundle, brats_cohort, generator, tmp_path):
    options = {**SAME_SIZE, "generator_weights": generator, "dataset_dir": str(brats_cohort), "steps": 2, "count": 2}
    out = tmp_path / "projected"
    workflow("infer", bundle, ["project.json"], output_dir=str(out), tumour_only=False, **options).run()
    assert {"projection.png", "styles.pt", "projection.json"} <= {path.name for path in out.iterdir()}
    train, project = parser("train_generator.json"), parser("project.json")
    for key in (
        "load",
        "load_truth",
        "orient",
        "resample",
        "crop_to_head",
        "scale_intensity",
        "fit_plane",
        "to_signed",
    ):
        assert train[key] == project[key], key
    assert project["generator_def"] == train["network_def"]


def test_drawn_slices_are_compared_with_real_ones(bundle, brats_cohort, generator, tmp_path):
    weights = save_network(tmp_path / "model.pt", "compare.json", "network_def", features=SEGMENTER_QUICK["features"])
    options = {**SAME_SIZE, "generator_weights": generator, "weights": weights, "dataset_dir": str(brats_cohort)}
    options |= {"features": SEGMENTER_QUICK["features"], "count": 8, "output_dir": str(tmp_path / "compared")}
    workflow("infer", bundle, ["compare.json"], **options).run()
    result = json.loads((tmp_path / "compared" / "generation.json").read_text())
    assert {"sliced_wasserstein", "likeness", "memorisation", "labels", "features"} < set(result)
    assert parser("compare.json")["network_def"] == parser("inference.json")["network_def"]


@pytest.mark.slow
def test_the_chain_by_the_command_line(bundle, brats_cohort, tmp_path):
    def run(run_id, name, **options):
        words = command(run_id, bundle / "configs" / name, bundle_root=bundle, **{**SAME_SIZE, **options})
        done = call(words, tmp_path, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr

    run("training", "train_generator.json", dataset_dir=brats_cohort, **QUICK)
    run("generating", "generate.json", count=6)
    drawn = bundle / "eval" / "samples" / "reference"
    options = {**SEGMENTER_QUICK, "dataset_dir": brats_cohort, "drawn_dir": drawn, "drawn_share": 1.0}
    run("training", "train.json", **options)
    run("inference", "inference.json", dataset_dir=brats_cohort, features=SEGMENTER_QUICK["features"])
    assert list((bundle / "eval" / "reference").glob("*_pred.nii.gz"))


# --- the segmenter ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variant",
    [
        None,
        "drawn_only",
        *[pytest.param(f"{name}_and_real", marks=pytest.mark.slow) for name in ("drawn", "three_drawn", "flipped")],
    ],
)
def test_the_segmenter_trains_on_real_and_drawn_slices(variant, bundle, brats_cohort, samples, tmp_path):
    options = {**SEGMENTER_QUICK, "dataset_dir": str(brats_cohort), "drawn_dir": str(samples)}
    names = ["train.json"] + ([f"variants/{variant}.json"] if variant else [])
    weights = str(tmp_path / "model.pt")
    flow = workflow("train", bundle, names, weights=weights, output_dir=str(tmp_path / "run"), **options)
    flow.run()
    trainer = flow.parser.get_parsed_content("train#trainer")
    seen = {item["subject"].split("-")[0] for item in trainer.data_loader.dataset.data}
    real, drawn = flow.parser["real_share"] > 0, flow.parser["drawn_share"] > 0
    assert seen == ({"sub"} if real else set()) | ({"sample"} if drawn else set())
    if variant is None:
        keep = {"dataset_dir": str(brats_cohort), "weights": weights, "output_dir": str(tmp_path / "scores")}
        keep |= {key: options[key] for key in ("spacing", "features")}
        workflow("infer", bundle, ["inference.json", "evaluate.json"], **keep).run()
        scores = json.loads((tmp_path / "scores" / "scores.json").read_text())
        assert list(scores["summary"]) == ["whole tumour", "tumour core", "enhancing", "necrotic", "oedema"]
        for row in [each for each in scores["subjects"] if each["region"] == "tumour core"]:
            prediction = np.asarray(nib.load(tmp_path / "scores" / f"{row['subject']}_pred.nii.gz").dataobj)
            truth = np.asarray(nib.load(brats_cohort / row["subject"] / f"{row['subject']}_label.nii.gz").dataobj)
            ours, theirs = np.isin(prediction, (1, 3)), np.isin(truth, (1, 3))
            assert row["dice"] == pytest.approx(2 * (ours & theirs).sum() / max(ours.sum() + theirs.sum(), 1), abs=1e-6)


# --- what must agree, what clients ask for ----------------------------------------------------------------------


def test_what_must_agree_agrees():
    train, generate = parser("train_generator.json"), parser("generate.json")
    assert train["network_def"] == generate["generator_def"]
    for key in ("contrasts", "labels", "spacing", "resolution", "size", "head", "generator_weights", "bundle_root"):
        assert train[key] == generate[key], key
    segmenter, infer = parser("train.json"), parser("inference.json")
    for key in ("network_def", "network", "contrasts", "labels", "spacing", "features", "weights", "bundle_root"):
        assert segmenter[key] == infer[key], key
    for key in ("load", "orient", "resample", "crop_to_head", "scale_intensity"):
        ours, theirs = dict(segmenter[key]), dict(infer[key])
        for config in (ours, theirs):  # training carries the label along; inference mends what training refuses
            for only in ("keys", "mode", "on_nonfinite"):
                config.pop(only, None)
        assert ours == theirs, key
        assert segmenter[key] == train[key], key
    names = [name for name in segmenter["validate#preprocessing#transforms"] if name != "@load_truth"]
    assert names == infer["preprocessing#transforms"]
    served = dict(infer["inferer"], sw_batch_size=None)
    assert infer[served.pop("precision")[1:]] == "fp32"
    assert dict(segmenter["validate#inferer"], sw_batch_size=None) == served


@pytest.mark.parametrize(
    ("name", "variant"), [("train", None), *(("train_generator", variant) for variant in (None, *OF_TRAINING))]
)
def test_several_processes_share_every_network_that_is_trained(name, variant):
    """Else each would train weights of its own, and nobody would notice."""
    content = parser(*(over(name, variant) if variant else [f"{name}.json"]), f"multi_gpu_{name}.json")
    for phase in content.get().get("phases", ["@phase"]):
        trains = content[phase[1:]]["trains"]
        for network in content[trains[1:]] if isinstance(trains, str) else trains:
            definition = content[content["networks"][network][1:]]
            assert definition["_target_"] == "ganglion.networks.share_network", (phase, network)


@pytest.mark.multigpu
@pytest.mark.parametrize(("name", "quick"), [("train", SEGMENTER_QUICK), ("train_generator", QUICK)])
def test_two_processes_train_together(name, quick, bundle, brats_cohort, tmp_path):
    configs = [bundle / "configs" / f"{each}.json" for each in (name, f"multi_gpu_{name}")]
    options = {**quick, "dataset_dir": brats_cohort, "output_dir": tmp_path / "run", "bundle_root": bundle}
    _, *words = command("training", *configs, **options)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = call([*launch, *words], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert rows[1].split(",")[:2] == ["1", "1"]  # of 8 slices each process has taken 4


def test_metadata_describes_the_network(bundle, monkeypatch):
    monkeypatch.chdir(bundle)
    verify_net_in_out(net_id="network_def", config_file="configs/inference.json", meta_file="configs/metadata.json")
    metadata = json.loads((CONFIGS / "metadata.json").read_text())
    assert metadata["version"] in metadata["changelog"]
    channels = metadata["network_data_format"]["inputs"]["image"]["channel_def"]
    assert list(channels.values()) == parser("inference.json")["contrasts"]


def test_properties_that_clients_ask_for_exist(bundle, brats_cohort, tmp_path):
    weights = save_network(tmp_path / "model.pt", "inference.json", "network_def")
    flow = workflow("infer", bundle, ["inference.json"], dataset_dir=str(brats_cohort), weights=weights)
    assert not flow.check_properties()
    for name in ("train.json", "train_generator.json"):
        quick = {"dataset_dir": str(brats_cohort), "spacing": QUICK["spacing"], "resolution": QUICK["resolution"]}
        assert not workflow("train", bundle, [name], **quick).check_properties()
