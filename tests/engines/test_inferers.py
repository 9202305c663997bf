"""`HeadSliceInferer`: with a window MONAI's; without one the same labels on the head, and background elsewhere."""

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SliceInferer
from torch import nn

from ganglion.engines import HeadSliceInferer
from ganglion.errors import InputError


class Pointwise(nn.Module):
    """Sees one pixel at a time, so that where the box is cut cannot matter; wants sides divisible by 16."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 1, 1)
        self.seen: list[tuple[int, ...]] = []

    def forward(self, slices):
        assert slices.shape[-1] % 16 == slices.shape[-2] % 16 == 0
        self.seen.append(tuple(slices.shape))
        return self.layer(slices)


def volume(shape=(37, 50, 12), box=((5, 30), (9, 21), (3, 9)), batch=1) -> torch.Tensor:
    image = torch.zeros(batch, 2, *shape)
    (a, b), (c, d), (e, f) = box
    image[:, :, a:b, c:d, e:f] = torch.rand(batch, 2, b - a, d - c, f - e) + 0.1
    return image


@pytest.mark.parametrize("box", [((5, 30), (9, 21), (3, 9)), ((0, 37), (0, 50), (0, 12)), ((36, 37), (0, 1), (11, 12))])
@pytest.mark.parametrize("batch", [1, 2])
def test_labels_the_head_as_the_whole_slice_would(box, batch):
    image, network = volume(box=box, batch=batch), Pointwise()
    with torch.no_grad():
        result = HeadSliceInferer(None, sw_batch_size=3)(image, network)
        padded = nn.functional.pad(image, (0, 0, 0, 14, 0, 11))
        expected = SliceInferer(roi_size=(-1, -1), spatial_dim=2)(padded, network)[:, :, :37, :50]
    head = (image != 0).any(dim=1, keepdim=True)
    torch.testing.assert_close(result[head], expected[head], rtol=0, atol=1e-6)
    assert result.shape == (batch, 1, 37, 50, 12)
    empty = ~head.flatten(0, 3).any(dim=0)  # slices of nothing but 0
    assert (result[..., empty] == -30).all()


def test_does_no_more_than_it_must():
    image, network = volume(), Pointwise()
    HeadSliceInferer(None, sw_batch_size=4)(image, network)
    assert [shape[0] for shape in network.seen] == [4, 2]  # six of twelve slices
    assert {shape[2:] for shape in network.seen} == {(32, 16)}  # 25 + 4 and 12 + 4 pixels


def test_a_volume_of_nothing_is_background_and_metadata_stay():
    image = MetaTensor(torch.zeros(1, 2, 20, 20, 5), affine=torch.diag(torch.tensor([2.0, 2.0, 2.0, 1.0])))
    result = HeadSliceInferer(None)(image, Pointwise())
    assert (result == -30).all()
    assert result.shape == (1, 1, 20, 20, 5)
    assert torch.equal(result.affine, image.affine)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_lie_along_any_axis(axis):
    image, network = volume(), Pointwise()
    turned = image.movedim(4, axis + 2)
    with torch.no_grad():
        straight = HeadSliceInferer(None)(image, network)
        result = HeadSliceInferer(None, spatial_dim=axis)(turned, network)
    assert torch.equal(result.movedim(axis + 2, 4), straight)


def test_with_a_window_it_is_monais_own():
    image, network = volume((32, 48, 12)), Pointwise()
    for window in ((-1, -1), (16, 32)):
        with torch.no_grad():
            ours = HeadSliceInferer(window, sw_batch_size=4)(image, network)
            theirs = SliceInferer(roi_size=window, spatial_dim=2, sw_batch_size=4)(image, network)
        assert torch.equal(ours, theirs)


def test_bfloat16_differs_in_the_last_digits_only():
    image, network = volume((32, 48, 12)), Pointwise()
    with torch.no_grad():
        full, half = (HeadSliceInferer(None, precision=p)(image, network) for p in ("fp32", "bf16"))
    assert half.dtype == torch.float32
    assert not torch.equal(full, half)
    torch.testing.assert_close(full, half, rtol=2e-2, atol=2e-2)


def test_an_unknown_precision_is_refused():
    with pytest.raises(InputError, match="expected one of fp32, bf16"):
        HeadSliceInferer(None, precision="fp8")
