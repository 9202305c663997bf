"""The unified network's streams: counts of the source, sizes, conditioning, attention, fusion of what is there."""

import pytest
import torch

from ganglion.networks import AnyContrast, ConditionalInstanceNorm, PlainUNet, UnifiedGenerator
from ganglion.networks.unified_multimodal import Decoder, with_code


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def generator(**options) -> UnifiedGenerator:
    torch.manual_seed(0)
    return UnifiedGenerator(**{"contrasts": 3, "base": 4, "levels": 2, "dropout": 0.0, **options})


def one_hot(place: int, count: int = 3, batch: int = 2) -> torch.Tensor:
    return torch.eye(count)[[place] * batch]


def images(batch: int = 2, contrasts: int = 1, side: int = 16) -> torch.Tensor:
    return torch.rand(batch, contrasts, side, side, generator=torch.Generator().manual_seed(1)) * 1.9 - 0.95


def set_gains(network: torch.nn.Module) -> None:
    """As training would leave the conditional norms, which start neutral."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, ConditionalInstanceNorm):
                layer.scale_and_shift.weight.normal_(std=0.5)


def test_counts_are_those_of_the_source():
    """UAGAN's code: 60.44 M; an encoder 4.68 M, centre 14.16 M, a decoder 18.46 M; its U-Net 31.03 M."""
    with torch.device("meta"):
        whole = UnifiedGenerator(contrasts=3, base=64, conditioning="tile")
        conditional = UnifiedGenerator(contrasts=3, base=64)
        unet = PlainUNet(base=64)
        narrow = UnifiedGenerator(contrasts=3, base=32, conditioning="tile")
    parts = whole.segmenter
    assert count(whole) == 60_442_755
    assert [count(part) for part in (parts.segment_encoder, parts.translate_encoder, parts.centre, parts.decoder)] == [
        4_684_224,
        4_684_224 + 3 * 64 * 9,
        14_157_824,
        18_457_410,
    ]
    assert count(whole.translator) == 18_457_345
    assert count(unet) == 31_030_658
    assert 0.24 < count(narrow) / count(whole) < 0.26
    # A gain and a shift a channel and contrast, and their biases, in the translating encoder and decoder.
    channels = 2 * (64 + 128 + 256 + 512)
    assert count(conditional) - count(whole) == 2 * channels * 2 * (3 + 1)


@pytest.mark.parametrize("options", [{}, {"attention": False}, {"conditioning": "tile"}, {"contrasts": 2}])
def test_labels_and_image_have_the_inputs_size(options):
    network = generator(**options)
    code = one_hot(1, options.get("contrasts", 3))
    logits, translated = network(images(), code)
    assert logits.shape == (2, 2, 16, 16)
    assert translated.shape == (2, 1, 16, 16)
    assert float(translated.detach().abs().max()) < 1
    torch.testing.assert_close(network.segment(images(), code), logits)
    torch.testing.assert_close(network.translate(images(), code), translated)


@pytest.mark.parametrize("call", ["__call__", "segment", "translate"])
def test_a_size_that_cannot_be_halved_is_refused_with_the_next_that_fits(call):
    with pytest.raises(ValueError, match="divisible by 4, got 16 x 18; the next fitting size is 16 x 20"):
        getattr(generator(), call)(torch.zeros(1, 1, 16, 18), one_hot(0, batch=1))


def test_another_conditioning_or_fusion_is_refused():
    with pytest.raises(ValueError, match="conditioning is 'add', expected one of cin, tile"):
        generator(conditioning="add")
    with pytest.raises(ValueError, match="fusion is 'vote', expected one of mean, learnt"):
        AnyContrast(generator(), 3, "vote")


def test_the_centre_is_one_module_for_both_streams():
    network = generator()
    network(images(), one_hot(0))[1].sum().backward()
    assert network.segmenter.centre.first.convolve.weight.grad is not None
    assert network.segmenter.decoder.out.weight.grad is None
    assert not [name for name, _ in network.translator.named_modules() if "centre" in name]


@pytest.mark.parametrize("attention", [True, False])
def test_attention_alone_lets_labels_depend_on_the_translating_stream(attention):
    network = generator(attention=attention)
    network.segment(images(), one_hot(0)).sum().backward()
    of_translation = [p.grad for name, p in network.named_parameters() if "translat" in name and "encoder" in name]
    assert (
        len(of_translation) == 16
    )  # kernels and biases of two double blocks and of what their norms take from the code
    assert any(gradient is not None for gradient in of_translation) == attention


def test_a_gate_that_is_shut_leaves_a_streams_own_skip():
    decoder = Decoder(2, base=4, levels=1, attention=True)
    own, other = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        decoder.attend[0].gate.bias.fill_(-1e4)
    torch.testing.assert_close(decoder.attend[0](own, other), own)


@pytest.mark.parametrize(("conditioning", "moves"), [("cin", True), ("tile", False)])
def test_the_code_reaches_the_middle_of_the_image_by_norms_and_not_by_planes(conditioning, moves):
    """Planes shift each channel by a constant, which the norm takes out: only the zero-padded rim can tell."""
    encoder = generator(conditioning=conditioning, contrasts=3).segmenter.translate_encoder.levels[0].first
    if moves:
        set_gains(encoder)
    image = images(1, side=64)
    with torch.no_grad():
        first, second = (encoder(with_code(image, one_hot(p, batch=1)), one_hot(p, batch=1)) for p in (0, 1))
    change = (first - second).abs() / first.std()
    assert (float(change[..., 8:-8, 8:-8].mean()) > 0.1) == moves
    assert float(change[..., 0].mean()) > 0.1


def test_a_new_network_treats_all_codes_alike_but_for_the_planes():
    norm = generator().segmenter.translate_encoder.levels[0].first.norm
    features = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(norm(features, one_hot(0)), norm(features, one_hot(1)))


# --- any subset -------------------------------------------------------------------------------------------------


def fused(network: AnyContrast, held: list[int], contrasts: int = 3) -> torch.Tensor:
    image = images(1, contrasts)
    image[:, [place for place in range(contrasts) if place not in held]] = -1.0
    return network(image).softmax(dim=1)


@pytest.fixture
def any_contrast() -> AnyContrast:
    network = AnyContrast(generator(), 3).eval()
    set_gains(network)
    return network


def test_one_contrast_is_labelled_as_it_is(any_contrast):
    alone = any_contrast.segmenter(images(1, 3)[:, 1:2], one_hot(1, batch=1)).softmax(dim=1)
    torch.testing.assert_close(fused(any_contrast, [1]), alone)


@pytest.mark.parametrize("held", [[0, 1], [0, 2], [1, 2], [0, 1, 2]])
def test_several_contrasts_are_averaged(any_contrast, held):
    mean = torch.stack([fused(any_contrast, [place]) for place in held]).mean(dim=0)
    torch.testing.assert_close(fused(any_contrast, held), mean, atol=1e-5, rtol=1e-5)


def test_learnt_weights_count_among_those_that_are_there():
    network = AnyContrast(generator(), 3, "learnt").eval()
    set_gains(network)
    with torch.no_grad():
        network.fusion.copy_(torch.tensor([0.0, 5.0, 1.0]).log())
    expected = (fused(network, [1]) * 5 + fused(network, [2])) / 6
    torch.testing.assert_close(fused(network, [1, 2]), expected, atol=1e-5, rtol=1e-5)


def test_samples_of_a_batch_may_have_different_contrasts_and_an_empty_slice_has_an_answer(any_contrast):
    batch = torch.full((3, 3, 16, 16), -1.0)
    batch[0, 1], batch[1, [0, 2]] = images(1)[0, 0], images(1, 2)[0]
    together = any_contrast(batch)
    for sample, result in zip(batch, together, strict=True):
        torch.testing.assert_close(any_contrast(sample[None])[0], result, atol=1e-5, rtol=1e-5)
    assert bool(torch.isfinite(together).all())


def test_another_number_of_channels_is_refused(any_contrast):
    with pytest.raises(ValueError, match="needs 3 channels, a contrast each, got 2"):
        any_contrast(torch.zeros(1, 2, 16, 16))


def test_its_weights_are_what_labels_need(any_contrast):
    assert count(any_contrast) == count(generator()) - count(generator().translator)
    assert all(name.startswith("segmenter.") for name in any_contrast.state_dict())


@pytest.mark.parametrize(
    ("kind", "fusion"), [("unified", "learnt"), ("unified", "mean"), ("no attention", "mean"), ("unet", "mean")]
)
def test_programs_answer_alike_for_every_subset(kind, fusion):
    made = PlainUNet(base=4, levels=2) if kind == "unet" else generator(attention=kind == "unified")
    network = AnyContrast(made, 3, fusion).eval()
    programs = [torch.jit.script(network)]
    if fusion == "learnt":
        programs.append(torch.export.export(network, (images(2, 3),)).module())
    for held in ([0], [2], [0, 1], [0, 1, 2], []):
        image = images(2, 3)
        image[:, [place for place in range(3) if place not in held]] = -1.0
        with torch.no_grad():
            for program in programs:
                torch.testing.assert_close(program(image), network(image), atol=1e-5, rtol=1e-5)
