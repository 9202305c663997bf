"""`ganglion data unpair`: one contrast a subject, by chance, recorded; the test list whole."""

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from ganglion.cli import main
from ganglion.data import check_dataset, contrast_items, load_items
from ganglion.data.unpair import unpair
from ganglion.errors import InputError

CONTRASTS = ("T1", "T1ce", "T2", "FLAIR")


@pytest.fixture
def paired(dataset):
    """Ten subjects to train on, whose files are those of two."""
    entries = [
        {
            "subject": f"p{i}",
            "image": [f"{'ab'[i % 2]}/{'ab'[i % 2]}_{c}.nii.gz" for c in CONTRASTS],
            "label": "a/a_label.nii.gz",
            "stratum": "HGG",
        }
        for i in range(10)
    ]
    return dataset(training=entries, seed=7, label_map={"4": 3})


def content(folder):
    return json.loads((folder / "dataset.json").read_text())


def drawn(folder, section="training"):
    return {entry["subject"]: entry["contrasts"] for entry in content(folder)[section]}


def test_each_is_left_one_contrast_and_every_contrast_comes_as_often(paired, tmp_path):
    done = unpair(paired, tmp_path / "one", seed=3)
    left = drawn(tmp_path / "one")
    assert all(len(names) == 1 for names in left.values())
    numbers = done.counts["training"]
    assert sum(numbers.values()) == 10
    assert set(numbers) == set(CONTRASTS)
    assert max(numbers.values()) - min(numbers.values()) <= 1
    made, former = content(tmp_path / "one"), content(paired)
    assert made["unpaired"] == {"seed": 3, "contrasts": list(CONTRASTS)}
    for key in ("seed", "label_map", "labels", "channel_names"):
        assert made[key] == former[key]
    assert made["training"][0]["stratum"] == "HGG"


def test_an_item_names_one_file_and_no_other_lies_beside_it(paired, tmp_path):
    unpair(paired, tmp_path / "one")
    for entry in content(tmp_path / "one")["training"]:
        assert entry["image"] == [f"{entry['subject']}/{entry['subject']}_{entry['contrasts'][0]}.nii.gz"]
        files = {path.name for path in (tmp_path / "one" / entry["subject"]).iterdir()}
        assert files == {Path(entry["image"][0]).name, f"{entry['subject']}_label.nii.gz"}


def test_the_test_list_keeps_every_contrast(paired, tmp_path):
    unpair(paired, tmp_path / "one")
    (entry,) = content(tmp_path / "one")["test"]
    assert "contrasts" not in entry
    assert len(load_items(tmp_path / "one", "test")[0]["image"]) == 4


def test_files_are_linked_to_or_copied_and_hold_the_same(paired, tmp_path):
    for copy in (False, True):
        folder = tmp_path / f"one{copy}"
        unpair(paired, folder, copy=copy)
        (item,) = contrast_items(folder, "validation")
        (file,) = item["image"]
        assert os.path.islink(file) != copy
        source = paired / "c" / f"c_{item['contrasts'][0]}.nii.gz"
        assert np.array_equal(nib.load(file).get_fdata(), nib.load(source).get_fdata())


def test_the_seed_decides(paired, tmp_path):
    folders = {name: tmp_path / name for name in ("first", "again", "other")}
    for name, folder in folders.items():
        unpair(paired, folder, seed=1 if name == "other" else 0)
    assert drawn(folders["first"]) == drawn(folders["again"])
    assert drawn(folders["first"]) != drawn(folders["other"])


def test_the_draw_does_not_depend_on_the_order_of_the_list(paired, tmp_path):
    unpair(paired, tmp_path / "first")
    text = content(paired)
    text["training"].reverse()
    (paired / "dataset.json").write_text(json.dumps(text))
    unpair(paired, tmp_path / "turned")
    assert drawn(tmp_path / "first") == drawn(tmp_path / "turned")


def test_fewer_subjects_still_have_every_contrast(paired, tmp_path):
    unpair(paired, tmp_path / "one", seed=5)
    for count in (4, 8):
        items = contrast_items(tmp_path / "one", "training", count=count, seed=5)
        assert sorted(item["contrast"] for item in items) == sorted([*range(4)] * (count // 4))


def test_some_contrasts_alone(paired, tmp_path):
    unpair(paired, tmp_path / "one", contrasts="flair, t1gd")
    left = [name for names in drawn(tmp_path / "one").values() for name in names]
    assert sorted(left) == ["FLAIR"] * 5 + ["T1ce"] * 5
    (item,) = load_items(tmp_path / "one", "test", on_missing="take")
    assert item["contrasts"] == ["T1ce", "FLAIR"]


def test_who_lacks_a_contrast_is_left_another(paired, tmp_path):
    text = content(paired)
    for entry in text["training"]:
        entry["image"], entry["contrasts"] = [entry["image"][3], entry["image"][0]], ["FLAIR", "T1"]
    (paired / "dataset.json").write_text(json.dumps(text))
    done = unpair(paired, tmp_path / "one")
    assert done.counts["training"] == {"T1": 5, "T1ce": 0, "T2": 0, "FLAIR": 5}


def test_one_channel_of_a_4d_file(dataset, save, tmp_path):
    data = np.random.default_rng(0).uniform(1, 9, (6, 7, 5, 4)).astype(np.float32)
    folder = dataset(training=[{"image": "e/e_all.nii.gz", "label": "a/a_label.nii.gz", "subject": "e"}])
    save(folder / "e" / "e_all.nii.gz", data)
    unpair(folder, tmp_path / "one", seed=1)
    (item,) = contrast_items(tmp_path / "one", "training")
    assert item["channels"] == [item["contrast"]]
    assert item["image"].endswith("e/e.nii.gz")
    assert not [finding for finding in check_dataset(tmp_path / "one") if finding.level == "error"]


def test_the_check_and_other_configurations_know_such_a_data_set(paired, tmp_path):
    unpair(paired, tmp_path / "one")
    kinds = {finding.kind for finding in check_dataset(tmp_path / "one") if finding.level == "error"}
    assert kinds <= {"content"}  # the fixture lists the same files under several names
    with pytest.raises(InputError, match=r"subject p0 of 'training' with \w+, without .*unified_multimodal"):
        load_items(tmp_path / "one", "training", CONTRASTS)


def test_what_stands_there_is_kept(paired, tmp_path):
    with pytest.raises(InputError, match="the data set itself"):
        unpair(paired, paired)
    unpair(paired, tmp_path / "one", seed=1)
    unpair(paired, tmp_path / "one", seed=1)
    with pytest.raises(InputError, match="not made by unpairing with seed 2"):
        unpair(paired, tmp_path / "one", seed=2)
    unpair(paired, tmp_path / "one", seed=2, overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "dataset.json").write_text("{}")
    with pytest.raises(InputError, match="not made by unpairing"):
        unpair(paired, tmp_path / "other")


@pytest.mark.parametrize("names", ["T1,PD", "T1,T1"])
def test_contrasts_that_are_not_there(names, paired, tmp_path):
    with pytest.raises(InputError, match="contrasts: found .*expected some of T1, T1ce, T2, FLAIR, each once"):
        unpair(paired, tmp_path / "one", contrasts=names)
    assert not (tmp_path / "one").exists()


def test_the_command_says_what_it_did(paired, tmp_path, capsys):
    assert main(["data", "unpair", str(paired), str(tmp_path / "one"), "--seed", "4"]) == 0
    out = capsys.readouterr().out
    assert "drawn with seed 4; test 1, whole" in out
    assert "training: T1 " in out
    assert main(["data", "unpair", str(tmp_path / "nowhere"), str(tmp_path / "two")]) == 2
    assert "no such folder" in capsys.readouterr().err
