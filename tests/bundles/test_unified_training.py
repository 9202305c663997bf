"""Training of the unified bundle: on unpaired scans, with every variant, resumed, over the tables' rows."""

import csv
import json

import pytest
import torch
from bundle_under_test import items, over, workflow
from ignite.engine import Events
from monai.data import list_data_collate
from unified_quick import SIZES, TESTED

from ganglion.data.unpair import unpair

parser = TESTED.parser
QUICK = {
    **SIZES,
    "epochs": 1,
    "decay_epochs": 1,
    "ramp_epochs": 1,
    "slices_per_epoch": 8,
    "val_interval": 1,
    "discriminator_base": 2,
    "discriminator_layers": 4,
    "critic_base": 2,
    "tensorboard": False,
}
PLAIN = {"unet_joint"}  # nothing but labels
WITHOUT_CRITIC = {"uagan", "two_stream_noatt", "stargan_unet"}
OF_TRAINING = [name for name in TESTED.variants if not name.startswith("only_")]
ONE = {"t1", "t1ce", "t2", "flair"}
OVER_BOTH = sorted(
    name
    for name in TESTED.variants
    if "goes over train.json as well" in json.loads((TESTED.configs / f"variants/{name}.json").read_text())["_desc_"]
)
QUICKLY = {"unet_joint"}  # those that change more than a number


@pytest.fixture(scope="module")
def unpaired(brats_cohort, tmp_path_factory):
    """The cohort with one contrast a subject."""
    folder = tmp_path_factory.mktemp("unpaired") / "data"
    unpair(brats_cohort, folder, seed=0)
    return folder


@pytest.fixture
def parts(unpaired, tmp_path):
    """Options of a training of seconds that writes beside the bundle."""
    places = {"output_dir": str(tmp_path / "run"), "weights": str(tmp_path / "model.pt")}
    return {**QUICK, **places, "dataset_dir": str(unpaired)}


def history(folder):
    with open(folder / "history.csv") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "variant",
    [None, *[name if name in QUICKLY else pytest.param(name, marks=pytest.mark.slow) for name in OF_TRAINING]],
)
def test_every_variant_trains(variant, bundle, brats_cohort, parts, tmp_path):
    names = ["train.json"] + ([f"variants/{variant}.json"] if variant else [])
    if variant in ("fine_tune", "learnt_fusion"):
        content = parser("train.json", **QUICK)
        for part, name in (("network_def", "weights"), ("translator_def", "translator_weights")):
            parts |= {name: str(tmp_path / f"{name}.pt")}
            torch.save(content.get_parsed_content(part).state_dict(), parts[name])
    if variant == "learnt_fusion":
        parts |= {"start_from": {"plain": parts["weights"]}, "dataset_dir": str(brats_cohort)}
    if variant in ONE:  # nobody of the few to validate on may have it
        parts |= {"dataset_dir": str(brats_cohort)}
        names.append("variants/no_validation.json")
    if variant == "paper":
        parts |= {"volumes_per_batch": 4}
    flow = workflow("train", bundle, names, **parts)
    flow.run()
    trainer = flow.parser.get_parsed_content("train#trainer")
    assert trainer.state.iteration == 2
    phases = {column.split("/")[0] for column in history(tmp_path / "run")[0]} - {"epoch", "iteration", "val"}
    expected = {"labels"} | (set() if variant in PLAIN else {"discriminator", "generator", "critic"})
    expected -= {"critic"} if variant in WITHOUT_CRITIC else set()
    expected = {"fusion"} if variant == "learnt_fusion" else expected
    assert phases == expected - ({"labels"} if variant == "paper" else set())
    deployed = torch.load(parts["weights"], weights_only=True)
    assert set(deployed) == set(parser(*names, **QUICK).get_parsed_content("network_def").state_dict())


def test_the_sweep_found_all_variants():
    baselines = {"unet_joint", "stargan_unet", "two_stream_noatt", "uagan"}
    choices = {"critic_mask", "tile", "no_shape", "weighted_entropy", "intensity", "three_contrasts"}
    assert set(OF_TRAINING) == baselines | choices | ONE | {
        "small",
        "paper",
        "learnt_fusion",
        "fine_tune",
        "no_validation",
    }
    assert set(TESTED.variants) - set(OF_TRAINING) == {f"only_{name}" for name in ONE}
    assert (
        set(OVER_BOTH) == (baselines - {"uagan"}) | {"tile", "three_contrasts", "small", "paper", "learnt_fusion"} | ONE
    )


def test_a_batch_is_slices_of_single_contrasts(bundle, unpaired, parts):
    flow = workflow("train", bundle, ["train.json"], **parts)
    batch = next(iter(flow.parser.get_parsed_content("train#dataloader")))
    assert batch["image"].shape == batch["label"].shape == (4, 1, 32, 32)
    assert batch["contrast"].dtype == torch.int64
    assert float(batch["image"].min()) == -1.0
    assert float(batch["image"].max()) <= 1.0
    data = flow.parser.get_parsed_content("train#dataset").data
    assert len(data) == len(items(unpaired, "training"))
    assert all(len(item["image"]) == 1 for item in data)


def test_validation_shows_a_subject_as_the_deployed_network_takes_it(bundle, unpaired, parts):
    flow = workflow("train", bundle, ["train.json"], **parts)
    for item in flow.parser.get_parsed_content("validate#dataset"):
        seen = (item["image"] > -1).flatten(1).any(dim=1)
        assert seen.tolist() == [place == item["contrast"] for place in range(4)]
        assert list_data_collate([item])["label"].shape[1] == 1


def test_paired_scans_are_learnt_from_one_contrast_at_a_time(bundle, brats_cohort, parts):
    parts["dataset_dir"] = str(brats_cohort)
    data = workflow("train", bundle, ["train.json"], **parts).parser.get_parsed_content("train#dataset").data
    assert len(data) == 4 * len(items(brats_cohort, "training"))


def test_weights_of_contrasts_are_learnt_and_nothing_else(bundle, brats_cohort, parts, tmp_path):
    content = parser("train.json", **QUICK)
    start = content.get_parsed_content("network_def").state_dict()
    torch.save(start, tmp_path / "start.pt")
    parts |= {"start_from": {"plain": str(tmp_path / "start.pt")}, "dataset_dir": str(brats_cohort)}
    workflow("train", bundle, over("train", "learnt_fusion"), **parts).run()
    learnt = torch.load(parts["weights"], weights_only=True)
    assert float(learnt.pop("fusion").abs().max()) > 0
    assert set(learnt) == set(start)
    assert all(torch.equal(learnt[key], start[key]) for key in start)


def test_a_stopped_training_goes_on_exactly(bundle, parts, tmp_path):
    """Two epochs at once, and two with a stop in the first, after the game's first round: the same weights."""
    parts |= {"epochs": 2, "decay_epochs": 2, "ramp_epochs": 2, "slices_per_epoch": 16, "val_interval": 2}
    workflow("train", bundle, ["train.json"], **parts).run()
    second = {**parts, "output_dir": str(tmp_path / "other"), "weights": str(tmp_path / "other.pt")}
    flow = workflow("train", bundle, ["train.json"], **second)
    trainer = flow.parser.get_parsed_content("train#trainer")
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=3), lambda engine: engine.terminate())
    flow.run()
    assert trainer.state.iteration == 3
    workflow("train", bundle, ["train.json"], **second).run()
    whole, resumed = (torch.load(place, weights_only=True) for place in (parts["weights"], second["weights"]))
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    kept = ("generator/shape", "discriminator/penalty", "labels/loss", "val/dice")
    first, other = (history(tmp_path / name)[-1] for name in ("run", "other"))
    assert [first[key] for key in kept] == [other[key] for key in kept]


@pytest.mark.parametrize("variant", [None, *OVER_BOTH])
def test_train_and_inference_agree(variant):
    """Also under an overlay that goes over both."""
    train, infer = (parser(*(over(name, variant) if variant else [f"{name}.json"])) for name in ("train", "inference"))
    for key in ("network_def", "generator_def", "contrasts", "spacing", "side"):
        ours, theirs = train[key], infer[key]
        if isinstance(ours, dict):
            ours, theirs = ({k: v for k, v in part.items() if k != "dropout"} for part in (ours, theirs))
        assert ours == theirs, key
    of_training = ("keys", "mode", "allow_missing_keys", "on_nonfinite", "unnamed", "stand_in")
    for key in ("load", "orient", "resample", "crop_to_head", "scale_intensity", "fill_plane", "to_signed"):
        ours, theirs = ({k: v for k, v in part[key].items() if k not in of_training} for part in (train, infer))
        assert ours == theirs, key
    shown = [
        name for name in train["validate#preprocessing#transforms"] if name not in ("@load_truth", "@whole_tumour")
    ]
    assert shown == infer["preprocessing#transforms"]
    learnt = [name for name in train["train#preprocessing#transforms"] if name not in ("@load_truth", "@whole_tumour")]
    assert learnt == ["@load_one", *shown[1:], "@slices"]
    one = "@load" if variant == "learnt_fusion" else {**train["load"], "on_missing": "leave out"}
    assert train["load_one"] == one
    assert train["validate#inferer"]["roi_size"] == infer["inferer"]["roi_size"]


@pytest.mark.parametrize("variant", [None, *OF_TRAINING])
def test_several_processes_share_every_network_that_is_trained(variant):
    content = parser(*over("train", variant) if variant else ["train.json"], "multi_gpu_train.json")
    phases = content["phases"]
    if variant == "learnt_fusion":
        return  # a handful of numbers, which one process learns
    for phase in phases if isinstance(phases, list) else content[phases[1:]]:
        for name in content[phase[1:]]["trains"]:
            network = content[content["networks"][name][1:]]
            assert network["_target_"] == "ganglion.networks.share_network", (phase, name)


def test_the_paper_trains_as_the_source_does():
    """UAGAN's code: 60.44 M, 128 x 128, 100 epochs, 1e-4, weights 100 and 0.02 to 0.98, each step a whole round."""
    paper = parser("train.json", "variants/paper.json")
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in paper.get_parsed_content("generator_def").parameters())
    assert count == 60_442_755 + 64 * 9  # a fourth contrast
    assert (paper["epochs"], paper["decay_epochs"], paper["ramp_epochs"], paper["learning_rate"]) == (100, 40, 60, 1e-4)
    assert (paper["volumes_per_batch"] * paper["slices_per_volume"], paper["game_every"]) == (8, 1)
    assert paper["phases"] == ["@discriminator_phase", "@critic_phase", "@generator_phase"]
    assert (paper["class_weights"], paper["dice_weight"], paper["segmentation_weight"]) == ([0.02, 0.98], 0.0, 100.0)
