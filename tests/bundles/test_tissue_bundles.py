"""What holds for every bundle that labels tissue from few labels: data, labels, scores, agreement, metadata."""

import json

import gt_quick
import multistage_quick
import nibabel as nib
import numpy as np
import pytest
from bundle_under_test import items, over, refused, relisted, workflow
from monai.bundle import verify_net_in_out

TISSUE = (gt_quick, multistage_quick)


def of_both(variants) -> list:
    """Each bundle without an overlay and with each of some of its variants."""
    return [
        pytest.param(tested, variant, id=f"{tested.TESTED.folder.name}-{variant}")
        for tested in TISSUE
        for variant in (None, *variants(tested))
    ]


@pytest.fixture(params=TISSUE, ids=lambda tested: tested.TESTED.folder.name)
def under_test(request):
    """In place of the file's own bundle: one after the other."""
    return request.param


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


def test_evaluation_scores_each_tissue_and_saves_what_it_scored(under_test, bundle, iseg_cohort, weights, tmp_path):
    options = {
        **under_test.SIZES,
        "dataset_dir": str(iseg_cohort),
        "weights": str(weights),
        "output_dir": str(tmp_path / "out"),
    }
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


def test_probabilities_lie_on_the_inputs_grid_and_the_label_is_the_likeliest(
    under_test, bundle, iseg_cohort, weights, tmp_path
):
    options = {**under_test.SIZES, "dataset_dir": str(iseg_cohort), "weights": str(weights), "save_probabilities": True}
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


def test_weights_of_another_size_are_refused(under_test, bundle, iseg_cohort, weights, tmp_path):
    options = {**under_test.SIZES, **under_test.OTHER_WIDTH, "dataset_dir": str(iseg_cohort), "weights": str(weights)}
    with refused("same settings"):
        workflow("infer", bundle, ["inference.json"], output_dir=str(tmp_path / "out"), **options).run()


@pytest.mark.parametrize(("tested", "variant"), of_both(lambda tested: sorted(tested.OVER_BOTH)))
def test_train_and_inference_agree(tested, variant):
    """Also under an overlay that goes over both."""
    train, infer = (
        tested.TESTED.parser(*(over(name, variant) if variant else [f"{name}.json"])) for name in ("train", "inference")
    )
    for key in tested.SAME:
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


@pytest.mark.parametrize(("tested", "variant"), of_both(lambda tested: tested.TESTED.variants))
def test_several_processes_share_every_network_that_is_trained(tested, variant):
    """Else each would train weights of its own, and nobody would notice."""
    content = tested.TESTED.parser(
        "train.json", *([f"variants/{variant}.json"] if variant else []), "multi_gpu_train.json"
    )
    for phase in content["phases"]:
        for name in content[phase[1:]]["trains"]:
            network = content[content["networks"][name][1:]]
            assert network["_target_"] == "ganglion.networks.share_network", (phase, name)


@pytest.mark.parametrize(("kind", "names"), [("train", ["train.json"]), ("infer", ["inference.json"])])
def test_properties_that_clients_ask_for_exist(under_test, kind, names, bundle, iseg_cohort, weights):
    flow = workflow(kind, bundle, names, dataset_dir=str(iseg_cohort), weights=str(weights), **under_test.SIZES)
    assert not flow.check_properties()


def test_metadata_describes_the_network(under_test, bundle, monkeypatch):
    monkeypatch.chdir(bundle)
    verify_net_in_out(net_id="network_def", config_file="configs/inference.json", meta_file="configs/metadata.json")
    metadata = json.loads((under_test.TESTED.configs / "metadata.json").read_text())
    assert metadata["version"] in metadata["changelog"]
    channels = metadata["network_data_format"]["inputs"]["image"]["channel_def"]
    assert list(channels.values()) == under_test.TESTED.parser("inference.json")["contrasts"]
    tissues = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    regions = under_test.TESTED.parser("inference.json", "evaluate.json")["score#regions"]
    names = {"CSF": "cerebro-spinal fluid", "GM": "gray matter", "WM": "white matter"}  # viewers know their colours
    expected = {"background": 0, **{names[region]: code for region, code in regions.items()}}
    assert {name: int(code) for code, name in tissues.items()} == expected
