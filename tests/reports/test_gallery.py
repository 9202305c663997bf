"""The picture of what bundles take and give: the right slices, in the right order, as a PNG."""

import json

import nibabel as nib
import numpy as np
import pytest

from ganglion.reports.gallery import Panel, Row, drawn_row, labelled_row, write_gallery


def save(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)


@pytest.fixture
def dataset(tmp_path):
    """One test subject whose label is largest in slice 3, where the images are 13 and 23."""
    label = np.zeros((20, 16, 6), np.uint8)
    label[5:9, 5:9, 3], label[5:7, 5:7, 2] = 2, 1
    item = {"subject": "s", "image": ["s/s_T1.nii.gz", "s/s_T2.nii.gz"], "label": "s/s_label.nii.gz"}
    for number, name in enumerate(item["image"], start=1):
        data = np.zeros(label.shape, np.float32)
        data[2:14, 3:12] = np.arange(6) + 10 * number
        save(tmp_path / "data" / name, data)
    save(tmp_path / "data" / item["label"], label)
    content = {"channel_names": {"0": "T1", "1": "T2"}, "labels": {"background": 0, "a": 1, "b": 2}, "test": [item]}
    (tmp_path / "data" / "dataset.json").write_text(json.dumps(content))
    return tmp_path / "data"


@pytest.mark.parametrize(("codes", "truth"), [((0, 1, 2), {0, 2}), ((0, 1), {0, 1})])
def test_a_bundle_that_labels(dataset, tmp_path, codes, truth):
    prediction = np.zeros((20, 16, 6), np.uint8)
    prediction[5:9, 4:9, 3] = codes[-1]
    save(tmp_path / "out" / "s_pred.nii.gz", prediction)
    row = labelled_row("mine", dataset, ("T2", "T1"), tmp_path / "out")
    assert [panel.caption for panel in row.panels] == ["T2", "T1", "output", "truth"]
    assert [panel.is_output for panel in row.panels] == [False, False, True, False]
    assert [panel.image.max() for panel in row.panels] == [23, 13, 13, 13]
    assert (row.panels[2].codes == codes[-1]).sum() == 20
    assert set(np.unique(row.panels[3].codes)) == truth
    assert len({panel.image.shape for panel in row.panels}) == 1


def test_a_bundle_that_draws(tmp_path):
    files = {"image": ["a/a_T1.nii.gz", "a/a_T2.nii.gz"], "label": "a/a_label.nii.gz"}
    for value, name in enumerate([*files["image"], files["label"]], start=1):
        save(tmp_path / name, np.full((8, 6, 1), value, np.int16))
    (tmp_path / "dataset.json").write_text(json.dumps({"training": [], "validation": [{"subject": "a", **files}]}))
    row = drawn_row("draws", tmp_path, ("T1", "T2"))
    assert [(panel.caption, panel.image.shape, panel.image.max()) for panel in row.panels] == [
        ("T1", (6, 8), 1),
        ("T2", (6, 8), 2),
        ("its labels", (6, 8), 2),
    ]
    assert row.panels[2].codes.max() == 3
    assert all(panel.is_output for panel in row.panels)


def test_rows_of_any_length_become_one_picture(tmp_path):
    import matplotlib.image

    image, codes = np.random.default_rng(0).random((10, 10)), np.eye(10) * 2
    rows = [Row("one", (Panel("in", image), Panel("out", image, codes, True))), Row("two", (Panel("in", image),))]
    path = write_gallery(tmp_path / "picture.png", rows, "Simulated")
    picture = matplotlib.image.imread(path)
    assert picture.shape[1] > picture.shape[0] > 100
    coloured = np.ptp(picture[..., :3], axis=-1) > 0.3
    assert coloured.any()
    assert write_gallery(tmp_path / "again.png", rows, "Simulated").read_bytes() == path.read_bytes()
