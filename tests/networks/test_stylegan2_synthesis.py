"""The joint generator and discriminator: sizes of the method's table, shapes, styles, precision, export."""

import copy

import pytest
import torch

from ganglion.networks import JointDiscriminator, JointGenerator
from ganglion.networks.stylegan2_synthesis import MinibatchDeviation, channels_by_side


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(scope="module")
def generator() -> JointGenerator:
    torch.manual_seed(0)
    return JointGenerator(resolution=32).eval()


@pytest.mark.parametrize(
    ("size", "resolution", "millions", "mapping", "judge"),
    [
        ("slim", 64, "2.17", "1.05", "0.71"),
        ("tiny", 128, "3.15", "1.05", "1.49"),
        ("small", 256, "7.68", "1.05", "6.00"),
        ("half", 256, "24.78", "2.10", "24.00"),
        ("paper", 256, "30.05", "2.10", "28.86"),
    ],
)
def test_sizes_are_those_of_the_method_note(size, resolution, millions, mapping, judge):
    generator, critic = JointGenerator(size=size, resolution=resolution), JointDiscriminator(8, size, resolution)
    assert f"{count(generator) / 1e6:.2f}" == millions
    assert f"{count(generator.mapping) / 1e6:.2f}" == mapping
    assert f"{count(critic) / 1e6:.2f}" == judge


def test_channels_of_the_paper():
    assert channels_by_side("paper", 256) == {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128}


@pytest.mark.parametrize("resolution", [32, 64, 128, 256, 512])
def test_any_power_of_two_in_any_batch(resolution):
    generator, critic = JointGenerator(2, 3, resolution=resolution), JointDiscriminator(5, resolution=resolution)
    with torch.no_grad():
        image = generator(torch.randn(2, 512))
        assert image.shape == (2, 5, resolution, resolution)
        assert critic(image).shape == (2, 1)
        assert torch.allclose(image[:, 2:].sum(dim=1), torch.ones(2, resolution, resolution), atol=1e-5)
    assert generator.style_count == 2 * len(channels_by_side("tiny", resolution))


@pytest.mark.parametrize("resolution", [16, 48, 1024])
def test_other_resolutions_are_refused(resolution):
    for make in (JointGenerator, JointDiscriminator):
        with pytest.raises(ValueError, match=f"resolution is {resolution}, expected a power of two from 32 to 512"):
            make(resolution=resolution)


def test_other_arguments_are_refused():
    with pytest.raises(ValueError, match="size is 'large', expected one of slim, tiny, small, half, paper"):
        JointGenerator(size="large")
    with pytest.raises(ValueError, match="head is 'none'"):
        JointGenerator(head="none")
    with pytest.raises(ValueError, match="64 x 64, got 32 x 32"):
        JointDiscriminator(resolution=64)(torch.zeros(4, 8, 32, 32))


def test_the_same_z_gives_the_same_image_alone_and_in_company(generator):
    z = torch.randn(3, 512)
    images = generator(z)
    assert torch.equal(images, generator(z))
    assert torch.allclose(images[1:2], generator(z[1:2]), atol=1e-4)
    assert not torch.allclose(images[0], images[1], atol=0.1)


def test_drawn_noise_matters_once_its_strength_is_not_zero(generator):
    z = torch.randn(2, 512)
    assert torch.equal(generator(z, 1.0, True), generator(z))
    other = JointGenerator(resolution=32)
    other.load_state_dict(generator.state_dict())
    for block in other.blocks:
        torch.nn.init.ones_(block.refine.strength)
    assert torch.equal(other(z), other(z))
    assert not torch.equal(other(z, 1.0, True), other(z, 1.0, True))


def test_truncation_draws_towards_the_average(generator):
    z = torch.randn(4, 512)
    average = generator(generator.mapping.average.expand(1, generator.style_count, -1))
    assert torch.allclose(generator(z, 0.0), average.expand(4, -1, -1, -1), atol=1e-4)
    assert torch.equal(generator(z, 1.0), generator(generator.styles(z)))


def test_mixed_styles_are_those_of_the_one_up_to_a_layer_and_of_the_other_from_there(generator):
    z, other = torch.randn(2, 512), torch.randn(2, 512)
    mixed = generator.styles(z, other, 3)
    assert torch.equal(mixed[:, :3], generator.styles(z)[:, :3])
    assert torch.equal(mixed[:, 3:], generator.styles(other)[:, 3:])


def test_at_the_start_probabilities_are_the_softmax_of_their_channels():
    plain, wide = JointGenerator(resolution=32), JointGenerator(resolution=32, head="all")
    wide.load_state_dict({**plain.state_dict(), "head.weight": wide.head.weight, "head.bias": wide.head.bias})
    z = torch.randn(2, 512)
    assert wide.head.weight.shape == (4, 8, 1, 1)
    assert torch.allclose(plain(z), wide(z), atol=1e-5)
    plain.head = torch.nn.Identity()
    assert torch.allclose(plain(z), wide(z), atol=1e-5)


def test_under_autocast_only_what_may_runs_in_half(generator):
    z = torch.randn(4, 512)
    generator, critic, seen = copy.deepcopy(generator), JointDiscriminator(resolution=32), {}
    for name, module in [*generator.named_modules(), *critic.named_modules()]:
        module.register_forward_hook(lambda module, given, made, name=name: seen.update({name: made}))
    with torch.autocast("cpu", torch.bfloat16):
        image = generator(z)
        critic(image)
    half = {name for name, made in seen.items() if isinstance(made, torch.Tensor) and made.dtype == torch.bfloat16}
    assert image.dtype == seen["score"].dtype == torch.float32
    assert {"blocks.2.refine", "blocks.2.enlarge", "blocks.0.residual"} <= half
    assert not {name for name in half if name.startswith(("mapping", "blocks.1", "first", "last", "score"))}
    assert not {name for name in half if "to_image" in name or "head" in name}
    assert torch.allclose(image, generator(z), atol=0.1)


def test_minibatch_deviation_by_hand():
    features = torch.randn(8, 3, 4, 4)
    result = MinibatchDeviation(4)(features)
    assert torch.equal(result[:, :3], features)
    for first in (0, 1):  # samples 0, 2, 4, 6 are one group
        expected = features[first::2].std(dim=0, unbiased=False).mean()
        assert torch.allclose(result[first::2, 3], expected.expand(4, 4, 4), atol=1e-4)
    with pytest.raises(ValueError, match="batch of 6 cannot be divided into groups of 4; set drop_last"):
        MinibatchDeviation(4)(features[:6])
    assert MinibatchDeviation(4)(features[:2]).shape == (2, 4, 4, 4)
    assert torch.allclose(MinibatchDeviation(4)(features[:1])[:, 3], torch.zeros(()), atol=2e-4)


def test_gradients_reach_every_weight():
    generator, critic = JointGenerator(resolution=32), JointDiscriminator(resolution=32)
    critic(generator(torch.randn(4, 512), 1.0, True)).sum().backward()
    for network in (generator, critic):
        assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_one_script_serves_any_batch(generator):
    z = torch.randn(5, 512)
    program = torch.jit.script(generator)
    for batch in (1, 5):
        assert torch.allclose(program(z[:batch]), generator(z[:batch]), atol=1e-4)
    assert torch.allclose(program(z, 0.5), generator(z, 0.5), atol=1e-4)
    critic = JointDiscriminator(resolution=32)
    assert torch.allclose(torch.jit.script(critic)(generator(z[:4])), critic(generator(z[:4])), atol=1e-4)


def test_one_exported_program_serves_any_batch(generator):
    z = torch.randn(5, 512)
    program = torch.export.export(generator, (z,), dynamic_shapes={"latent": {0: torch.export.Dim("batch", min=2)}})
    for batch in (2, 5):
        assert torch.allclose(program.module()(z[:batch]), generator(z[:batch]), atol=1e-4)


@pytest.mark.slow
def test_onnx_serves_any_batch(generator, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    z, file = torch.randn(5, 512), str(tmp_path / "generator.onnx")
    axes = {"latent": {0: torch.export.Dim("batch", min=2)}}
    torch.onnx.export(generator, (z,), file, dynamo=True, dynamic_shapes=axes)
    session = onnxruntime.InferenceSession(file)
    for batch in (2, 5):
        (result,) = session.run(None, {"latent": z[:batch].numpy()})
        assert torch.allclose(torch.from_numpy(result), generator(z[:batch]), atol=1e-4)
