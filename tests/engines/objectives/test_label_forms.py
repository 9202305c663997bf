"""What discriminators see of label maps, by each remedy."""

import pytest
import torch
import torch.nn.functional as F

from ganglion.engines.objectives.label_forms import REMEDIES, LabelForm
from ganglion.errors import InputError


@pytest.fixture
def label():
    codes = torch.zeros(2, 1, 16, 16)
    codes[:, :, 4:12, 4:12] = 2
    codes[:, :, 6:9, 6:9] = 3
    return codes


def hard(label):
    return F.one_hot(label[:, 0].long(), 4).movedim(-1, 1).float()


@pytest.mark.parametrize("remedy", REMEDIES)
def test_views_are_images_with_maps_in_the_range_of_images(remedy, label):
    image = torch.randn(2, 4, 16, 16)
    form = LabelForm(remedy)
    for views in (form.real(image, label), form.drawn(torch.cat([image, hard(label)], dim=1))):
        assert set(views) == ({"discriminator", "label_discriminator"} if remedy == "second" else {"discriminator"})
        view = views["label_discriminator" if remedy == "second" else "discriminator"]
        maps = view[:, 4:]
        assert torch.equal(view[:, :4], image)
        assert maps.min() >= -1
        assert maps.max() <= 1
        assert torch.allclose(((maps + 1) / 2).sum(dim=1), torch.ones(2, 16, 16), atol=1e-5)
        assert torch.equal(maps.argmax(dim=1), label[:, 0].long())
    if remedy == "second":
        assert torch.equal(views["discriminator"], image)


def test_soft_maps_by_hand():
    label = torch.zeros(1, 1, 8, 8)
    flat = LabelForm("soft").real(torch.zeros(1, 4, 8, 8), label)["discriminator"][0, 4:]
    assert torch.allclose(flat[0], torch.full((8, 8), 2 * (0.95 + 0.05 / 4) - 1), atol=1e-6)
    label[..., 4:] = 1
    edge = LabelForm("soft", uniform=0.0).real(torch.zeros(1, 4, 8, 8), label)["discriminator"][0, 4:, 4]
    line = torch.exp(-0.5 * (torch.arange(-2, 3) / 0.5) ** 2)
    share = line[3:].sum() / line.sum()
    assert edge[1, 3].item() == pytest.approx(2 * share.item() - 1, abs=1e-5)


def test_distances_fall_with_depth():
    label = torch.zeros(1, 1, 16, 16)
    label[..., 8:] = 1
    inside = LabelForm("distance").real(torch.zeros(1, 4, 16, 16), label)["discriminator"][0, 5, 8, 8:]
    assert (inside[1:] >= inside[:-1]).all()
    assert inside[3] > inside[0]


def test_straight_through_shows_hard_maps_and_passes_the_gradient():
    joint = torch.cat([torch.zeros(2, 4, 8, 8), torch.softmax(torch.randn(2, 4, 8, 8), 1)], 1).requires_grad_()
    view = LabelForm("straight_through").drawn(joint)["discriminator"]
    assert set(view[:, 4:].detach().round(decimals=4).unique().tolist()) == {-1.0, 1.0}
    weights = torch.randn_like(view)
    (view * weights).sum().backward()
    assert torch.allclose(joint.grad[:, 4:], 2 * weights[:, 4:])


def test_the_second_discriminator_teaches_the_map_alone():
    joint = torch.rand(2, 8, 8, 8, requires_grad=True)
    LabelForm("second").drawn(joint)["label_discriminator"].sum().backward()
    assert not joint.grad[:, :4].any()
    assert joint.grad[:, 4:].all()


def test_labels_can_be_hidden(label):
    form = LabelForm()
    view = form.real(torch.randn(2, 4, 16, 16), label)["discriminator"]
    hidden = form.without_labels(view)
    assert torch.equal(hidden[:, :4], view[:, :4])
    assert not hidden[:, 4:].any()


def test_mistakes_are_named(label):
    with pytest.raises(InputError, match="remedy is 'hard'"):
        LabelForm("hard")
    with pytest.raises(InputError, match="label code 3 found, expected 0 to 2"):
        LabelForm(labels=3).real(torch.zeros(2, 4, 16, 16), label)
    with pytest.raises(InputError, match="uniform 1"):
        LabelForm(uniform=1.0)
