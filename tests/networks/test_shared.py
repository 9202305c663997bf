"""Batch norm over processes: expected values are torch's own on the whole batch in one process."""

import multiprocessing
import os

import pytest
import torch
from torch import nn

from ganglion.networks import Critic, Segmenter, SharedBatchNorm, share_batch_norm

pytestmark = pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="needs gloo")


def whole_batch(dtype):
    return torch.randn(6, 3, 4, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64).to(dtype) * 3 + 1


def norm(momentum, dtype=torch.float32):
    layer = nn.BatchNorm2d(3, momentum=momentum, dtype=torch.promote_types(dtype, torch.float32))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, -1.0, 2.0]))
        layer.bias.copy_(torch.tensor([0.0, 1.0, -1.0]))
    return layer


def twice_with_gradient(layer, image):
    """Output, gradients and statistics after two passes; the loss is no sum of squares, whose gradient would vanish."""
    image = image.clone().requires_grad_()
    for _ in range(2):
        output = layer(image)
        (output.to(layer.weight.dtype) ** 3).sum().backward()
    parts = {"output": output.detach(), "image": image.grad}
    parts |= {f"gradient of {name}": parameter.grad for name, parameter in layer.named_parameters()}
    return {name: value.double() for name, value in {**parts, **layer.state_dict()}.items()}


def work(rank, folder, momentum, dtype):
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    share = whole_batch(dtype)[:4] if rank == 0 else whole_batch(dtype)[4:]
    torch.save(twice_with_gradient(share_batch_norm(norm(momentum, dtype)), share), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    ("momentum", "dtype", "close"), [(0.1, torch.float64, 1e-9), (None, torch.bfloat16, 0.1)], ids=["fp64", "bf16"]
)
def test_two_processes_equal_one(tmp_path, momentum, dtype, close):
    """Four items in one process, two in the other; gradients of the parameters add up."""
    expected = twice_with_gradient(norm(momentum, dtype), whole_batch(dtype))
    context = multiprocessing.get_context("fork")
    pair = [context.Process(target=work, args=(rank, tmp_path, momentum, dtype)) for rank in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join(60)
    assert [process.exitcode for process in pair] == [0, 0]
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert first.keys() == expected.keys()
    for name in ("output", "image"):
        both = torch.cat([first[name], second[name]])
        assert torch.allclose(both, expected[name], rtol=close, atol=10 * close), name
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        assert torch.allclose(first[name], expected[name], rtol=close, atol=close), name
        assert torch.equal(first[name], second[name])
    for name in ("gradient of weight", "gradient of bias"):
        assert torch.allclose(first[name] + second[name], expected[name], rtol=close, atol=100 * close), name


def test_alone_it_is_the_ordinary_one():
    image = whole_batch(torch.float32)
    found, expected = twice_with_gradient(share_batch_norm(norm(0.1)), image), twice_with_gradient(norm(0.1), image)
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize("network", [Segmenter(4, width=4), Critic(4, width=4)], ids=["segmenter", "critic"])
def test_names_and_tensors_stay(network):
    before = {name: value.data_ptr() for name, value in network.state_dict().items()}
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    shared = share_batch_norm(network)
    assert {name: value.data_ptr() for name, value in shared.state_dict().items()} == before
    assert sum(isinstance(module, SharedBatchNorm) for module in shared.modules()) == norms > 0
    assert not any(isinstance(module, nn.BatchNorm2d) for module in shared.modules())


def test_too_few_axes_are_refused():
    with pytest.raises(ValueError, match="at least two axes"):
        SharedBatchNorm(3)(torch.zeros(3))
