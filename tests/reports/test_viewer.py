"""The document of nilearn's viewer as it goes into the page: its grid, its codes, and nothing that is fetched."""

import re
from html import unescape
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from ganglion.errors import InputError
from ganglion.reports import viewer
from ganglion.reports.overlays import Case
from ganglion.reports.viewer import document, viewers


def case(folder: Path, shape=(24, 30, 20), spacing=(1.0, 1.0, 1.0), subject="sub-001"):
    """A ball of a head with a lesion of 4 voxels a side, of which the prediction misses one layer."""
    place = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    head = (np.square(place).sum(0) < 0.9) * 100.0
    label = np.zeros(shape, dtype=np.uint8)
    label[10:14, 12:16, 8:12] = 1
    pred = np.roll(label, 1, axis=0)
    folder.mkdir(exist_ok=True)
    files = []
    for name, volume in (("image", head), ("label", label), ("pred", pred)):
        files.append(folder / f"{name}.nii.gz")
        nib.save(nib.Nifti1Image(volume.astype(np.float32), np.diag([*spacing, 1.0])), files[-1])
    return Case(subject, files[0], files[1], files[2])


def test_nothing_is_fetched(tmp_path):
    text, _ = document(case(tmp_path))
    assert "default-src 'none'; img-src data:;" in text
    sources = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", re.sub(r"<script>.*?</script>", "", text, flags=re.S))
    assert len(sources) == 3
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_codes_of_label_and_prediction(tmp_path):
    scan, marks = viewer._on_one_grid(case(tmp_path))
    codes = np.asarray(marks.dataobj)
    assert scan.shape == marks.shape
    # 4 x 4 voxels of the label alone, as many of the prediction alone, and three layers of both
    assert [int((codes == code).sum()) for code in (1, 2, 3)] == [16, 16, 48]
    shades = np.asarray(scan.dataobj)
    assert (shades.min(), shades.max()) == (0, viewer.GREYS)


def test_thick_slices_become_isotropic_within_bounds(tmp_path, monkeypatch):
    scan, _ = viewer._on_one_grid(case(tmp_path, shape=(48, 60, 20), spacing=(0.5, 0.5, 3.0)))
    assert len(set(scan.header.get_zooms())) == 1
    monkeypatch.setattr(viewer, "VOXELS", 5000)
    smaller, _ = viewer._on_one_grid(case(tmp_path, shape=(48, 60, 20), spacing=(0.5, 0.5, 3.0)))
    assert np.prod(smaller.shape) < 1.5 * 5000 < np.prod(scan.shape)


def test_the_cut_is_where_the_lesion_is(tmp_path):
    _, marks = viewer._on_one_grid(case(tmp_path))
    assert viewer._centre(marks) == pytest.approx((12.0, 14.0, 10.0), abs=0.51)


def test_an_empty_case_is_shown_too(tmp_path):
    files = case(tmp_path)
    for path in (files.label, files.pred):
        nib.save(nib.Nifti1Image(np.zeros((24, 30, 20), np.float32), np.eye(4)), path)
    assert "brainsprite" in document(files)[0]


def test_other_grids_are_an_error(tmp_path):
    files = case(tmp_path)
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.float32), np.eye(4)), files.pred)
    with pytest.raises(InputError, match=r"Subject sub-001: found other sizes"):
        document(files)


def test_cases_are_chosen_and_the_median_is_first(tmp_path):
    hostile = '"><script>alert(1)</script>'
    files = [case(tmp_path / name) for name in "ab"]
    text = viewers([(f"worst: {hostile}", files[0]), ("median: sub-002", files[1])])
    page = re.sub(r'srcdoc="[^"]*"', "", text)
    assert "<script" not in page
    assert re.findall(r'<input[^>]*value="(\d)" checked=""', page) == ["1"]
    assert page.count("<iframe") == page.count('sandbox="allow-scripts"') == 2
    inner = re.findall(r'srcdoc="([^"]*)"', text)
    assert "brainsprite(" in unescape(inner[0])
    assert viewers([]) == ""


def test_one_case_needs_no_choice(tmp_path):
    text = re.sub(r'srcdoc="[^"]*"', "", viewers([("only case: sub-001", case(tmp_path))]))
    assert "<fieldset" not in text
    assert "visibility: hidden" not in text
