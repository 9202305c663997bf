"""Adaptive augmentation: moves against flips and rolls of torch, and p by arithmetic."""

import pytest
import torch

from ganglion.engines import AdaptiveAugmentation
from ganglion.engines.adaptive_augmentation import draw_moves, move_images
from ganglion.errors import InputError


def moved(images, swap=False, scale=(1.0, 1.0), shift=(0.0, 0.0)):
    count = len(images)
    return move_images(
        images, torch.tensor([swap] * count), torch.tensor([scale] * count), torch.tensor([shift] * count)
    )


def test_moves_are_those_of_their_names():
    image = torch.randn(2, 3, 8, 8)
    assert torch.equal(moved(image), image)
    assert torch.allclose(moved(image, scale=(1.0, -1.0)), image.flip(3), atol=1e-6)
    assert torch.allclose(moved(image, True, (1.0, -1.0)), image.rot90(-1, (2, 3)), atol=1e-6)
    assert torch.allclose(moved(image, True, (-1.0, 1.0)), image.rot90(1, (2, 3)), atol=1e-6)
    shifted = moved(image, shift=(2.0, 0.0))
    assert torch.allclose(shifted[:, :, :6], image[:, :, 2:], atol=1e-6)
    assert torch.allclose(shifted[:, :, 6:], image[:, :, 7:].expand(-1, -1, 2, -1), atol=1e-6)
    half = moved(image, shift=(0.0, 0.5))
    assert torch.allclose(half[..., :-1], (image[..., 1:] + image[..., :-1]) / 2, atol=1e-6)


def test_all_channels_move_alike_and_probabilities_keep_their_sum():
    labels = torch.softmax(torch.randn(16, 4, 16, 16), dim=1)
    images = torch.cat([labels, labels], dim=1)
    result = AdaptiveAugmentation(probability=1.0)(images)
    assert torch.equal(result[:, :4], result[:, 4:])
    assert torch.allclose(result[:, :4].sum(dim=1), torch.ones(16, 16, 16), atol=1e-5)
    assert not torch.allclose(result, images)


def test_at_zero_it_does_nothing_and_in_between_it_leaves_some_alone():
    images = torch.randn(64, 1, 16, 16)
    state = torch.get_rng_state()
    assert AdaptiveAugmentation()(images) is images
    assert torch.equal(state, torch.get_rng_state())
    result = AdaptiveAugmentation(probability=0.1)(images)
    kept = sum(torch.equal(a, b) for a, b in zip(result, images, strict=True))
    assert 15 < kept < 55


def test_gradients_of_gradients():
    image = torch.randn(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    swap, scale, shift = draw_moves(image, 0.9)
    assert torch.autograd.gradgradcheck(lambda x: move_images(x, swap, scale.double(), shift.double()), image)


def test_the_probability_follows_the_sign_of_real_scores():
    augmentation = AdaptiveAugmentation(target=0.6, every=2, images_per_unit=80)
    sure, unsure = torch.ones(8, 1), torch.tensor([1.0, 1, 1, 1, 1, 1, -1, -1])
    for scores, expected in ((sure, 0.0), (sure, 0.2), (sure, 0.2), (unsure, 0.4), (unsure, 0.4), (unsure, 0.2)):
        augmentation.watch(scores)
        assert augmentation.probability == pytest.approx(expected)
    for _ in range(8):
        augmentation.watch(-sure)
    assert augmentation.probability == 0


def test_without_a_target_the_probability_stays():
    augmentation = AdaptiveAugmentation(probability=0.3)
    augmentation.watch(torch.ones(8))
    assert augmentation.state_dict() == {"probability": 0.3, "signs": 0.0, "images": 0, "calls": 0}


def test_a_checkpoint_between_two_changes_goes_on_as_if_uninterrupted():
    first, second = (AdaptiveAugmentation(0.6, every=3, images_per_unit=100) for _ in range(2))
    for number in range(5):
        scores = torch.randn(8) + 3
        first.watch(scores)
        if number == 1:
            second.load_state_dict(first.state_dict())
        elif number > 1:
            second.watch(scores)
    assert second.state_dict() == first.state_dict()
    assert first.probability > 0


@pytest.mark.parametrize("options", [{"target": 1.0}, {"probability": 1.5}, {"every": 0}, {"images_per_unit": 0}])
def test_bad_arguments_are_named(options):
    with pytest.raises(InputError, match=next(iter(options))):
        AdaptiveAugmentation(**options)
