"""What an item names, opened header by header; loading and the check both rest on it."""

from pathlib import Path

import numpy as np
import pytest

from ganglion.data.inputs import open_image, open_label, require_channels, require_one_channel, require_order
from ganglion.data.volumes import open_volume
from ganglion.errors import InputError


def test_no_voxel_is_read(tmp_path, save):
    """Voxels cut off behind an intact header go unnoticed here, since opening stays cheap."""
    path = save(tmp_path / "a_T1.nii.gz", np.random.default_rng(0).normal(size=(30, 30, 30)))
    path.write_bytes(path.read_bytes()[:-2000])
    (volume,) = open_image(path, ("T1",))
    assert volume.shape == (30, 30, 30)


def test_forms_of_an_image(tmp_path, save):
    one = save(tmp_path / "a_T1.nii.gz")
    other = save(tmp_path / "a_T2.nii.gz", seed=1)
    for value in ([one, other], [str(one), str(other)], one, str(other), [other]):
        assert [volume.path for volume in open_image(value, ("T1", "T2"))] == [one, other]
    whole = save(tmp_path / "a.nii.gz", np.ones((3, 3, 3, 2), dtype=np.float32))
    assert [volume.channels for volume in open_image([whole], ("T1", "T2"))] == [2]


def test_order_is_judged_only_where_the_names_tell_it():
    require_order(["a_T1.nii", "a_T2.nii"], ("T1", "T2"))
    require_order(["a.nii", "b.nii"], ("T1", "T2"))
    require_order(["a_PD.nii"], ("T1",))
    with pytest.raises(InputError, match="named as FLAIR, expected T1.*on purpose, set contrasts to FLAIR"):
        require_order([Path("a_FLAIR.nii")], ("T1",))
    with pytest.raises(InputError, match="named in the order T2, T1, expected T1, T2"):
        require_order(["a_T2.nii", "a_T1.nii"], ("T1", "T2"))


def test_channels(tmp_path, save):
    whole = open_volume(save(tmp_path / "a.nii", np.ones((3, 3, 3, 3), dtype=np.float32)))
    require_channels(whole, ("T1", "T2"), [2, 0])
    require_channels(whole, ("T1", "T2", "FLAIR"))
    for contrasts, channels in ((("T1", "T2"), None), (("T1",), [3]), (("T1",), [0, 1]), (("T1",), [-1])):
        with pytest.raises(InputError, match="found 3 channels, expected"):
            require_channels(whole, contrasts, channels)
    with pytest.raises(InputError, match="4-D file of 3 volumes"):
        require_one_channel(whole)
    with pytest.raises(InputError, match="4-D label of 3 channels"):
        open_label(whole.path)
