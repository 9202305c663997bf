"""The SegAN bundle as its users run it: through MONAI's command line and through MONAI's workflow objects."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_under_test import BundleUnderTest, call, command, items, workflow
from monai.bundle import verify_net_in_out
from segan_quick import QUICK

TESTED = BundleUnderTest("segan_transfer")
BUNDLE, VARIANTS, parser = TESTED.folder, TESTED.variants, TESTED.parser


@pytest.fixture
def weights(bundle):
    """Weights of a width-4 segmenter for four contrasts."""
    torch.manual_seed(0)
    network = parser("inference.json", width=4).get_parsed_content("network_def")
    path = bundle / "models" / "tiny.pt.weights"
    torch.save(network.state_dict(), path)
    return path


# --- training ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["repository", "bundle", "elsewhere"])
def test_training_runs_from_anywhere(place, bundle, brats_cohort, tmp_path):
    """From the repository root and from the bundle's folder with no bundle_root, from elsewhere with it."""
    options = {**QUICK, "dataset_dir": brats_cohort}
    if place == "repository":
        root = tmp_path / "clone"
        (root / "bundles").mkdir(parents=True)
        bundle = Path(shutil.move(bundle, root / "bundles" / "segan_transfer"))
        result = call(command("training", "bundles/segan_transfer/configs/train.json", **options), root)
    elif place == "bundle":
        result = call(command("training", "configs/train.json", **options), bundle)
    else:
        away = tmp_path / "away"
        away.mkdir()
        result = call(command("training", bundle / "configs" / "train.json", bundle_root=bundle, **options), away)
        assert not list(away.iterdir())
    assert result.returncode == 0, result.stdout + result.stderr
    state = torch.load(bundle / "models" / "model.pt", weights_only=True)
    assert state["out.2.weight"].shape == (1, 4, 3, 3)
    assert (bundle / "models" / "model.pt.previous").exists() == (BUNDLE / "models" / "model.pt").exists()
    run = bundle / "runs" / "reference"
    assert {"critic.pt", "segmenter.pt"} <= {p.name for p in (run / "networks").iterdir()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_trains_and_labels(variant, bundle, brats_cohort, tmp_path):
    options = {**QUICK, "dataset_dir": str(brats_cohort)}
    if variant == "paper":
        options |= {"slice_size": [48, 48], "window": [48, 48]}
    if variant == "fine_tune":
        content = parser("train.json", width=4)
        for part, file in (("network_def", "model.pt"), ("critic_def", "critic.pt")):
            torch.save(content.get_parsed_content(part).state_dict(), tmp_path / file)
        options["critic_weights"] = str(tmp_path / "critic.pt")
    names = ["train.json", f"variants/{variant}.json"]
    flow = workflow(
        "train", bundle, names, output_dir=str(tmp_path / "run"), weights=str(tmp_path / "model.pt"), **options
    )
    flow.run()
    trainer = flow.parser.get_parsed_content("train#trainer")
    assert trainer.state.iteration >= 1
    assert np.isfinite(trainer.state.metrics.get("dice", 0.0))
    if variant in ("t1", "t1ce", "t2", "flair", "paper", "small"):
        keep = {key: options[key] for key in ("width", "dataset_dir")}
        names = ["inference.json", f"variants/{variant}.json"]
        labels = tmp_path / "labels"
        workflow("infer", bundle, names, output_dir=str(labels), weights=str(tmp_path / "model.pt"), **keep).run()
        assert len(list(labels.glob("*_pred.nii.gz"))) == len(items(brats_cohort, "test"))


def test_the_sweep_found_all_variants():
    assert len(VARIANTS) == 18
    wanted = {"paper", "small", "four_contrasts", "t1", "t1ce", "t2", "flair"}
    assert wanted | {"no_critic", "map_distance", "frozen_critic"} <= set(VARIANTS)


def test_a_frozen_critic_stays_as_it_was_given(bundle, brats_cohort, tmp_path):
    first = parser("train.json", width=4)
    for name in ("segmenter", "critic"):
        key = {"segmenter": "network_def", "critic": "critic_def"}[name]
        torch.save(first.get_parsed_content(key).state_dict(), tmp_path / f"{name}.start")
    start = {name: str(tmp_path / f"{name}.start") for name in ("segmenter", "critic")}
    options = {**QUICK, "dataset_dir": str(brats_cohort), "start_from": start, "output_dir": str(tmp_path / "run")}
    flow = workflow(
        "train", bundle, ["train.json", "variants/frozen_critic.json"], weights=str(tmp_path / "m.pt"), **options
    )
    flow.run()
    for name, moves in (("segmenter", True), ("critic", False)):
        before = torch.load(tmp_path / f"{name}.start", weights_only=True)
        after = torch.load(tmp_path / "run" / "networks" / f"{name}.pt", weights_only=True)
        assert any(not torch.equal(before[k], after[k]) for k in before) is moves


def test_mlflow_and_tensorboard_record_a_run(bundle, brats_cohort, tmp_path):
    pytest.importorskip("mlflow", reason="mlflow is an extra: pip install ganglion[mlflow]")
    options = {**QUICK, "tensorboard": True, "dataset_dir": str(brats_cohort), "output_dir": str(tmp_path / "run")}
    flow = workflow("train", bundle, ["train.json"], tracking="mlflow", **options)
    flow.run()
    flow.finalize()
    assert list((tmp_path / "run").rglob("events.out.tfevents*"))
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/run/mlruns.db")
    runs = client.search_runs([client.get_experiment_by_name("monai_experiment").experiment_id])
    assert any("train_loss" in run.data.metrics for run in runs)


# --- evaluation and inference -----------------------------------------------------------------------------------


def test_evaluation_scores_every_test_subject_and_saves_what_it_scored(bundle, brats_cohort, weights, tmp_path):
    options = {"width": 4, "dataset_dir": str(brats_cohort), "weights": str(weights), "output_dir": str(tmp_path)}
    workflow("infer", bundle, ["inference.json", "evaluate.json"], **options).run()
    subjects = {item["subject"]: item for item in items(brats_cohort, "test")}
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert {row["subject"] for row in scores["subjects"]} == set(subjects)
    for row in scores["subjects"]:
        prediction = np.asarray(nib.load(tmp_path / f"{row['subject']}_pred.nii.gz").dataobj) > 0
        truth = np.asarray(nib.load(brats_cohort / subjects[row["subject"]]["label"]).dataobj) > 0
        dice = 2 * (prediction & truth).sum() / max(prediction.sum() + truth.sum(), 1)
        assert row["dice"] == pytest.approx(dice, abs=1e-6)


def test_output_lies_on_the_inputs_grid_in_every_form_of_input(bundle, brats_cohort, weights, tmp_path):
    """A list of files, one 4-D file and one contrast beside its siblings give the same labels on the same grid."""
    item = items(brats_cohort, "test")[0]
    files = [brats_cohort / f for f in item["image"]]
    volumes = [nib.load(f) for f in files]
    stacked = tmp_path / "stacked.nii.gz"
    nib.save(nib.Nifti1Image(np.stack([np.asarray(v.dataobj) for v in volumes], -1), volumes[0].affine), stacked)
    results = {}
    for form, images in {"list": [[str(f) for f in files]], "4d": [str(stacked)], "sibling": [str(files[3])]}.items():
        out = tmp_path / form
        options = {
            "width": 4,
            "images": images,
            "weights": str(weights),
            "output_dir": str(out),
            "save_probabilities": True,
        }
        workflow("infer", bundle, ["inference.json"], **options).run()
        (saved,) = out.glob("*_pred.nii.gz")
        results[form] = nib.load(saved)
        probability = np.asarray(nib.load(next(out.glob("*_probability.nii.gz"))).dataobj)
        assert 0 <= probability.min() <= probability.max() <= 1
        assert np.array_equal(probability >= 0.5, np.asarray(results[form].dataobj) > 0)
    for result in results.values():
        assert result.shape == volumes[0].shape
        assert np.allclose(result.affine, volumes[0].affine)
        assert np.array_equal(np.asarray(result.dataobj), np.asarray(results["list"].dataobj))


# --- what must agree, what clients ask for ------------------------------------------------------------------------


def test_train_and_inference_agree():
    train, infer = parser("train.json"), parser("inference.json")
    for key in (
        "contrasts",
        "spacing",
        "window",
        "width",
        "weights",
        "bundle_root",
        "network_def",
        "network",
        "device",
    ):
        assert train[key] == infer[key], key
    for key in ("load", "orient", "resample", "crop_to_head", "scale_intensity"):
        ours, theirs = dict(train[key]), dict(infer[key])
        for config in (ours, theirs):  # training carries the label along; inference mends what training refuses
            for only in ("keys", "mode", "allow_missing_keys", "on_nonfinite"):
                config.pop(only, None)
        assert ours == theirs, key
    names = [t for t in train["validate#preprocessing#transforms"] if t not in ("@load_truth", "@whole_tumour")]
    assert names == infer["preprocessing#transforms"]
    assert train["train#preprocessing#transforms"][:7] == train["validate#preprocessing#transforms"]
    served = dict(infer["inferer"], sw_batch_size=None)
    assert infer[served.pop("precision")[1:]] == "fp32"  # training validates in full precision
    assert dict(train["validate#inferer"], sw_batch_size=None) == served


@pytest.mark.parametrize(("kind", "names"), [("train", ["train.json"]), ("infer", ["inference.json"])])
def test_properties_that_clients_ask_for_exist(kind, names, bundle, brats_cohort, weights):
    flow = workflow(kind, bundle, names, dataset_dir=str(brats_cohort), width=4, weights=str(weights))
    assert not flow.check_properties()


def test_metadata_describes_the_network(bundle, monkeypatch):
    monkeypatch.chdir(bundle)
    verify_net_in_out(net_id="network_def", config_file="configs/inference.json", meta_file="configs/metadata.json")
    metadata = json.loads((TESTED.configs / "metadata.json").read_text())
    assert metadata["version"] in metadata["changelog"]
    channels = metadata["network_data_format"]["inputs"]["image"]["channel_def"]
    assert list(channels.values()) == parser("inference.json")["contrasts"]


def test_shipped_weights_fit_the_reference_configuration():
    path = BUNDLE / "models" / "model.pt"
    assert path.stat().st_size <= 5 * 2**20
    network = parser("inference.json").get_parsed_content("network_def")
    network.load_state_dict(torch.load(path, weights_only=True), strict=True)
    assert [p.name for p in (BUNDLE / "models").glob("*.pt")] == ["model.pt"]


# --- faults -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("missing", "no such folder"),
        ("empty", "dataset.json"),
        ("channels", "FLAIR"),
        ("weights", "same settings"),
    ],
)
def test_faults_end_in_one_line_that_says_how_to_mend_it(fault, says, bundle, brats_cohort, weights, tmp_path):
    options = {
        "width": 4,
        "weights": weights,
        "dataset_dir": brats_cohort,
        "bundle_root": bundle,
        "output_dir": tmp_path / "out",
    }
    if fault == "missing":
        options["dataset_dir"] = tmp_path / "nowhere"
    elif fault == "empty":
        (tmp_path / "empty").mkdir()
        options["dataset_dir"] = tmp_path / "empty"
    elif fault == "channels":
        item = items(brats_cohort, "test")[0]
        options["images"] = repr([[str(brats_cohort / f) for f in item["image"][:3]]])
    else:
        options["width"] = 8
    result = call(command("inference", bundle / "configs" / "inference.json", **options), tmp_path)
    lines = result.stderr.strip().splitlines()
    assert result.returncode == 2, result.stdout + result.stderr
    assert len(lines) <= 3, lines
    assert "Traceback" not in result.stdout + result.stderr
    assert says in lines[-1]
