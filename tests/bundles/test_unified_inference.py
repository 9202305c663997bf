"""The unified bundle as its users run it once it is trained: any subset of contrasts, scores, translations, faults."""

import json
import re
import shutil
from itertools import combinations
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_under_test import call, command, items, refused, relisted, workflow
from monai.bundle import verify_net_in_out
from monai.data import decollate_batch, list_data_collate
from unified_quick import SIZES, TESTED, WIDTHS

from ganglion.data.unpair import unpair
from ganglion.errors import InputError, find_user_error
from ganglion.reports.on_folder import report_on

parser = TESTED.parser
CONTRASTS = ("T1", "T1ce", "T2", "FLAIR")
ALL = "T1+T1ce+T2+FLAIR"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Weights of a network that marks something and whose code bears on it."""
    torch.manual_seed(0)
    content, folder = parser("inference.json", "translate.json", **WIDTHS), tmp_path_factory.mktemp("weights")
    for part, name in (("network_def", "model.pt"), ("translator_def", "translator.pt")):
        network = content.get_parsed_content(part)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
        torch.save(network.state_dict(), folder / name)
    return folder


@pytest.fixture
def options(trained, brats_cohort, tmp_path):
    """What each run is given."""
    places = {"dataset_dir": str(brats_cohort), "weights": str(trained / "model.pt"), "output_dir": str(tmp_path / "o")}
    return {**SIZES, **places}


@pytest.fixture(scope="module")
def one(brats_cohort, tmp_path_factory):
    """One subject to test, whose brain is where all contrasts are above 0, so that each is cropped to the same box."""
    folder = tmp_path_factory.mktemp("one")
    item = items(brats_cohort, "test")[0]
    folder = relisted(brats_cohort, folder / "cohort", test=[item])
    volumes = [nib.load(folder / file) for file in item["image"]]
    brain = np.all([np.asarray(volume.dataobj) > 0 for volume in volumes], axis=0)
    for file, volume in zip(item["image"], volumes, strict=True):
        nib.save(nib.Nifti1Image(np.asarray(volume.dataobj) * brain, volume.affine), folder / file)
    return folder


def run(bundle, options, *names, **more):
    workflow("infer", bundle, [f"{name}.json" for name in ("inference", *names)], **{**options, **more}).run()
    return Path({**options, **more}["output_dir"])


def voxels(path):
    return np.asarray(nib.load(path).dataobj)


def scans(cohort, number=0):
    item = items(cohort, "test")[number]
    return item["subject"], [cohort / file for file in item["image"]]


# --- any subset ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", [("T2",), ("FLAIR", "T1ce")], ids="+".join)
def test_a_subset_gives_the_labels_that_these_files_alone_give(taken, bundle, brats_cohort, options, tmp_path):
    out = run(bundle, options, take=list(taken))
    assert len(list(out.glob("*_pred.nii.gz"))) == len(items(brats_cohort, "test"))
    subject, files = scans(brats_cohort)
    alone = [shutil.copy(files[CONTRASTS.index(name)], tmp_path) for name in taken]
    for form in (alone[0], [alone]):
        by_hand = run(bundle, options, images=form, output_dir=str(tmp_path / str(type(form))))
        (saved,) = by_hand.glob("*_pred.nii.gz")
        assert saved.name == f"{subject}_pred.nii.gz"
        assert np.array_equal(voxels(saved), voxels(out / saved.name))
        assert nib.load(saved).shape == nib.load(files[0]).shape
        assert np.allclose(nib.load(saved).affine, nib.load(files[0]).affine)


def test_one_contrast_after_the_other_gives_other_labels_but_the_same_twice(bundle, one, options, tmp_path):
    made, options["dataset_dir"] = {}, str(one)
    for name in (*CONTRASTS, "T1"):
        out = run(bundle, options, take=[name], output_dir=str(tmp_path / "out"))
        made.setdefault(name, []).append(voxels(next(out.glob("*_pred.nii.gz"))))
    assert np.array_equal(*made["T1"])
    assert len({made[name][0].tobytes() for name in CONTRASTS}) == 4


def test_a_4d_file_is_labelled_as_its_channels_are(bundle, brats_cohort, options, tmp_path):
    _, files = scans(brats_cohort)
    volumes = [nib.load(file) for file in files]
    stacked = tmp_path / "stacked.nii.gz"
    nib.save(nib.Nifti1Image(np.stack([np.asarray(v.dataobj) for v in volumes], -1), volumes[0].affine), stacked)
    one = run(bundle, options, images=[str(stacked)], output_dir=str(tmp_path / "4d"))
    other = run(bundle, options, images=[[str(file) for file in files]], save_probabilities=True)
    assert np.array_equal(*(voxels(next(out.glob("*_pred.nii.gz"))) for out in (one, other)))
    probability = voxels(next(other.glob("*_probability.nii.gz")))
    assert 0 <= probability.min() <= probability.max() <= 1 + 1e-6
    assert np.array_equal(probability >= 0.5, voxels(next(other.glob("*_pred.nii.gz"))) > 0)


def test_an_unpaired_data_set_is_labelled_as_it_is(bundle, brats_cohort, options, tmp_path):
    unpair(brats_cohort, tmp_path / "one", seed=0)
    out = run(bundle, options, dataset_dir=str(tmp_path / "one"), section="training")
    assert len(list(out.glob("*_pred.nii.gz"))) == len(items(brats_cohort, "training"))


# --- scores -------------------------------------------------------------------------------------------------------


def test_all_fifteen_subsets_are_scored_as_they_would_be_served(bundle, one, options, tmp_path):
    """Up to the outermost slices, where a contrast may show nothing."""
    options["dataset_dir"] = str(one)
    evaluated = run(bundle, options, "evaluate", output_dir=str(tmp_path / "scores"))
    content = json.loads((evaluated / "scores.json").read_text())
    rows = {(row["subject"], row["region"]): row for row in content["subjects"]}
    subsets = ["+".join(names) for size in range(1, 5) for names in combinations(CONTRASTS, size)]
    assert list(content["summary"]) == [*subsets, "any 1", "any 2", "any 3"]
    assert all(summary["dice"]["n"] == len(items(one, "test")) for summary in content["summary"].values())
    for subset in ("FLAIR", "T1+T2", ALL):
        out = run(bundle, options, take=subset.split("+"), output_dir=str(tmp_path / subset))
        for item in items(one, "test"):
            pred, truth = voxels(out / f"{item['subject']}_pred.nii.gz") > 0, voxels(one / item["label"]) > 0
            dice = 2 * (pred & truth).sum() / max(pred.sum() + truth.sum(), 1)
            assert rows[item["subject"], subset]["dice"] == pytest.approx(dice, abs=3e-3)
            if subset == ALL:
                assert np.mean((voxels(evaluated / f"{item['subject']}_pred.nii.gz") > 0) == pred) > 0.999
    page = tmp_path / "report.html"
    report_on(str(evaluated), str(page), None, str(one), "test", None, None)
    assert "any 1" in page.read_text()
    mean = np.mean([rows[items(one, "test")[0]["subject"], name]["dice"] for name in CONTRASTS])
    assert rows[items(one, "test")[0]["subject"], "any 1"]["dice"] == pytest.approx(mean)


def test_subjects_are_scored_on_what_they_have(bundle, brats_cohort, options, tmp_path):
    """As in hospitals: one has FLAIR and T1ce, another everything."""
    first, second = items(brats_cohort, "test")[:2]
    some = {**first, "image": [first["image"][3], first["image"][1]], "contrasts": ["FLAIR", "T1ce"]}
    folder = relisted(brats_cohort, tmp_path / "some", test=[some, second])
    out = run(bundle, options, "evaluate", dataset_dir=str(folder))
    content = json.loads((out / "scores.json").read_text())
    own = [row["region"] for row in content["subjects"] if row["subject"] == first["subject"]]
    assert own == ["T1ce", "FLAIR", "T1ce+FLAIR"]
    assert content["summary"]["T1ce"]["dice"]["n"] == 2
    assert content["summary"]["T1"]["dice"]["n"] == 1
    page = tmp_path / "page.html"
    report_on(str(out), str(page), None, str(folder), "test", None, None)
    assert first["subject"] in page.read_text()


# --- contrasts never trained on -----------------------------------------------------------------------------------


def test_a_contrast_that_the_network_does_not_know_takes_the_place_of_one(bundle, brats_cohort, options, tmp_path):
    """Zero-shot: FLAIR given to a network of three contrasts, as T2 and as each of them."""
    three = {"contrasts": ["T1", "T1ce", "T2"]}
    torch.manual_seed(0)
    network = parser("inference.json", **WIDTHS, **three).get_parsed_content("network_def")
    torch.save(network.state_dict(), tmp_path / "three.pt")
    options |= {**three, "weights": str(tmp_path / "three.pt"), "take": ["FLAIR"]}
    with refused("take: found FLAIR, expected some of T1, T1ce, T2.*stand_in"):
        run(bundle, options)
    as_t2 = run(bundle, options, stand_in={"FLAIR": "T2"})
    assert list(as_t2.glob("*_pred.nii.gz"))
    scored = run(bundle, options, "evaluate", stand_in={"FLAIR": "all"}, output_dir=str(tmp_path / "all"))
    summary = json.loads((scored / "scores.json").read_text())["summary"]
    assert "T1+T1ce+T2" in summary


# --- translation --------------------------------------------------------------------------------------------------


def test_missing_contrasts_are_made_on_the_inputs_grid_and_marked(bundle, brats_cohort, trained, options):
    given = {**options, "translator_weights": str(trained / "translator.pt")}
    out = run(bundle, given, "translate", take=["T1", "FLAIR"])
    assert len(list(out.iterdir())) == 2 * len(items(brats_cohort, "test"))
    subject, files = scans(brats_cohort)
    for name in ("T1ce", "T2"):
        made, source = nib.load(out / f"{subject}_{name}_synthetic.nii.gz"), nib.load(files[0])
        assert made.shape == source.shape
        assert np.allclose(made.affine, source.affine)
        assert made.header["descrip"].item().decode().startswith(f"synthetic {name} from T1,FLAIR")
        values, brain = np.asarray(made.dataobj), np.asarray(source.dataobj) != 0
        assert 0 <= values.min() < values.max() <= 1000
        assert values[brain].std() > 0
        assert (values[~brain] > 500).mean() < 0.02  # nothing but the rim that resampling blurs
    assert list(run(bundle, given, "translate", take=["T1"], targets=["T2"]).glob("*_T2_synthetic.nii.gz"))


def test_translations_are_scored_against_the_real_contrast(bundle, one, trained, options):
    given = {**options, "dataset_dir": str(one), "translator_weights": str(trained / "translator.pt")}
    out = run(bundle, given, "translate", "evaluate_translation")
    content = json.loads((out / "translation.json").read_text())
    assert len(content["summary"]) == 1 + 12
    row = content["subjects"][0]
    assert {"ssim", "psnr_db", "mae", "dice", "ssim_before", "dice_target"} < set(row)
    assert all(np.isfinite(value) for value in list(row.values())[3:])


# --- what clients ask for -----------------------------------------------------------------------------------------


def test_what_must_agree_agrees():
    train, infer = parser("train.json"), parser("inference.json")
    for key in ("contrasts", "spacing", "side", "base", "levels", "attention", "conditioning", "fusion", "weights"):
        assert train[key] == infer[key], key
    for key in ("bundle_root", "network_def", "network", "device"):
        assert train[key] == infer[key], key
    assert {**train["generator_def"], "dropout": 0} == {**infer["generator_def"], "dropout": 0}
    for key in ("load", "orient", "resample", "crop_to_head", "scale_intensity", "fill_plane", "to_signed"):
        ours, theirs = dict(train[key]), dict(infer[key])
        for config in (ours, theirs):  # training carries the label along; inference mends what training refuses
            for only in ("keys", "mode", "allow_missing_keys", "on_nonfinite", "unnamed", "stand_in"):
                config.pop(only, None)
        assert ours == theirs, key
    names = [name for name in train["validate#preprocessing#transforms"] if "truth" not in name and "whole" not in name]
    assert names == infer["preprocessing#transforms"]
    served = dict(infer["inferer"], sw_batch_size=None)
    assert infer[served.pop("precision")[1:]] == "fp32"
    assert dict(train["validate#inferer"], sw_batch_size=None) == served
    translate = parser("inference.json", "translate.json")
    assert translate["translator_def"] == train["translator_def"]
    assert translate["translator_weights"] == train["translator_weights"]


def test_metadata_describes_the_network(bundle, monkeypatch):
    monkeypatch.chdir(bundle)
    verify_net_in_out(net_id="network_def", config_file="configs/inference.json", meta_file="configs/metadata.json")
    metadata = json.loads((TESTED.configs / "metadata.json").read_text())
    assert metadata["version"] in metadata["changelog"]
    channels = metadata["network_data_format"]["inputs"]["image"]["channel_def"]
    assert list(channels.values()) == parser("inference.json")["contrasts"]


def test_properties_that_clients_ask_for_exist(bundle, options):
    flow = workflow("infer", bundle, ["inference.json"], **options)
    assert not flow.check_properties()


@pytest.mark.parametrize("chosen", ["", "T2"])
def test_a_single_scan_is_labelled_as_monai_label_does_it(chosen, bundle, brats_cohort, options, tmp_path):
    """One file under `image`, the transforms called one by one, and the user's choice of its contrast."""
    subject, files = scans(brats_cohort)
    name = "upload.nii.gz" if chosen else f"{subject}_T2.nii.gz"
    content = parser("inference.json", **{**options, "bundle_root": str(bundle)})
    content["displayable_configs"].update({"contrast": chosen})
    content.parse(True)
    data = {"image": shutil.copy(files[2], tmp_path / name), "image_path": str(tmp_path / name), "contrast": chosen}
    for transform in content.get_parsed_content("preprocessing").transforms:
        data = transform(data)
    network = content.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(options["weights"], weights_only=True), strict=True)
    inputs = list_data_collate([data])
    with torch.no_grad():
        inputs["pred"] = content.get_parsed_content("inferer")(inputs["image"], network)
    data = decollate_batch(inputs)[0]
    for transform in content.get_parsed_content("postprocessing").transforms:
        data = transform(data)
    assert data["pred"].shape[1:] == nib.load(files[2]).shape
    served = run(bundle, options, take=["T2"])
    assert np.array_equal(data["pred"][0].numpy() > 0, voxels(served / f"{subject}_pred.nii.gz") > 0)


# --- faults -------------------------------------------------------------------------------------------------------


def cut(path):
    path.write_bytes(path.read_bytes()[:-2000])


def moved(path):
    image = nib.load(path)
    affine = image.affine.copy()
    affine[0, 3] += 3
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), path)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (cut, "T2.nii.gz: found .*truncated|T2.nii.gz: found a file that ends"),
        (moved, "T2.nii.gz: found .*grid"),
        (Path.unlink, "T2.nii.gz: found no file"),
    ],
    ids=["cut", "moved", "gone"],
)
def test_faulty_scans_are_named(fault, says, bundle, brats_cohort, options, tmp_path, counted):
    folder = Path(shutil.copytree(brats_cohort, tmp_path / "harmed"))
    fault(folder / items(folder, "test")[0]["image"][2])
    with pytest.raises((InputError, RuntimeError)) as caught:
        run(bundle, options, dataset_dir=str(folder))
    assert re.search(says, str(find_user_error(caught.value)))
    counted("faulty inputs")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"take": ["PD"]}, "take: found PD"),
        ({"contrasts": ["PD"], "take": None}, "without PD"),
        ({"contrast": "PD"}, "unnamed and stand_in: found PD"),
        ({"stand_in": {"PD": "T3"}}, "expected some of T1, T1ce, T2, FLAIR"),
        ({"fusion": "median"}, "fusion"),
        ({"base": 3}, "same settings"),
        ({"dataset_dir": ""}, "dataset_dir is not set"),
        ({"translate": True, "targets": ["PD"]}, "targets: found PD"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_that_make_no_sense_are_named(given, says, bundle, options, counted):
    names = ["translate"] if given.pop("translate", False) else []
    with pytest.raises((InputError, RuntimeError, ValueError)) as caught:
        run(bundle, options, *names, **given)
    error, texts = caught.value, []
    while error is not None:  # MONAI wraps what a configuration's object raises
        texts.append(str(error))
        error = error.__cause__
    assert any(says in text for text in texts), texts
    counted("faulty inputs")


def test_voxels_that_are_no_numbers_are_told_and_replaced(bundle, brats_cohort, options, tmp_path, caplog):
    folder = Path(shutil.copytree(brats_cohort, tmp_path / "harmed"))
    item = items(folder, "test")[0]
    path = folder / item["image"][2]
    image = nib.load(path)
    data = np.asarray(image.dataobj).astype(np.float32)
    data[20:22, 20:22, 20:22] = np.nan
    nib.save(nib.Nifti1Image(data, image.affine), path)
    out = run(bundle, options, dataset_dir=str(folder), take=["T2"])
    assert "replaced by 0" in caplog.text
    assert (out / f"{item['subject']}_pred.nii.gz").is_file()


@pytest.mark.slow
def test_by_the_command_line(bundle, brats_cohort, options, tmp_path):
    """From another folder: scores with one command; and what is wrong in one line and exit code 2."""
    files = [bundle / "configs" / name for name in ("inference.json", "evaluate.json")]
    done = call(command("evaluating", *files, bundle_root=bundle, **options), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "o" / "scores.json").is_file()
    done = call(command("inference", files[0], bundle_root=bundle, **{**options, "take": "PD"}), tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: take: found PD")
