"""The archives of iSEG-2017 and iSEG-2019, built from simulated infants: Analyze pairs and copies as NIfTI."""

import nibabel as nib
import numpy as np
import pytest

from ganglion.data import LoadContrastsd, LoadLabeld, check_dataset, load_items
from ganglion.data.convert import convert
from ganglion.errors import InputError

ISEG_CODES = np.array([0, 10, 150, 250], dtype=np.uint8)
FOLDERS = {
    "2017": {"iSeg-2017-Training": (1, 2, 3), "iSeg-2017-Testing": (11, 12)},
    "2019": {"iSeg-2019-Training": (1, 2, 3), "iSeg-2019-Validation": (11,), "iSeg-2019-Testing": (24,)},
}


def save_analyze(path, data):
    """As the archives hold them: Analyze 7.5 of shape (x, y, z, 1), which states no affine."""
    nib.AnalyzeImage(data[..., None], None).to_filename(path)


@pytest.fixture
def tree(tmp_path, simulated):
    """`tree(year, form)` writes the archives of a year, unpacked side by side."""

    def write(year, form, root=None):
        root = root or tmp_path / "iseg"
        for name, numbers in FOLDERS[year].items():
            for number in numbers:
                images, label, _ = simulated("iseg", number)
                files = {"T1": images["T1"], "T2": images["T2"]} | ({} if number > 10 else {"label": label})
                for kind, data in files.items():
                    folder = root / name / (f"subject-{number}" if form == "nifti" else "")
                    folder.mkdir(parents=True, exist_ok=True)
                    stem = folder / f"subject-{number}-{kind}"
                    if form == "nifti":
                        nib.save(nib.Nifti1Image(data, np.eye(4)), f"{stem}.nii.gz")
                    else:
                        save_analyze(f"{stem}.hdr", ISEG_CODES[data] if kind == "label" else data)
        return root

    return write


@pytest.mark.parametrize(("year", "form"), [("2017", "analyze"), ("2019", "nifti"), ("2019", "analyze")])
def test_archives(tree, tmp_path, simulated, counted, year, form):
    """Codes 0/10/150/250 and 0..3 come out alike; subjects of the test archives have no label."""
    done = convert(f"iseg{year}", tree(year, form), tmp_path / "dst", fractions=(0.4, 0.3, 0.3))
    assert done.contrasts == ("T1", "T2")
    assert done.counts == {"training": 1, "validation": 1, "test": 1, "unlabeled": 2}
    unlabeled = {item["subject"] for item in load_items(tmp_path / "dst", "unlabeled", labels=False)}
    assert unlabeled == ({"subject-11", "subject-12"} if year == "2017" else {"subject-11", "subject-24"})
    assert [finding.level for finding in check_dataset(tmp_path / "dst")] == ([] if form == "analyze" else ["note"])
    item = load_items(tmp_path / "dst", "training")[0]
    images, label, _ = simulated("iseg", int(item["subject"].removeprefix("subject-")))
    out = LoadLabeld()(LoadContrastsd(contrasts=("T1", "T2"))(item))
    np.testing.assert_array_equal(out["image"].numpy(), np.stack([images["T1"], images["T2"]]))
    np.testing.assert_array_equal(out["label"][0].numpy(), label)
    if (year, form) != ("2019", "analyze"):
        counted("converted layouts")


def test_analyze_is_written_small_and_says_so(tree, tmp_path):
    done = convert("iseg2017", tree("2017", "analyze"), tmp_path / "dst")
    assert "do not say which side is left" in done.summary()
    assert not [path for path in (tmp_path / "dst").rglob("*") if path.is_symlink() or path.suffix == ".part"]
    folder = tmp_path / "dst" / "subject-1"
    types = {path.name: nib.load(path).get_data_dtype() for path in folder.iterdir()}
    assert types == {
        "subject-1_T1.nii.gz": np.int16,
        "subject-1_T2.nii.gz": np.int16,
        "subject-1_label.nii.gz": np.uint8,
    }
    assert nib.load(folder / "subject-1_T1.nii.gz").ndim == 3


def test_a_folder_of_both_years_is_read_for_one(tree, tmp_path):
    """Both have a subject-1, and they are the same children."""
    tree("2017", "analyze")
    root = tree("2019", "analyze")
    assert sum(convert("iseg2017", root, tmp_path / "a").counts.values()) == 5
    assert [item["subject"] for item in load_items(tmp_path / "a", "unlabeled", labels=False)][1] == "subject-12"
    convert("iseg2019", root, tmp_path / "b")
    assert load_items(tmp_path / "b", "unlabeled", labels=False)[1]["subject"] == "subject-24"


@pytest.mark.parametrize("fault", ["missing", "truncated"])
def test_a_pair_without_its_other_half(tree, tmp_path, counted, fault):
    root = tree("2017", "analyze")
    image = root / "iSeg-2017-Training" / "subject-2-T2.img"
    content = image.read_bytes()
    image.unlink()
    if fault == "truncated":
        image.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="subject-2-T2"):
        convert("iseg2017", root, tmp_path / "dst", sections={"training": ["subject-2"]})
    assert not list((tmp_path / "dst").rglob("*T2.nii.gz"))
    counted("faulty inputs")
    counted("corrupt files")


def test_other_folders_are_refused(tmp_path, save):
    save(tmp_path / "src" / "sub-1_T1.nii.gz")
    with pytest.raises(InputError, match=r"no subject of layout 'iseg2019', expected files such as iSeg-2019-Training"):
        convert("iseg2019", tmp_path / "src", tmp_path / "dst")
