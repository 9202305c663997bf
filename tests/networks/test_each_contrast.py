"""What the unified network says of each contrast by itself: the parts of which the deployed network is the sum."""

from itertools import combinations

import pytest
import torch

from ganglion.engines.handlers.subset_scores import fuse_contrasts, learnt_weights
from ganglion.networks import AnyContrast, EachContrast, EveryTranslation, MissingContrasts, UnifiedGenerator

N = 3


@pytest.fixture
def generator():
    network = UnifiedGenerator(N, base=2, levels=2).eval()
    for parameter in network.parameters():  # the code moves nothing at the start
        torch.nn.init.normal_(parameter, std=0.3)
    return network


def slices(held=range(N), batch=2):
    """Slices with a brain of 8 x 8 in the contrasts held, -1 elsewhere."""
    image = torch.full((batch, N, 12, 12), -1.0)
    for contrast in held:
        image[:, contrast, 2:10, 2:10] = torch.rand(batch, 8, 8) * 1.8 - 0.9
    return image


@pytest.mark.parametrize("fusion", ["mean", "learnt"])
@torch.no_grad()
def test_the_deployed_network_is_their_fusion_for_every_subset(fusion, generator):
    network = AnyContrast(generator, N, fusion).eval()
    if fusion == "learnt":
        network.fusion.copy_(torch.tensor([0.5, -1.0, 0.2]))
    whole = slices()
    each = EachContrast(network)(whole)
    assert each.shape == whole.shape
    for size in range(1, N + 1):
        for subset in combinations(range(N), size):
            image = torch.full_like(whole, -1.0)
            image[:, subset] = whole[:, subset]
            served = network(image).exp()[:, 1]
            fused = torch.stack([fuse_contrasts(one[..., None], subset, learnt_weights(network))[0] for one in each])
            torch.testing.assert_close(fused[..., 0], served)


@torch.no_grad()
def test_what_is_missing_has_no_probability(generator):
    network = EachContrast(AnyContrast(generator, N)).eval()
    each = network(slices(held=[1]))
    assert not each[:, [0, 2]].any()
    assert each[:, 1].all()
    assert not network(slices(held=[])).any()


@torch.no_grad()
def test_a_contrast_is_the_mean_of_what_the_others_become(generator):
    image, network = slices(), MissingContrasts(generator, N)
    made = network(image)
    brain = (image > -1).any(dim=1)
    code = torch.eye(N)[[1, 1]]
    expected = (generator.translate(image[:, :1], code) + generator.translate(image[:, 2:], code))[:, 0] / 2
    torch.testing.assert_close(made[:, 1][brain], expected[brain])
    assert (made.movedim(1, -1)[~brain] == -1).all()
    alone = network(slices(held=[2]))
    assert (alone[:, 2] == -1).all()  # nothing to make it from
    assert (alone[:, :2] > -1).any()
    some = MissingContrasts(generator, N, targets=[0])(image)
    torch.testing.assert_close(some[:, 0], made[:, 0])
    assert (some[:, 1:] == -1).all()


@torch.no_grad()
def test_a_missing_source_does_not_count(generator):
    """With two of three contrasts in one slice and three in the next, each gets the mean of its own sources."""
    image = torch.cat([slices(held=[0, 1], batch=1), slices(batch=1)])
    network = MissingContrasts(generator, N)
    for number in range(2):
        torch.testing.assert_close(network(image)[number], network(image[number : number + 1])[0])


@torch.no_grad()
def test_every_translation_and_its_labels_have_their_places(generator):
    image = slices(held=[0, 2])
    images, marked = EveryTranslation(generator, N)(image).unflatten(1, (2, N, N)).unbind(1)
    codes, brain = torch.eye(N), (image[:, 0] > -1)
    made = generator.translate(image[:, 2:], codes[[1, 1]])
    torch.testing.assert_close(images[:, 2, 1][brain], made[:, 0][brain])
    assert (images[:, 2, 1][~brain] == -1).all()
    torch.testing.assert_close(images[:, 0, 0], image[:, 0])
    own = generator.segment(image[:, :1], codes[[0, 0]]).softmax(dim=1)[:, 1]
    torch.testing.assert_close(marked[:, 0, 0], own)
    assert (images[:, 1] == -1).all()
    assert not marked[:, 1].any()
