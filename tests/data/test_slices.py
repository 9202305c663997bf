"""Which slices are kept."""

import pytest
import torch

from ganglion.data import KeepSlicesd
from ganglion.errors import InputError


@pytest.fixture
def item():
    """Brain on 0, 1/4, 1/2 and all of the plane of 4 slices; tumour in the last but one."""
    image, label = torch.zeros(2, 4, 4, 4), torch.zeros(1, 4, 4, 4)
    image[1, :1, :, 1] = image[0, :2, :, 2] = image[:, :, :, 3] = 7
    label[0, 0, 0, 2] = 1
    return {"image": image, "label": label, "subject": "sub-1"}


@pytest.mark.parametrize(("share", "kept"), [(0.0, [1, 2, 3]), (0.25, [1, 2, 3]), (0.3, [2, 3]), (1.0, [3])])
def test_slices_with_enough_brain_in_any_channel_are_kept(item, share, kept):
    result = KeepSlicesd(share=share)(item)
    assert torch.equal(result["image"], item["image"][..., kept])
    assert torch.equal(result["label"], item["label"][..., kept])


def test_only_with_tumour(item):
    result = KeepSlicesd(share=0.1, tumour_only=True)(item)
    assert torch.equal(result["label"], item["label"][..., [2]])


def test_a_subject_without_slices_is_named(item):
    with pytest.raises(InputError, match="subject sub-1: found no slice with brain on 60 % of the plane and a tumour"):
        KeepSlicesd(share=0.6, tumour_only=True)(item)
    with pytest.raises(InputError, match="share is 2"):
        KeepSlicesd(share=2)
