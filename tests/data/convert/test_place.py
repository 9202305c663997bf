"""Links, copies and resampled files, where the disk or the data are difficult."""

from pathlib import Path

import numpy as np
import pytest

from ganglion.data.convert.cases import Case
from ganglion.data.convert.place import Placer, write_resampled
from ganglion.data.volumes import open_volume, read_voxels
from ganglion.errors import InputError


def test_disk_without_links_is_told(tmp_path, save, monkeypatch):
    def refuse(self, target):
        raise OSError(1, "Operation not permitted")

    file = save(tmp_path / "src" / "a_T1.nii.gz")
    monkeypatch.setattr(Path, "symlink_to", refuse)
    placer = Placer(tmp_path / "dst", ("T1",), copy=False, overwrite=False, resample=False)
    with pytest.raises(InputError, match=r"a_T1\.nii\.gz: found a disk .*not permitted.*Pass --copy"):
        placer.place(Case("a", (file,)), "a")


def test_endings_are_kept(tmp_path, save):
    files = (save(tmp_path / "src" / "x.nii"), save(tmp_path / "src" / "y.nii.gz"))
    placer = Placer(tmp_path / "dst", ("T1", "T2"), copy=False, overwrite=False, resample=False)
    assert placer.place(Case("a", files), "a") == (["a/a_T1.nii", "a/a_T2.nii.gz"], None)


def test_linear_resampling_keeps_a_linear_image(tmp_path, save):
    """An image whose values are its millimetres stays so on any grid inside it."""
    x, y, z = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (12, 12, 12)), indexing="ij")
    source = open_volume(save(tmp_path / "a.nii", x + 2 * y + 3 * z))
    turned = np.array([[0, 0.5, 0, 3], [0.5, 0, 0, 4], [0, 0, -1.0, 9], [0, 0, 0, 1]])
    like = open_volume(save(tmp_path / "b.nii", np.ones((4, 5, 6), dtype=np.float32), turned))
    write_resampled(source, like, tmp_path / "c.nii.gz", order=1)
    out = open_volume(tmp_path / "c.nii.gz")
    np.testing.assert_array_equal(out.affine, turned)
    i, j, k = np.meshgrid(*(np.arange(n) for n in (4, 5, 6)), indexing="ij")
    expected = (3 + 0.5 * j) + 2 * (4 + 0.5 * i) + 3 * (9 - k)
    np.testing.assert_allclose(read_voxels(out), expected, rtol=1e-5)


def test_4d_files_are_not_resampled(tmp_path, save):
    whole = save(tmp_path / "a.nii", np.ones((3, 3, 3, 2), dtype=np.float32))
    like = open_volume(save(tmp_path / "b.nii"))
    with pytest.raises(InputError, match="a 4-D file on another grid"):
        write_resampled(open_volume(whole), like, tmp_path / "c.nii", order=1)
