"""Writing a cohort: same seed, same bytes; and every argument that does not fit."""

import hashlib
import json

import nibabel
import numpy as np
import pytest

from ganglion.data import check_dataset, load_items
from ganglion.data.phantom import write_cohort
from ganglion.data.phantom.write import default_splits
from ganglion.errors import InputError, StorageError

# The quickest cohort at the coarsest spacing: under half a second a subject.
QUICK = {"cohort": "iseg", "spacing": 6.0, "progress": False}


def hashes(folder):
    """sha256 of every volume by relative path."""
    files = sorted(folder.rglob("*.nii.gz"))
    assert files
    return {f.relative_to(folder).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Three labelled and two unlabelled infants."""
    return write_cohort(dst=tmp_path_factory.mktemp("iseg"), subjects=3, unlabeled=2, **QUICK)


def test_same_seed_same_bytes_whatever_the_number_of_subjects(written, tmp_path):
    again = hashes(write_cohort(dst=tmp_path / "again", subjects=5, unlabeled=1, **QUICK))
    first = hashes(written)
    shared = first.keys() & again.keys()
    assert len(shared) == 3 * 3 + 2
    assert {name: first[name] for name in shared} == {name: again[name] for name in shared}


def test_same_bytes_from_two_processes(written, tmp_path):
    assert hashes(write_cohort(dst=tmp_path / "two", subjects=3, unlabeled=2, workers=2, **QUICK)) == hashes(written)


@pytest.mark.parametrize("cohort", ["brats", "mrbrains"])
def test_same_seed_same_bytes_in_the_other_cohorts(cohort, tmp_path):
    arguments = {"cohort": cohort, "subjects": 1, "seed": 4, "spacing": 6.0, "progress": False}
    first, second = (hashes(write_cohort(dst=tmp_path / name, **arguments)) for name in ("a", "b"))
    assert first == second


def test_another_seed_gives_other_bytes(written, tmp_path):
    other = hashes(write_cohort(dst=tmp_path / "other", subjects=3, seed=1, **QUICK))
    first = hashes(written)
    assert all(first[name] != digest for name, digest in other.items())


def test_every_subject_differs(written):
    digests = list(hashes(written).values())
    assert len(set(digests)) == len(digests)


def test_gzip_carries_neither_time_nor_name(written):
    """Bytes 4 to 7 of a gzip file are its time, bit 3 of byte 3 says whether a name follows (RFC 1952)."""
    for path in written.rglob("*.nii.gz"):
        head = path.read_bytes()[:10]
        assert head[4:8] == b"\0\0\0\0"
        assert not head[3] & 8


def test_the_data_set_loads_and_passes_its_own_check(written):
    items = load_items(written, "training")
    assert [item["subject"] for item in items] == ["sub-001"]
    assert len(items[0]["image"]) == 2
    assert "label" not in load_items(written, "unlabeled", labels=False)[0]
    assert [f for f in check_dataset(written) if f.level != "note"] == []


def test_labels_lie_on_the_grid_of_their_images(written):
    for item in load_items(written, "training") + load_items(written, "test"):
        label = nibabel.load(item["label"])
        for path in item["image"]:
            image = nibabel.load(path)
            assert image.shape == label.shape
            np.testing.assert_array_equal(image.affine, label.affine)
            np.testing.assert_array_equal(image.get_sform(), image.get_qform())


def test_the_file_says_that_it_is_simulated(written):
    content = json.loads((written / "dataset.json").read_text(encoding="utf-8"))
    assert content["simulated"] == {"cohort": "iseg", "seed": 0, "spacing": 6.0}
    assert "simulated" in content["description"]
    assert content["channel_names"] == {"0": "T1", "1": "T2"}
    assert content["labels"] == {"background": 0, "CSF": 1, "GM": 2, "WM": 3}
    assert len(content["unlabeled"]) == 2


@pytest.mark.parametrize(
    ("subjects", "expected"), [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (8, (5, 1, 2)), (100, (60, 15, 25))]
)
def test_default_splits(subjects, expected):
    assert default_splits(subjects) == expected


def test_splits_are_exact(tmp_path):
    folder = write_cohort(dst=tmp_path / "d", subjects=3, splits=(0, 1, 2), **QUICK)
    content = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    assert [len(content[name]) for name in ("training", "validation", "test")] == [0, 1, 2]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"cohort": "ixi"}, "unknown cohort 'ixi': choose one of brats, iseg, mrbrains"),
        ({"subjects": 0}, "subjects is 0: give a whole number from 1"),
        ({"subjects": 2.5}, "subjects is 2.5"),
        ({"seed": -1}, "seed is -1: give a whole number from 0"),
        ({"unlabeled": -2}, "unlabeled is -2"),
        ({"workers": 0}, "workers is 0"),
        ({"spacing": 0.1}, "spacing is 0.1: give a voxel size between 0.5 and 6 mm"),
        ({"spacing": "fine"}, "spacing is 'fine'"),
        ({"splits": (1, 1)}, r"splits is \(1, 1\): give three numbers .* that sum to 3"),
        ({"splits": (1, 1, 2)}, "that sum to 3"),
        ({"splits": (4, -1, 0)}, "that sum to 3"),
        ({"splits": ("a", 1, 1)}, "that sum to 3"),
    ],
)
def test_arguments_that_do_not_fit(changed, message, tmp_path):
    with pytest.raises(InputError, match=message):
        write_cohort(**({"cohort": "iseg", "dst": tmp_path / "d", "subjects": 3} | changed))
    assert not (tmp_path / "d").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="is not an empty folder"):
        write_cohort(dst=tmp_path, subjects=1, **QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="is not an empty folder"):
        write_cohort(dst=tmp_path / "file", subjects=1, **QUICK)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match="cannot make the folder"):
        write_cohort(dst=tmp_path / "file" / "below", subjects=1, **QUICK)


def test_a_full_disk(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganglion.data.phantom.write.write_volume", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_cohort(dst=tmp_path / "d", subjects=1, **QUICK)


def test_progress_is_a_line_a_subject_in_a_log(tmp_path, caplog):
    caplog.set_level("INFO")
    write_cohort(dst=tmp_path / "d", subjects=2, **(QUICK | {"progress": True}))
    assert [r.getMessage() for r in caplog.records if "simulated subject" in r.getMessage()] == [
        "simulated subject 1 of 2: sub-001",
        "simulated subject 2 of 2: sub-002",
    ]


def test_labels_of_ageing_adults_say_which_tissues_they_are(tmp_path):
    from ganglion.data import LoadLabeld

    folder = write_cohort("mrbrains", tmp_path / "adults", subjects=1, splits=(1, 0, 0), spacing=6.0, progress=False)
    (item,) = load_items(folder, "training")
    assert set(np.unique(nibabel.load(item["label"]).dataobj)) > {0, 1, 2, 3}
    assert set(np.unique(LoadLabeld(like=None)(item)["label"])) == {0, 1, 2, 3}
