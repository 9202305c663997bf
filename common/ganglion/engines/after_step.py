"""What happens to weights right after a phase's update: clamps and running averages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from ..errors import InputError

KINDS: dict[str, tuple[type[nn.Module], ...]] = {"conv": (_ConvNd,), "linear": (nn.Linear,), "all": (nn.Module,)}


class ClampWeights:
    """Clamps weights to [-limit, limit] after each update: the Lipschitz guard of a critic.

    Source: SegAN (Xue et al. 2018) clamps every parameter of the critic, which cuts batch-norm gains from 1 to the
    limit at once; SegAN-CAT clamps the convolution kernels only. The latter is the default here.

    Args:
        limit: largest absolute value.
        modules: ``"conv"``, ``"linear"`` (kernels of these layers only) or ``"all"`` (every parameter).
    """

    def __init__(self, limit: float = 0.05, modules: str | Sequence[str] = "conv") -> None:
        if not limit > 0:
            raise InputError(f"ClampWeights: limit is {limit}, expected a number above 0")
        self.limit = limit
        self.modules = (modules,) if isinstance(modules, str) else tuple(modules)
        unknown = set(self.modules) - set(KINDS)
        if unknown:
            raise InputError(f"ClampWeights: unknown modules {sorted(unknown)}, expected some of {sorted(KINDS)}")

    @torch.no_grad()
    def __call__(self, networks: Sequence[nn.Module]) -> None:
        """Clamp in place."""
        weights = [weight for network in networks for weight in self._weights(network)]
        if weights:
            torch._foreach_clamp_min_(weights, -self.limit)
            torch._foreach_clamp_max_(weights, self.limit)

    def _weights(self, network: nn.Module) -> list[Tensor]:
        if "all" in self.modules:
            return list(network.parameters())
        kinds = tuple(kind for name in self.modules for kind in KINDS[name])
        layers = [module for module in network.modules() if isinstance(module, kinds)]
        return [layer.get_parameter("weight") for layer in layers]


class ExponentialAverage:
    """Keeps a running average of a network's weights in another network, for deployment.

    The average is an ordinary entry of the trainer's ``networks`` that no phase trains, made by ``copy.deepcopy``: thus
    it is checkpointed, validated and deployed like any other. Parameters are averaged; buffers (batch-norm statistics)
    are copied by value, so the two networks never share memory.

    Give either ``momentum``, or ``half_life_images`` with ``images_per_step``: beta = 0.5 ** (images / half life),
    which keeps the meaning when the batch size changes. Source: StyleGAN2 (Karras et al. 2020): 10,000 images; with
    ``ramp``, the half life is at most that share of the images seen so far, so that what was drawn at the start is soon
    forgotten (Karras et al., Training generative adversarial networks with limited data (2020), appendix: 0.05). How
    many were seen is checkpointed.

    Args:
        average: the network that holds the average.
        momentum: weight of the new value, 1 - beta.
        half_life_images: images after which an old value counts one half.
        images_per_step: images in one update, over all batches that are accumulated and all processes.
        network: which of the phase's networks is averaged, as an index into ``trains``.
        ramp: largest share of the images seen that the half life may be; None for no such limit.
    """

    def __init__(
        self,
        average: nn.Module,
        momentum: float | None = None,
        half_life_images: float | None = None,
        images_per_step: int | None = None,
        network: int = 0,
        ramp: float | None = None,
    ) -> None:
        if momentum is None and half_life_images and images_per_step:
            momentum = 1.0 - 0.5 ** (images_per_step / half_life_images)
        if momentum is None or not 0 < momentum <= 1:
            raise InputError(
                f"ExponentialAverage: momentum is {momentum}, expected a number in (0, 1], "
                "or half_life_images together with images_per_step"
            )
        if ramp is not None and (not ramp > 0 or half_life_images is None or images_per_step is None):
            raise InputError(
                f"ExponentialAverage: ramp is {ramp}, expected a number above 0 beside half_life_images and "
                "images_per_step"
            )
        self.average = average.requires_grad_(False).eval()
        self.momentum = momentum
        self.network = network
        self.images_per_step = images_per_step or 0
        self.ramp = ramp
        self.images = 0

    @torch.no_grad()
    def __call__(self, networks: Sequence[nn.Module]) -> None:
        """Move the average towards the network's present weights."""
        source = networks[self.network]
        self.images += self.images_per_step
        momentum = self.momentum
        if self.ramp is not None:
            momentum = max(momentum, 1.0 - 0.5 ** (self.images_per_step / (self.ramp * self.images)))
        torch._foreach_lerp_(list(self.average.parameters()), list(source.parameters()), momentum)
        for mean, now in zip(self.average.buffers(), source.buffers(), strict=True):
            mean.copy_(now)

    def state_dict(self) -> dict[str, int]:
        """How many images were seen."""
        return {"images": self.images}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where a checkpoint was written."""
        self.images = int(state["images"])
