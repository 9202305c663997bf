"""Which case and which slice are shown, and in which orientation."""

import struct

import nibabel as nib
import numpy as np
import pytest

from ganglion.errors import InputError
from ganglion.reports.overlays import Case, draw, find_cases, largest_slice, pick


def rows(*dice):
    return [{"subject": f"s{i}", "dice": d} for i, d in enumerate(dice)]


def test_pick():
    assert [(p, r["subject"]) for p, r in pick(rows(0.5, 0.1, 0.9, 0.7))] == [
        ("worst", "s1"),
        ("median", "s0"),
        ("best", "s2"),
    ]
    assert [p for p, _ in pick(rows(0.5, 0.1))] == ["worst", "best"]
    assert [p for p, _ in pick(rows(0.5))] == ["only case"]
    assert pick([]) == []


def save(folder, affine, **volumes):
    paths = {}
    for name, volume in volumes.items():
        paths[name] = folder / f"{name}.nii.gz"
        nib.save(nib.Nifti1Image(volume, affine), paths[name])
    return Case("sub-001", **paths)


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)])
def test_largest_slice_in_ras_order(tmp_path, signs):
    """One slice has the larger label; a bright voxel marks the right front, whatever the file's own axis order."""
    ras = np.zeros((8, 10, 6), dtype=np.float32)
    ras[1:7, 1:9, :] = 10
    ras[6, 8, :] = 100
    label = np.zeros_like(ras)
    label[3, 3, 1], label[3:6, 3:6, 4] = 1, 1
    flip = tuple(slice(None, None, s) for s in signs)
    case = save(
        tmp_path, np.diag([*(2.0 * s for s in signs), 1.0]), image=ras[flip], label=label[flip], pred=label[flip]
    )
    shown = largest_slice(case)
    assert shown.index == 4
    assert shown.label.sum() == 9
    row, column = np.unravel_index(shown.image.argmax(), shown.image.shape)
    assert row > shown.image.shape[0] / 2
    assert column > shown.image.shape[1] / 2


def test_empty_label_shows_the_prediction_and_all_empty_the_middle(tmp_path):
    image, nothing = np.ones((6, 6, 6), dtype=np.float32), np.zeros((6, 6, 6), dtype=np.uint8)
    pred = nothing.copy()
    pred[2:4, 2:4, 1] = 1
    assert largest_slice(save(tmp_path, np.eye(4), image=image, label=nothing, pred=pred)).index == 1
    shown = largest_slice(save(tmp_path, np.eye(4), image=image, label=nothing, pred=nothing))
    assert shown.index == 3
    assert draw(shown).startswith(b"\x89PNG")


def test_png_is_wider_than_high_and_deterministic(tmp_path):
    image = np.random.default_rng(0).random((20, 20, 4)).astype(np.float32)
    label = (image > 0.5).astype(np.uint8)
    shown = largest_slice(save(tmp_path, np.eye(4), image=image, label=label, pred=label))
    png = draw(shown)
    width, height = struct.unpack(">II", png[16:24])
    assert 1.9 < width / height < 2.1
    assert png == draw(shown)


def test_find_cases_takes_the_contrast_and_skips_what_has_no_prediction(tmp_path):
    (tmp_path / "a_pred.nii.gz").touch()
    (tmp_path / "c_pred.nii.gz").touch()
    items = [
        {"subject": "a", "image": ["a_T1", "a_FLAIR"], "label": "l"},
        {"subject": "b", "image": ["b_T1", "b_FLAIR"], "label": "l"},
        {"subject": "c", "image": "c_4d", "channels": [0, 1], "label": "l"},
    ]
    cases = find_cases(items, ("T1", "FLAIR"), tmp_path, "FLAIR")
    assert [(c.subject, c.image.name, c.channel) for c in cases] == [("a", "a_FLAIR", None), ("c", "c_4d", 1)]
    assert find_cases(items[:1], ("T1", "FLAIR"), tmp_path, "T2")[0].contrast == "T1"


def test_unreadable_and_unequal_files_are_named(tmp_path):
    volume = np.zeros((4, 4, 4), dtype=np.float32)
    case = save(tmp_path, np.eye(4), image=volume, label=volume, pred=volume[:3])
    with pytest.raises(InputError, match="Subject sub-001: found other sizes"):
        largest_slice(case)
    (tmp_path / "image.nii.gz").write_bytes(b"garbage")
    with pytest.raises(InputError, match=r"image\.nii\.gz cannot be read"):
        largest_slice(case)
