"""G2, G3 and both stages fused: sizes of the method's table, shapes, the fusion rule by hand, export."""

import pytest
import torch

from ganglion.networks import CoarseToFine, ImageGenerator, Refiner, WeightNormUNet, fuse
from ganglion.sharing.export_formats import FORMATS
from ganglion.sharing.export_source import Axis, Source


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def table_of_g2(contrasts: int, w: int = 32) -> int:
    """Kernels, biases, two numbers a channel for each of the seven instance norms."""
    encoder = 27 * (contrasts + 1) * w + 64 * (2 * w * w + 8 * w * w + 32 * w * w)
    middle = 200 * 4 * w + 27 * 12 * w * 8 * w
    decoder = 8 * (8 * w * 4 * w + 8 * w * 2 * w + 4 * w * w) + 27 * w * contrasts
    biases = (1 + 2 + 4 + 8 + 4 + 8 + 4 + 2 + 1) * w + contrasts
    return encoder + middle + decoder + biases + 2 * (15 + 7) * w


def table_of_g3(contrasts: int, dense: bool, extra_a_channel: int, w: int = 32) -> int:
    """Blocks of two half-width convolutions and a transition; `extra_a_channel` gains or biases an output channel."""
    widths = [w, 2 * w, 4 * w, 8 * w]

    def block(inside: int, c: int) -> int:
        half = c // 2
        return 27 * half * (inside + inside + half) + (inside + c) * c + extra_a_channel * 2 * c

    total = 27 * 64 * w * w + extra_a_channel * 8 * w  # bottom
    for level, c in enumerate(widths):
        before = contrasts + 1 if level == 0 else c // 2
        below = 8 * w if level == 3 else 2 * c
        skip = sum(widths[: level + 1]) if dense else c
        total += block(before, c) + 8 * below * c + extra_a_channel * c + block(c + skip, c)
    return total + 4 * w + extra_a_channel * 4


@pytest.mark.parametrize("contrasts", [2, 3])
def test_generator_has_the_size_of_the_method_note(contrasts):
    assert count(ImageGenerator(contrasts)) == table_of_g2(contrasts)
    assert f"{count(ImageGenerator(2)) / 1e6:.2f}" == "5.87"


def test_refiner_has_the_size_of_the_method_note():
    assert count(Refiner(2)) == table_of_g3(2, dense=True, extra_a_channel=2)
    assert count(Refiner(2, norm="none")) == table_of_g3(2, dense=True, extra_a_channel=1)
    assert count(Refiner(2, skips="plain", norm="none")) == table_of_g3(2, dense=False, extra_a_channel=1)
    assert {f"{count(Refiner(2, norm=norm)) / 1e6:.2f}" for norm in ("weight", "instance", "none")} == {"12.08"}


@pytest.mark.parametrize("size", [(16, 16, 16), (16, 32, 48), (32, 16)])
@pytest.mark.parametrize("skips", ["dense", "plain"])
def test_refiner_keeps_the_grid(size, skips):
    network = Refiner(3, 5, width=4, skips=skips, spatial_dims=len(size))
    assert network(torch.rand(2, 3, *size), torch.rand(2, 1, *size)).shape == (2, 5, *size)


@pytest.mark.parametrize("norm", ["weight", "instance", "none"])
def test_refiner_takes_the_smallest_patch_with_every_norm(norm):
    network = Refiner(2, width=4, norm=norm).train()
    assert torch.isfinite(network(torch.rand(1, 2, 16, 16, 16), torch.rand(1, 1, 16, 16, 16))).all()


def test_dense_skips_carry_finer_levels_down_and_plain_ones_do_not():
    image, coarse = torch.rand(1, 2, 16, 16, 16), torch.rand(1, 1, 16, 16, 16)
    for skips, channels in (("dense", [60, 28, 12, 4]), ("plain", [32, 16, 8, 4])):
        network, given = Refiner(2, width=4, skips=skips).eval(), []
        for decode in network.decode:
            decode.register_forward_hook(lambda module, inputs, made: given.append(inputs[1]))  # noqa: B023
        network(image, coarse)
        assert [skip.shape[1] for skip in given] == channels
        assert [skip.shape[2] for skip in given] == [2, 4, 8, 16]
        finest = torch.nn.functional.avg_pool3d(given[-1], 8)
        assert torch.allclose(given[0][:, :4], finest, atol=1e-6) is (skips == "dense")


def test_refiner_drops_channels_at_the_bottom_in_training_only():
    image, coarse = torch.rand(1, 2, 16, 16, 16), torch.rand(1, 1, 16, 16, 16)
    network = Refiner(2, width=4, dropout=0.5)
    network.train()
    assert not torch.equal(network(image, coarse), network(image, coarse))
    network.eval()
    assert torch.equal(network(image, coarse), network(image, coarse))


@pytest.mark.parametrize("size", [(8, 8, 16), (16, 8, 24), (16, 24)])
def test_generator_makes_an_image_of_the_same_grid_in_its_range(size):
    network = ImageGenerator(3, noise_size=5, width=4, spatial_dims=len(size))
    made = network(torch.rand(2, 3, *size), torch.rand(2, 5), torch.rand(2, 1, *size))
    assert made.shape == (2, 3, *size)
    assert made.abs().max() < 1


def test_generator_heeds_image_coarse_map_and_noise():
    network = ImageGenerator(2, width=8).eval()
    image, noise, coarse = torch.rand(1, 2, 16, 16, 16), torch.rand(1, 200) * 2 - 1, torch.rand(1, 1, 16, 16, 16)
    made = network(image, noise, coarse)
    for other in (network(image, -noise, coarse), network(-image, noise, coarse), network(image, noise, 1 - coarse)):
        inside = (made - other)[..., 4:-4, 4:-4, 4:-4]
        assert inside.abs().mean() > 0.01


def test_networks_without_a_stage_before_take_the_image_alone():
    image, coarse = torch.rand(1, 2, 16, 16, 16), torch.rand(1, 1, 16, 16, 16)
    refiner, generator = Refiner(2, coarse_channels=0, width=4), ImageGenerator(2, coarse_channels=0, width=4)
    assert refiner(image).shape == (1, 4, 16, 16, 16)
    assert generator(image, torch.rand(1, 200)).shape == image.shape
    with pytest.raises(ValueError, match="have 3 channels together, expected 2"):
        refiner(image, coarse)
    with pytest.raises(ValueError, match="have 2 channels together, expected 3"):
        Refiner(2, width=4)(image)


def test_sides_that_do_not_fit_raise_and_name_the_next_fitting_size():
    with pytest.raises(
        ValueError, match="refinement network needs sides divisible by 16, got 16 x 24 x 17; .* 16 x 32 x 32"
    ):
        Refiner(1, coarse_channels=0, width=4)(torch.rand(1, 1, 16, 24, 17))
    with pytest.raises(ValueError, match="needs a side above 8, got 8 for all; the next fitting size is 16"):
        ImageGenerator(1, coarse_channels=0, width=4)(torch.rand(1, 1, 8, 8, 8), torch.rand(1, 200))
    with pytest.raises(
        ValueError, match="image generator needs sides divisible by 8, got 8 x 12 x 8; .* is 8 x 16 x 8"
    ):
        ImageGenerator(1, coarse_channels=0, width=4)(torch.rand(1, 1, 8, 12, 8), torch.rand(1, 200))


def test_unknown_arguments_are_named():
    with pytest.raises(ValueError, match="skips is 'none', expected one of dense, plain"):
        Refiner(skips="none")
    with pytest.raises(ValueError, match="norm is 'batch', expected one of weight, instance, none"):
        Refiner(norm="batch")


def test_fusion_is_the_rule_of_the_page():
    refined, coarse = torch.randn(2, 4, 3, 3, 3), torch.randn(2, 2, 3, 3, 3)
    p3, p1 = refined.softmax(dim=1), coarse.softmax(dim=1)
    product = torch.cat([p3[:, :1] * p1[:, :1], p3[:, 1:] * p1[:, 1:]], dim=1)
    assert torch.allclose(fuse(refined, coarse).exp(), product / product.sum(dim=1, keepdim=True), atol=1e-6)


def test_fusion_in_its_limits():
    refined = torch.tensor([0.0, 1.0, 2.0, 3.0]).reshape(1, 4, 1)
    sure_brain, sure_background, unsure = (
        torch.tensor([pair]).reshape(1, 2, 1) for pair in ([-1e3, 1e3], [1e3, -1e3], [0.0, 0.0])
    )
    assert fuse(refined, sure_background).exp().flatten().tolist() == [1.0, 0.0, 0.0, 0.0]
    among_tissues = torch.softmax(refined[:, 1:], dim=1)
    assert torch.allclose(fuse(refined, sure_brain).exp()[:, 1:], among_tissues)
    assert torch.allclose(fuse(refined, unsure), torch.log_softmax(refined, dim=1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_two_stages_that_are_sure_of_opposite_things_still_give_probabilities(dtype):
    refined = torch.tensor([1e3, -1e3, -1e3, 1e3, -1e3, -1e3]).reshape(2, 3, 1).to(dtype).requires_grad_(True)
    coarse = torch.tensor([-1e3, 1e3, 1e3, -1e3]).reshape(2, 2, 1).to(dtype).requires_grad_(True)
    log_probability = fuse(refined, coarse)
    assert torch.isfinite(log_probability).all()
    assert torch.allclose(log_probability.exp().sum(dim=1), torch.ones(2, 1))
    log_probability[:, 0].sum().backward()
    assert torch.isfinite(refined.grad).all()
    assert torch.isfinite(coarse.grad).all()


def both(fusion: bool = True, **arguments: object) -> CoarseToFine:
    return CoarseToFine(Refiner(2, width=4, **arguments), WeightNormUNet(2, 2, width=4), fusion).eval()


@pytest.mark.parametrize("fusion", [True, False])
def test_both_stages_give_probabilities_that_sum_to_one(fusion):
    probability = both(fusion)(torch.rand(2, 2, 16, 32, 16))
    assert probability.shape == (2, 4, 16, 32, 16)
    assert probability.min() >= 0
    assert torch.allclose(probability.sum(dim=1), torch.ones(2, 16, 32, 16), atol=1e-6)


def test_stages_are_wired_as_said():
    image = torch.rand(1, 2, 16, 16, 16)
    network = both()
    coarse = network.coarse(image)
    refined = network.refiner(image, coarse.softmax(dim=1)[:, 1:])
    assert torch.allclose(network.log_probabilities(image), fuse(refined, coarse), atol=1e-6)
    network.fusion = False
    assert torch.allclose(network(image), refined.softmax(dim=1), atol=1e-6)


def test_with_fusion_off_the_answer_is_the_refiners_alone():
    image = torch.rand(1, 2, 16, 16, 16)
    blind = Refiner(2, coarse_channels=0, width=4).eval()
    alone = CoarseToFine(blind, fusion=False)(image)
    assert torch.equal(alone, CoarseToFine(blind, WeightNormUNet(2, 2, width=4), fusion=False)(image))
    assert torch.allclose(alone, blind(image).softmax(dim=1), atol=1e-6)
    assert not torch.allclose(alone, CoarseToFine(blind, WeightNormUNet(2, 2, width=4))(image), atol=1e-3)


def test_a_coarse_network_that_is_missing_is_named():
    with pytest.raises(ValueError, match="coarse is None, but fusion is on"):
        CoarseToFine(Refiner(2, coarse_channels=0, width=4))
    with pytest.raises(ValueError, match="coarse is None, but the refiner takes a coarse probability"):
        CoarseToFine(Refiner(2, width=4), fusion=False)


def test_dropout_can_be_set_from_outside():
    image, coarse = torch.rand(1, 2, 16, 16, 16), WeightNormUNet(2, 2, width=4)
    never = CoarseToFine(Refiner(2, width=4, dropout=0.9), coarse, dropout=0.0).train()
    assert torch.equal(never(image), never.eval()(image))
    often = CoarseToFine(Refiner(2, width=4, dropout=0.0), coarse, dropout=0.5).train()
    assert not torch.equal(often(image), often.eval()(image))


def test_probabilities_are_float32_under_autocast():
    image = torch.rand(1, 2, 16, 16, 16)
    network = both()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        half = network(image)
    assert half.dtype == torch.float32
    assert torch.allclose(half, network(image), atol=0.02)


def as_source(network: torch.nn.Module) -> Source:
    empty = dict.fromkeys(("root", "value_range", "metadata", "config", "weights_sha256"))
    return Source(
        network=network, input_name="image", output_name="pred", channels=2, axes=(Axis(16, False),) * 3, **empty
    )


# One way to write one network is enough by default: each takes seconds, torch.export and ONNX tens of them.
FIRST = ("torchscript", True)
WAYS = [(kind, fusion) for kind in FORMATS for fusion in (True, False)]


@pytest.mark.parametrize(
    ("kind", "fusion"), [way if way == FIRST else pytest.param(*way, marks=pytest.mark.slow) for way in WAYS]
)
def test_both_stages_are_exported_for_every_fitting_size(kind, fusion):
    if kind == "onnx":
        for name in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(name, reason='ONNX is an extra: pip install "ganglion[onnx]"')
    network = both(fusion)
    run = FORMATS[kind].read(FORMATS[kind].write(network, as_source(network), {}))
    for batch, size in ((1, (32, 32, 32)), (3, (32, 48, 64))):
        image = torch.rand(batch, 2, *size)
        with torch.no_grad(), torch.jit.optimized_execution(False):  # no second compilation for the second size
            assert (run(image) - network(image)).abs().max() < 1e-5


@pytest.mark.slow
def test_one_size_is_captured_by_torch_export_and_by_tracing():
    network, image = both(), torch.rand(1, 2, 16, 16, 16)
    with torch.no_grad():
        expected = network(image)
        assert torch.equal(torch.export.export(network, (image,)).module()(image), expected)
        assert torch.equal(torch.jit.trace(network, image)(image), expected)


def test_other_networks_can_be_scripted_and_give_the_same():
    image, noise, coarse = torch.rand(1, 2, 16, 16, 16), torch.rand(1, 200), torch.rand(1, 1, 16, 16, 16)
    generator = ImageGenerator(2, width=4).eval()
    alone = CoarseToFine(Refiner(2, coarse_channels=0, width=4, norm="instance"), fusion=False).eval()
    with torch.no_grad():
        assert torch.equal(torch.jit.script(generator)(image, noise, coarse), generator(image, noise, coarse))
        assert torch.equal(torch.jit.script(alone)(image), alone(image))
