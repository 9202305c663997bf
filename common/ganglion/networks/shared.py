"""A network that several processes train together: gradients and batch statistics are those of the whole batch."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel


def share_network(network: nn.Module) -> DistributedDataParallel:
    """Wrap a network, which lies on its device already, so that processes train it as one would with all their data.

    Buffers stay as each process computes them: batch norm's are the same in all, since its statistics are.
    """
    network = share_batch_norm(network)
    device = next(network.parameters()).device
    with warnings.catch_warnings():
        # Newer torch has another name for it, which older ones do not know.
        warnings.filterwarnings("ignore", message=".*broadcast_buffers.*")
        return DistributedDataParallel(
            network, device_ids=[device] if device.type == "cuda" else None, broadcast_buffers=False
        )


def share_batch_norm(network: nn.Module) -> nn.Module:
    """Let every batch norm of a network take its statistics over all processes; names and weights stay as they are.

    Networks on a GPU get torch's `SyncBatchNorm`, others `SharedBatchNorm`, which also runs on a CPU. With one process
    both are the ordinary batch norm.
    """
    if any(parameter.is_cuda for parameter in network.parameters()):
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for name, child in network.named_children():
        if isinstance(child, _BatchNorm) and not isinstance(child, SharedBatchNorm):
            setattr(network, name, SharedBatchNorm.of(child))
        else:
            share_batch_norm(child)
    return SharedBatchNorm.of(network) if isinstance(network, _BatchNorm) else network


class SharedBatchNorm(_BatchNorm):
    """Batch norm over all processes in training, by two sums over them: (B, C, ...) -> (B, C, ...).

    Processes may have batches of different sizes. In eval mode, or with one process, it is torch's own.
    """

    @classmethod
    def of(cls, norm: _BatchNorm) -> SharedBatchNorm:
        """The layer that takes the place of a batch norm, with its parameters and buffers."""
        shared = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        shared._parameters, shared._buffers = norm._parameters, norm._buffers
        return shared.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"expected at least two axes (B, C, ...), got {tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        """Normalise: (B, C, ...) -> the same shape and type."""
        alone = not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() == 1
        if alone or not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        wide = input.float() if input.dtype in (torch.bfloat16, torch.float16) else input
        axes, shape = [0, *range(2, input.ndim)], (1, -1, *[1] * (input.ndim - 2))
        size = wide.new_full((1,), wide.numel() / wide.shape[1])
        summed = SumOverProcesses.apply(torch.cat([wide.sum(axes), size]))
        number = summed[-1].detach()
        mean = summed[:-1] / number
        centred = wide - mean.view(shape)
        variance = SumOverProcesses.apply(centred.square().sum(axes)) / number
        self._follow(mean.detach(), variance.detach(), number)
        result = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            result = result * self.weight.view(shape) + self.bias.view(shape)
        return result.to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, number: Tensor) -> None:
        """Move the running statistics towards those of this batch, the variance without bias, as torch does."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        factor = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), factor)
        unbiased = variance * (number / (number - 1).clamp(min=1))
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), factor)


class SumOverProcesses(torch.autograd.Function):
    """Sum of a tensor over all processes, through which gradients flow: the gradient is summed in the same way."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """The sum, in every process."""
        values = values.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(values)
        return values

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The sum of the gradients that all processes have for that sum."""
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(gradient)
        return gradient
