"""StarGAN's discriminator and generator: counts of the source, sizes, and what the baseline's U-Net is given."""

import pytest
import torch

from ganglion.networks import AnyContrast, Critic, DomainDiscriminator, StarGenerator, TranslateThenLabel


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_counts_are_those_of_the_source():
    """Discriminator 44.74 M; generator 8.43 M for five domains and colours; SegAN's critic of image and map 0.66 M."""
    with torch.device("meta"):
        assert count(DomainDiscriminator(contrasts=3)) == 44_743_616
        assert count(StarGenerator(contrasts=5, channels=3)) == 8_430_528
        assert count(Critic(in_channels=1, width=64)) == 658_240


def test_shapes():
    discriminator = DomainDiscriminator(contrasts=4, side=32, base=2, layers=4)
    scores, contrasts = discriminator(torch.zeros(3, 1, 32, 32))
    assert (scores.shape, contrasts.shape) == ((3, 1, 2, 2), (3, 4))
    drawn = StarGenerator(contrasts=4, base=2, blocks=1)(torch.zeros(3, 1, 32, 32), torch.eye(4)[:3])
    assert drawn.shape == (3, 1, 32, 32)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="divisible by 64, got 100; the next fitting side is 128"):
        DomainDiscriminator(contrasts=3, side=100)
    with pytest.raises(ValueError, match="made for slices of 32 x 32, got 32 x 16"):
        DomainDiscriminator(contrasts=3, side=32, base=2, layers=4)(torch.zeros(1, 1, 32, 16))


def test_samples_are_judged_apart_from_each_other():
    discriminator = DomainDiscriminator(contrasts=3, side=16, base=2, layers=3)
    image = torch.randn(2, 1, 16, 16)
    torch.testing.assert_close(discriminator(image)[0][:1], discriminator(image[:1])[0])


def test_the_baseline_labels_what_everything_is_translated_into():
    torch.manual_seed(0)
    network = TranslateThenLabel(contrasts=3, target=2, base=2, levels=2, dropout=0.0)
    image, codes = torch.rand(2, 1, 16, 16), torch.eye(3)
    logits, drawn = network(image, codes[[0, 1]])
    as_target = network.translate(image, codes[[2, 2]])
    torch.testing.assert_close(logits, network.segmenter.unet(as_target, codes[[0, 0]]))
    torch.testing.assert_close(drawn, network.translate(image, codes[[0, 1]]))
    logits.sum().backward()
    assert all(parameter.grad is None for parameter in network.translator.parameters())
    assert torch.jit.script(AnyContrast(network, 3).eval())(torch.rand(1, 3, 16, 16)).shape == (1, 2, 16, 16)
