"""Made-up contrasts are marked as such, in the file's name and in its header."""

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from ganglion.data import SaveSyntheticd
from ganglion.data.naming import parse
from ganglion.errors import InputError

CONTRASTS = ("T1", "T2", "FLAIR")
AFFINE = torch.tensor(np.diag([-2.0, -2.0, 3.0, 1.0]))


def item(held="T1,FLAIR"):
    image = MetaTensor(torch.zeros(3, 6, 7, 1), affine=AFFINE, meta={"contrasts": held, "filename_or_obj": "sub-001"})
    made = torch.linspace(-0.2, 1.2, 3 * 42).reshape(3, 6, 7, 1)
    return {"image": image, "pred": MetaTensor(made, affine=AFFINE)}


def test_what_is_missing_is_written_and_marked(tmp_path):
    SaveSyntheticd("pred", CONTRASTS, tmp_path)(item())
    (file,) = tmp_path.iterdir()
    assert file.name == "sub-001_T2_synthetic.nii.gz"
    image = nib.load(file)
    assert bytes(image.header["descrip"].item()).decode() == "synthetic T2 from T1,FLAIR; not a scan"
    assert (image.shape, image.get_data_dtype()) == ((6, 7, 1), np.int16)
    assert np.allclose(image.affine, AFFINE)
    expected = (item()["pred"][1].numpy().clip(0, 1) * 1000).round()
    assert np.array_equal(np.asarray(image.dataobj), expected)
    assert parse(file).contrast == "T2"
    assert parse(file).after  # and so it is no sibling of sub-001_T1.nii.gz


def test_what_is_asked_for_is_written_from_the_others(tmp_path, caplog):
    SaveSyntheticd("pred", CONTRASTS, tmp_path, targets=["flair", "T2"])(item())
    headers = {file.name: bytes(nib.load(file).header["descrip"].item()).decode() for file in tmp_path.iterdir()}
    assert headers["sub-001_FLAIR_synthetic.nii.gz"] == "synthetic FLAIR from T1; not a scan"
    assert len(headers) == 2
    SaveSyntheticd("pred", CONTRASTS, tmp_path / "none", targets=["T1"])(item(held="T1"))
    assert not list((tmp_path / "none").iterdir())
    assert "T1 cannot be made from itself" in caplog.text


def test_contrasts_that_are_not_known(tmp_path):
    with pytest.raises(InputError, match="targets: found PD, expected some of T1, T2, FLAIR"):
        SaveSyntheticd("pred", CONTRASTS, tmp_path, targets=["PD"])
