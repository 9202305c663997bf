"""Items of whichever contrasts a subject has, and the images that they become."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch

from ganglion.data import LoadContrastsd, contrast_items, load_items, subset_items
from ganglion.data.unpair import unpair
from ganglion.errors import InputError

CONTRASTS = ("T1", "T1ce", "T2", "FLAIR")


def voxels(folder, subject, contrast):
    return torch.from_numpy(nib.load(folder / subject / f"{subject}_{contrast}.nii.gz").get_fdata(dtype=np.float32))


@pytest.fixture
def partial(dataset):
    """A data set in which `a` has FLAIR and T1ce, in this order, `b` has T2 and the others have all."""

    def entry(subject, *names):
        files = [f"{subject}/{subject}_{name}.nii.gz" for name in names]
        return {"subject": subject, "image": files, "label": "a/a_label.nii.gz", "contrasts": list(names)}

    return dataset(training=[entry("a", "FLAIR", "T1ce"), entry("b", "T2")])


def load(**options):
    return LoadContrastsd(contrasts=CONTRASTS, **{"on_missing": "zero", **options})


def test_items_tell_what_a_subject_has_in_the_order_asked_for(partial):
    first, second = load_items(partial, "training", CONTRASTS, on_missing="take")
    assert (first["contrasts"], second["contrasts"]) == (["T1ce", "FLAIR"], ["T2"])
    assert [path.rsplit("_", 1)[1] for path in first["image"]] == ["T1ce.nii.gz", "FLAIR.nii.gz"]
    with pytest.raises(InputError, match="subject b of 'training' with T2, without T1, FLAIR"):
        load_items(partial, "training", ("T1", "FLAIR"), on_missing="take")
    (item,) = load_items(partial, "training", ("T1", "FLAIR"), on_missing="leave out")
    assert item["subject"] == "a"
    with pytest.raises(InputError, match="on_missing: found 'skip', expected one of error, take, leave out"):
        load_items(partial, "training", on_missing="skip")


def test_a_configuration_of_one_contrast_takes_who_has_it(partial):
    assert [item["subject"] for item in contrast_items(partial, "training", ["FLAIR"])] == ["a"]
    with pytest.raises(InputError, match="subject a of 'training' with FLAIR, T1ce, without T1"):
        contrast_items(partial, "training", ["T1"])


def test_one_item_for_each_contrast_of_each_subject(partial):
    items = contrast_items(partial, "training", ("T2", "FLAIR", "T1ce"))
    found = [(item["subject"], item["contrasts"], item["contrast"], len(item["image"])) for item in items]
    assert found == [("a", ["FLAIR"], 1, 1), ("a", ["T1ce"], 2, 1), ("b", ["T2"], 0, 1)]
    assert len(contrast_items(partial, "test")) == 4


def test_one_contrast_each_is_that_of_an_unpaired_data_set(dataset, tmp_path):
    source = dataset()
    for seed in (0, 3):
        unpair(source, tmp_path / str(seed), seed)
        expected = contrast_items(tmp_path / str(seed), "training")
        drawn = contrast_items(source, "training", seed=seed, one_each=True)
        assert [(i["subject"], i["contrast"]) for i in drawn] == [(i["subject"], i["contrast"]) for i in expected]
        assert [i["image"][0].rsplit("_", 1)[1] for i in drawn] == [i["image"][0].rsplit("_", 1)[1] for i in expected]
    one = drawn[0]["contrasts"]
    alone = contrast_items(source, "training", one, seed=3, one_each=True)
    assert [i["subject"] for i in alone] == [i["subject"] for i in drawn if i["contrasts"] == one]
    other = [name for name in CONTRASTS if [name] not in [i["contrasts"] for i in drawn]]
    with pytest.raises(InputError, match="nobody of 'training' left"):
        contrast_items(source, "training", other[:1], seed=3, one_each=True)


def test_one_contrast_is_loaded_alone(partial):
    for item in contrast_items(partial, "training", CONTRASTS):
        loaded = load(on_missing="leave out")(item)
        assert loaded["image"].shape[0] == 1
        assert torch.equal(loaded["image"][0].as_tensor(), voxels(partial, item["subject"], item["contrasts"][0]))
        assert loaded["contrast"] == item["contrast"]
        assert "contrasts" not in loaded


def test_missing_contrasts_are_channels_of_0(partial):
    item = load_items(partial, "training", CONTRASTS, on_missing="take")[0]
    image = load()(item)["image"]
    assert image.meta["contrasts"] == "T1ce,FLAIR"
    assert torch.equal(image[1].as_tensor(), voxels(partial, "a", "T1ce"))
    assert torch.equal(image[3].as_tensor(), voxels(partial, "a", "FLAIR"))
    assert not image[[0, 2]].any()


@pytest.mark.parametrize("channels", [[2, 0], [3]])
def test_channels_of_a_4d_file(channels, save, tmp_path):
    data = np.random.default_rng(0).uniform(1, 9, (6, 7, 5, 4)).astype(np.float32)
    path = save(tmp_path / "all.nii.gz", data)
    names = [CONTRASTS[channel] for channel in channels]
    image = load()({"image": str(path), "channels": channels, "contrasts": names})["image"].as_tensor()
    for place in range(4):
        assert np.array_equal(image[place], data[..., place]) if place in channels else not image[place].any()
    assert torch.equal(load()({"image": str(path)})["image"].as_tensor()[2], torch.from_numpy(data[..., 2]))


@pytest.mark.parametrize("gone", [(), ("T1",), ("T1", "T1ce", "FLAIR")])
def test_a_single_file_takes_what_lies_beside_it(gone, dataset):
    folder = dataset()
    for name in gone:
        (folder / "d" / f"d_{name}.nii.gz").unlink()
    image = load()({"image": str(folder / "d" / "d_T2.nii.gz")})["image"]
    held = [name for name in CONTRASTS if name not in gone]
    assert image.meta["contrasts"] == ",".join(held)
    assert [bool(channel.any()) for channel in image] == [name in held for name in CONTRASTS]


def test_a_single_file_in_a_list_is_taken_alone_and_so_is_one_to_train_on(dataset):
    """As MONAI Label hands out what was labelled: a path, and no word of its contrast."""
    folder = dataset()
    path = str(folder / "d" / "d_T2.nii.gz")
    assert load()({"image": [path]})["image"].meta["contrasts"] == "T2"
    item = load(on_missing="leave out")({"image": path})
    assert item["image"].shape[0] == 1
    assert item["contrast"] == 2


def test_files_by_hand_are_known_by_their_names(dataset):
    folder = dataset()
    files = [str(folder / "d" / f"d_{name}.nii.gz") for name in ("FLAIR", "T1")]
    (item,) = subset_items(contrasts=CONTRASTS, images=files)
    image = load()(item)["image"]
    assert image.meta["contrasts"] == "T1,FLAIR"
    assert torch.equal(image[0].as_tensor(), voxels(folder, "d", "T1"))
    assert torch.equal(image[3].as_tensor(), voxels(folder, "d", "FLAIR"))


def test_a_file_whose_name_tells_nothing(save, tmp_path):
    path = save(tmp_path / "upload.nii.gz")
    with pytest.raises(InputError, match=r"upload.nii.gz: found a file whose name tells no contrast.*\(contrast\)"):
        load()({"image": str(path)})
    image = load(unnamed="t2w")({"image": str(path)})["image"]
    assert image.meta["contrasts"] == "T2"
    assert image[2].any()


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["d_T1.nii.gz", "d_T1w.nii.gz"], "twice"),
        (["d_PD.nii.gz", "d_T1.nii.gz"], "name tells no contrast"),
        (["d_IR.nii.gz"], "named as T1-IR.*stand_in"),
        ([], "empty list"),
    ],
)
def test_names_that_do_not_say_which_contrast(names, says, save, tmp_path):
    files = [str(save(tmp_path / name)) for name in names]
    with pytest.raises(InputError, match=says):
        load()({"image": files})


def test_a_contrast_that_the_network_does_not_know(save, tmp_path):
    path, other = save(tmp_path / "d_IR.nii.gz", seed=1), tmp_path / "d_T2.nii.gz"
    (item,) = subset_items(contrasts=CONTRASTS, images=str(path), stand_in={"T1-IR": "T1"})
    image = load(stand_in={"IR": "T1"})(item)["image"]
    assert [bool(channel.any()) for channel in image] == [True, False, False, False]
    image = load(stand_in={"IR": "all"})(item)["image"]
    assert all(torch.equal(channel, image[0]) for channel in image)
    save(other, seed=2)
    image = load(stand_in={"IR": "T2"})(item)["image"]
    assert torch.equal(image[2].as_tensor(), torch.from_numpy(nib.load(other).get_fdata(dtype=np.float32)))


@pytest.mark.parametrize(
    "options", [{"on_missing": "drop"}, {"unnamed": "PD"}, {"stand_in": {"PD": "T3"}}], ids=lambda o: next(iter(o))
)
def test_settings_that_make_no_sense(options):
    with pytest.raises(InputError, match=r"expected"):
        load(**options)


def test_subsets_leave_out_who_lacks_one_and_say_so(dataset, caplog):
    folder = dataset()
    content = json.loads((folder / "dataset.json").read_text())
    some = {"subject": "c", "image": ["c/c_T2.nii.gz"], "contrasts": ["T2"]}
    content["test"] = [*content["test"], some]
    content["validation"] = []
    (folder / "dataset.json").write_text(json.dumps(content))
    assert len(subset_items(folder, "test", CONTRASTS)) == 2
    (item,) = subset_items(folder, "test", CONTRASTS, take=["FLAIR", "T2"])
    assert (item["subject"], item["contrasts"]) == ("d", ["FLAIR", "T2"])
    assert "1 of 2 subjects lack one of FLAIR, T2 and are left out: ['c']" in caplog.text
    assert len(subset_items(folder, "test", CONTRASTS, take="T2")) == 2
    content["test"] = [some]
    (folder / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="no subject of 'test' with T1"):
        subset_items(folder, "test", CONTRASTS, take="T1")
    with pytest.raises(InputError, match="take: found PD, expected some of T1, T1ce, T2, FLAIR"):
        subset_items(folder, "test", CONTRASTS, take=["PD"])


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ("T2", "contrasts 'T2' of subject a"),
        (["T2", "T1"], "1 images of subject a"),
        (["PD"], "contrasts PD of subject a"),
    ],
)
def test_wrong_names_in_a_dataset_json(stated, says, dataset):
    entry = {"subject": "a", "image": ["a/a_T2.nii.gz"], "label": "a/a_label.nii.gz", "contrasts": stated}
    with pytest.raises(InputError, match=says):
        load_items(dataset(training=[entry]), "training", on_missing="take")
