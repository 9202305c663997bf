"""`dataset.json`: items as MONAI takes them, and each fault with what mends it."""

import json
import os

import pytest

from ganglion.data import inference_items, load_items, read_dataset_json, write_dataset_json
from ganglion.errors import InputError

CONTRASTS = ("T1", "T1ce", "T2", "FLAIR")


def test_items_have_absolute_paths_in_order(dataset):
    folder = dataset()
    items = load_items(folder, "training")
    assert [item["subject"] for item in items] == ["a", "b"]
    assert items[0]["image"] == [str(folder / "a" / f"a_{c}.nii.gz") for c in CONTRASTS]
    assert items[0]["label"] == str(folder / "a" / "a_label.nii.gz")
    assert set(items[0]) == {"subject", "image", "label"}
    assert all(os.path.isabs(path) for path in items[0]["image"])


def test_relative_folder_gives_absolute_paths(dataset, monkeypatch):
    folder = dataset()
    monkeypatch.chdir(folder.parent)
    assert load_items(folder.name, "test")[0]["label"] == str(folder / "d" / "d_label.nii.gz")


def test_contrasts_are_chosen_and_ordered_under_any_spelling(dataset):
    items = load_items(dataset(), "training", contrasts=("flair", "t1gd"))
    assert [path.rsplit("_", 1)[1] for path in items[0]["image"]] == ["FLAIR.nii.gz", "T1ce.nii.gz"]


def test_4d_file_names_its_channels(dataset):
    folder = dataset(training=[{"image": "a/all.nii.gz", "label": "a/a_label.nii.gz"}], label_map={"4": 3})
    (item,) = load_items(folder, "training", contrasts=("T2", "T1"))
    assert (item["image"], item["channels"]) == (str(folder / "a" / "all.nii.gz"), [2, 0])
    assert item["codes"] == {4: 3}
    (item,) = load_items(folder, "training", labels=False)
    assert item["channels"] == [0, 1, 2, 3]
    assert not {"label", "codes"} & set(item)


def test_no_item_key_looks_like_metadata_of_another(dataset):
    """MONAI's spatial transforms treat keys that begin with image_ or label_ as metadata."""
    item = load_items(dataset(label_map={"4": 3}), "training")[0]
    assert not [key for key in item if key.startswith(("image_", "label_"))]


def test_subject_names_are_safe(dataset):
    folder = dataset(training=[{"subject": "../../x y", "image": [f"a/a_{c}.nii.gz" for c in CONTRASTS]}])
    assert load_items(folder, "training", labels=False)[0]["subject"] == "x-y"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_unset_folder(value):
    with pytest.raises(InputError, match="dataset_dir is not set.*--dataset_dir.*data convert.*phantom"):
        load_items(value, "training")


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: found no such folder.*--dataset_dir"):
        load_items(tmp_path / "nowhere", "training")
    with pytest.raises(InputError, match=r"found no dataset\.json in the folder.*data convert"):
        load_items(tmp_path, "training")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no valid JSON"),
        ("[1]", "found a list, expected an object"),
        ('{"modality": {"0": "T1"}}', "Decathlon's own file.*data convert msd"),
        ("{}", "found channel_names None"),
        ('{"channel_names": {"1": "T1"}}', "found channel_names"),
        ('{"channel_names": ["T1", "T1w"]}', "a contrast twice"),
        ('{"channel_names": ["T1"], "training": {}}', "'training' as dict"),
        ('{"channel_names": ["T1"], "training": [{"label": "x"}]}', "image None in entry 0 of 'training'"),
        ('{"channel_names": ["T1"], "labels": {"a": "b"}}', "found labels"),
        ('{"channel_names": ["T1"], "label_map": {"a": 1}}', "found label_map"),
        ("\udcff", "no valid JSON"),
    ],
)
def test_malformed_files(tmp_path, text, message):
    (tmp_path / "dataset.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=rf"dataset\.json: found .*|{message}") as error:
        load_items(tmp_path, "training")
    error.match(message)
    assert "\n" not in str(error.value)


def test_empty_list_unknown_list_and_missing_contrast(dataset):
    folder = dataset()
    with pytest.raises(InputError, match=r"'unlabeled' empty or missing \(training 2, validation 1, test 1\)"):
        load_items(folder, "unlabeled")
    with pytest.raises(InputError, match="list 'train' .* expected one of training, validation, test, unlabeled"):
        load_items(folder, "train")
    with pytest.raises(InputError, match="without PD, expected T1, PD"):
        load_items(folder, "training", contrasts=("T1", "PD"))


def test_missing_label_and_wrong_count(dataset):
    folder = dataset(test=[{"subject": "d", "image": [f"d/d_{c}.nii.gz" for c in CONTRASTS]}])
    with pytest.raises(InputError, match="subject d of 'test' without a label.*'unlabeled'"):
        load_items(folder, "test")
    folder = dataset(test=[{"subject": "d", "image": ["d/d_T1.nii.gz"], "label": "d/d_label.nii.gz"}])
    with pytest.raises(InputError, match="found 1 images of subject d, expected 4"):
        load_items(folder, "test")


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "a/../../b", "..", "..\\b.nii", "C:b.nii", "\\b.nii"]
)
def test_paths_that_leave_the_folder(dataset, path):
    folder = dataset(test=[{"image": path, "label": "d/d_label.nii.gz"}])
    with pytest.raises(InputError, match="which leaves the data folder.*--allow-outside"):
        load_items(folder, "test")
    assert load_items(folder, "test", allow_outside=True)
    folder = dataset(test=[{"image": "d/d_T1.nii.gz", "label": path}])
    with pytest.raises(InputError, match="which leaves the data folder"):
        load_items(folder, "test")


def test_path_that_comes_back_stays(dataset):
    folder = dataset(test=[{"image": "a/../d/d_T1.nii.gz", "label": "./d/d_label.nii.gz"}])
    item = load_items(folder, "test")[0]
    assert (item["image"], item["label"]) == (str(folder / "d" / "d_T1.nii.gz"), str(folder / "d" / "d_label.nii.gz"))


def test_odd_paths(dataset):
    for path in ("a\0b", 7):
        folder = dataset(test=[{"image": "d/d_T1.nii.gz", "label": path}])
        with pytest.raises(InputError, match="for a file, expected a relative path"):
            load_items(folder, "test")


def test_a_subject_twice_would_overwrite_its_own_output(dataset):
    image = [f"d/d_{c}.nii.gz" for c in CONTRASTS]
    folder = dataset(test=[{"subject": "d 1", "image": image}, {"subject": "d+1", "image": image}])
    with pytest.raises(InputError, match="found subject d-1 twice"):
        inference_items(folder, "test")
    with pytest.raises(InputError, match="found subject s twice"):
        inference_items(images=[["x/s_T1.nii.gz"], ["y/s_T1.nii.gz"]])


def test_images_given_by_hand(dataset):
    folder = dataset()
    files = [str(folder / "a" / f"a_{c}.nii.gz") for c in CONTRASTS]
    other = [file.replace("/a/a_", "/b/b_") for file in files]
    assert inference_items(images=files, contrasts=CONTRASTS) == [{"subject": "a", "image": files}]
    assert inference_items(images=files[::-1], contrasts=CONTRASTS) == [{"subject": "a", "image": files}]
    two = inference_items(images=[files, other], contrasts=CONTRASTS)
    assert [item["subject"] for item in two] == ["a", "b"]
    assert inference_items(images=files[2]) == [{"subject": "a", "image": files[2]}]
    assert inference_items(folder, "test", images=[])[0]["subject"] == "d"
    assert "label" not in inference_items(folder, "test")[0]
    with pytest.raises(InputError, match="found an empty list"):
        inference_items(images=[[]])


def test_written_file_reads_back_and_counts(tmp_path):
    entry = {"subject": "a", "image": ["a.nii.gz"], "label": "l.nii.gz"}
    path = write_dataset_json(tmp_path / "new", {"channel_names": {"0": "T1"}, "labels": {}, "training": [entry]})
    assert json.loads(path.read_text())["numTraining"] == 1
    assert read_dataset_json(tmp_path / "new").sections["training"] == [entry]
    assert [file.name for file in path.parent.iterdir()] == ["dataset.json"]


@pytest.mark.parametrize("held", ["validation", "test"])
@pytest.mark.parametrize("section", ["training", "unlabeled"])
@pytest.mark.parametrize("how", ["name", "file", "link"])
def test_nobody_is_trained_on_who_is_tested(dataset, section, held, how, counted):
    """Not by name, not under another name, and not by way of a link."""
    folder = dataset()
    (folder / "z").mkdir()
    if how == "link":
        (folder / "z" / "z_T1.nii.gz").symlink_to(folder / "a" / "a_T1.nii.gz")
        (folder / "a").mkdir(exist_ok=True)
        (folder / "a" / "a_T1.nii.gz").touch()
    first = {"name": "q", "file": "a/a_T1.nii.gz", "link": "z/z_T1.nii.gz"}[how]
    files = [first if how != "name" else "q/q_T1.nii.gz", *(f"z/z_{c}.nii.gz" for c in CONTRASTS[1:])]
    entry = {"subject": "a" if how == "name" else "z", "image": files, "label": "z/label.nii.gz"}
    one = {"subject": "a", "image": [f"a/a_{c}.nii.gz" for c in CONTRASTS], "label": "a/a_label.nii.gz"}
    lists = {"training": [], "unlabeled": [], "validation": [], "test": []}
    folder = dataset(**lists | {section: [entry], held: [one]})
    with pytest.raises(InputError, match=rf"of '{section}' also in '{held}'.*nobody may be tested"):
        load_items(folder, section, labels=False)
    assert len(load_items(folder, held, labels=False)) == 1
    counted("faulty inputs")


# --- few labels -------------------------------------------------------------------------------------------------


def many(dataset):
    """A data set of eight subjects to train on."""
    images = [f"a/a_{c}.nii.gz" for c in CONTRASTS]
    return dataset(training=[{"subject": f"s{n}", "image": images, "label": "a/a_label.nii.gz"} for n in range(8)])


def test_so_many_subjects_are_drawn_by_the_seed_and_fewer_are_among_more(dataset):
    folder = many(dataset)

    def names(count, seed):
        return [item["subject"] for item in load_items(folder, "training", count=count, seed=seed)]

    assert [len(names(count, 0)) for count in (1, 2, 4, 8)] == [1, 2, 4, 8]
    for seed in range(3):
        assert set(names(1, seed)) < set(names(2, seed)) < set(names(4, seed))
        assert names(4, seed) == sorted(names(4, seed)) == names(4, seed)
    assert len({tuple(names(4, seed)) for seed in range(5)}) > 2
    assert names(8, 3) == names(None, 0)


@pytest.mark.parametrize("count", [0, 9, -1, 1.5, True])
def test_a_count_that_the_list_does_not_have(count, dataset):
    with pytest.raises(InputError, match=rf"8 subjects in the list 'training', of which {count} were asked for.*to 8"):
        load_items(many(dataset), "training", count=count)


def test_an_empty_list_is_answered_with_what_the_caller_advises(dataset):
    with pytest.raises(InputError, match=r"list 'unlabeled' empty.*Take the variant without\.$"):
        load_items(dataset(), "unlabeled", labels=False, without="Take the variant without.")
