"""The generator with GT layers: sizes of the method's table, what reaches the image and what does not, export."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from ganglion.networks import TransferGenerator
from ganglion.networks.conditioning import ConditionalInstanceNorm
from ganglion.networks.gt_transfer import doubled

KINDS = ({}, {"boundary": False}, {"gt_layer": False})


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def awake(**arguments) -> TransferGenerator:
    """A narrow generator whose GT layers are not neutral any more."""
    network = TransferGenerator(2, width=4, **arguments).eval()
    for layer in network.modules():
        if isinstance(layer, ConditionalInstanceNorm):
            torch.nn.init.normal_(layer.scale_and_shift.weight, std=0.1)
    return network


def given(size=(16, 16, 16), batch=2, seed=0):
    """Image, label map and noise."""
    rng = torch.Generator().manual_seed(seed)
    image = torch.rand(batch, 2, *size, generator=rng) * 2 - 1
    codes = torch.randint(4, (batch, *size), generator=rng)
    return image, F.one_hot(codes, 4).movedim(-1, 1).float(), torch.rand(batch, 16, generator=rng) * 2 - 1


def test_parts_have_the_sizes_of_the_method_note():
    network = TransferGenerator(2)
    parts = {
        "all": network,
        "MRI encoder": network.image_encoder,
        "GT encoder": network.mapping.encoder,
        "R": network.mapping.map,
        "boundary": network.boundary,
        "decoder": network.decoder,
    }
    found = {name: f"{count(part) / 1e6:.2f}" for name, part in parts.items()}
    assert found == {
        "all": "14.23", "MRI encoder": "4.53", "GT encoder": "1.72", "R": "0.17", "boundary": "1.16", "decoder": "6.65"
    }  # fmt: skip
    last = [layer for layer in network.modules() if isinstance(layer, ConditionalInstanceNorm)]
    assert [layer.scale_and_shift.out_features // 2 for layer in last] == [256, 256, 384, 128, 192, 64, 96, 32]


def test_size_by_the_layer_table():
    def table(contrasts: int, w: int) -> int:
        widths = [w, 2 * w, 4 * w, 8 * w]
        pairs = list(pairwise(widths))
        image = 27 * contrasts * w + 27 * widths[-1] ** 2 + sum(64 * a * b for a, b in pairs) + 3 * (23 * w)
        tissue = 27 * 4 * w + 64 * (2 + 8 + 16) * w * w + 16 * w * w + (1 + 2 + 4 + 4 + 4) * w
        mapping = (4 * w + 16 + 16 * w) * 8 * w + 24 * w
        boundary = 27 * sum(a * b for a, b in pairs) + w + 3 * 7 * w + 1
        blocks = [(8 * w, 8 * w), (12 * w, 4 * w), (6 * w, 2 * w), (3 * w, w)]
        layers = sum(2 * (a + b) * (8 * w + 1) for a, b in blocks)
        kernels = sum(27 * (a * b + b * b) + 2 * b + (a * b + b) * (a != b) for a, b in blocks)
        return image + tissue + mapping + boundary + layers + kernels + 27 * w * contrasts + contrasts

    for contrasts, width in ((2, 32), (3, 32), (1, 4)):
        assert count(TransferGenerator(contrasts, width=width)) == table(contrasts, width)


@pytest.mark.parametrize("size", [(16, 16, 16), (8, 16, 24), (16, 24)])
@pytest.mark.parametrize("mode", ["vector", "tissue_map"])
def test_image_and_edges_lie_on_the_images_grid(size, mode):
    network = awake(mode=mode, spatial_dims=len(size))
    made, edges = network(*given(size))
    assert made.shape == (2, 2, *size)
    assert edges.shape == (2, 1, *size)
    assert made.abs().max() < 1
    assert 0.02 < made.std() < 0.8


@pytest.mark.parametrize("mode", ["vector", "tissue_map"])
def test_a_new_generator_is_neutral_and_one_that_is_not_heeds_code_and_noise(mode):
    image, tissues, noise = given()
    other = tissues.roll(1, dims=1)
    new = TransferGenerator(2, width=4, mode=mode).eval()
    assert torch.equal(new(image, tissues, noise)[0], new(image, other, -noise)[0])
    network = awake(mode=mode)
    made, edges = network(image, tissues, noise)
    for swapped in (network(image, other, noise), network(image, tissues, -noise), network(-image, tissues, noise)):
        assert (made - swapped[0]).abs().mean() > 0.01
    # Edges are those of the image, whatever the code.
    assert torch.equal(edges, network(image, other, noise)[1])


def test_a_vector_knows_how_much_of_each_tissue_there_is():
    """No norm in the GT encoder: it would make one code of a map that is all CSF and one that is all white matter."""
    encoder = TransferGenerator(2, width=4).mapping.encoder
    maps = torch.zeros(4, 4, 16, 16, 16)
    for tissue in range(4):
        maps[tissue, tissue] = 1
    codes = encoder(maps)
    assert torch.pdist(codes).min() > 0.05


def test_a_tissue_map_places_what_a_vector_cannot():
    """Two halves of a map change places: with a map the image's halves follow, with a vector they do not."""
    _, _, noise = given(batch=1)
    image, left = torch.zeros(1, 2, 32, 16, 16), torch.zeros(1, 4, 32, 16, 16)
    left[:, 1, :16], left[:, 3, 16:] = 1, 1
    contrast = {}
    for mode in ("tissue_map", "vector"):
        network = awake(mode=mode)
        made, mirrored = (network(image, tissues, noise)[0][0, :, :, 8, 8] for tissues in (left, left.flip(2)))
        contrast[mode] = [(each[:, 8] - each[:, 24]).tolist() for each in (made, mirrored)]
    here, there = (torch.tensor(each) for each in contrast["tissue_map"])
    assert torch.minimum(here.abs(), there.abs()).min() > 0.02
    assert torch.equal(here.sign(), -there.sign())
    same, still = (torch.tensor(each) for each in contrast["vector"])
    assert (same - still).abs().max() < 0.5 * (here - there).abs().min()


def test_without_gt_layers_neither_label_map_nor_noise_reach_the_image():
    network, (image, tissues, noise) = awake(gt_layer=False), given()
    made, _ = network(image, tissues, noise)
    assert network.mapping is None
    assert torch.equal(made, network(image, tissues.roll(1, dims=1), -noise)[0])
    assert not torch.allclose(made, network(-image, tissues, noise)[0], atol=0.01)


def test_without_boundary_network_there_are_no_edges():
    network = awake(boundary=False)
    made, edges = network(*given())
    assert edges is None
    assert made.shape == (2, 2, 16, 16, 16)
    assert count(TransferGenerator(2, width=4)) - count(network) > count(TransferGenerator(2, width=4).boundary)


def test_one_sample_is_treated_alike_alone_and_among_others():
    network, (image, tissues, noise) = awake().train(), given(batch=3)
    alone = network(image[1:2], tissues[1:2], noise[1:2])[0]
    assert torch.allclose(network(image, tissues, noise)[0][1:2], alone, atol=1e-5)


@pytest.mark.parametrize("axes", [2, 3])
def test_doubling_is_linear_between_centres_also_in_the_form_for_gpus(axes):
    features = torch.randn(2, 3, *[4, 3, 5][:axes])
    expected = F.interpolate(features, scale_factor=2, mode={2: "bilinear", 3: "trilinear"}[axes])
    assert torch.equal(doubled(features), expected)

    class OnGpu(torch.Tensor):
        is_cuda = True

    assert torch.allclose(doubled(features.as_subclass(OnGpu)).as_subclass(torch.Tensor), expected, atol=1e-6)


@pytest.mark.parametrize(
    "switches",
    [{"mode": "tissue_map"}, *(pytest.param(each, marks=pytest.mark.slow) for each in KINDS)],
)
def test_every_kind_can_be_scripted(switches):
    network, values = awake(**switches), given()
    with torch.no_grad():
        expected, edges = network(*values)
        made, found = torch.jit.script(network)(*values)
    assert torch.allclose(made, expected, atol=1e-6)
    assert (found is None) == (edges is None)


def test_what_does_not_fit_is_named():
    network = TransferGenerator(2, width=4)
    with pytest.raises(ValueError, match="sides divisible by 8, got 16 x 12 x 17; .* fitting size is 16 x 16 x 24"):
        network(*given((16, 12, 17)))
    with pytest.raises(ValueError, match="needs a side above 8, got 8 for all; the next fitting size is 16"):
        network(*given((8, 8, 8)))
    image, tissues, noise = given()
    with pytest.raises(ValueError, match=r"label map is \[2, 3, 16, 16, 16\], expected \[2, 4, 16, 16, 16\]"):
        network(image, tissues[:, :3], noise)
    with pytest.raises(ValueError, match="mode is 'map', expected one of vector, tissue_map"):
        TransferGenerator(mode="map")
    with pytest.raises(ValueError, match="spatial_dims is 1"):
        TransferGenerator(spatial_dims=1)
