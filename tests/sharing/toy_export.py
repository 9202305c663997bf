"""A bundle of a few weights, whose network lies in the bundle's own package, for tests of the export."""

import json
from pathlib import Path

import torch
from torch import nn

NETWORK = '''
import torch
from torch import nn


class Net(nn.Module):
    """Halves, doubles: takes multiples of {step}."""

    def __init__(self, channels: int = 2, dims: int = 2, power: float = 1.0) -> None:
        super().__init__()
        convolution = nn.Conv2d if dims == 2 else nn.Conv3d
        self.power = power
        self.down = convolution(channels, 4, kernel_size={step}, stride={step})
        self.up = nn.Upsample(scale_factor=float({step}))
        self.out = convolution(4, 1, kernel_size=3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if image.shape[-1] % {step} != 0:
            raise ValueError("sides must be divisible by {step}")
        return self.out(self.up(torch.relu(self.down(image)))) * self.power
'''


def tensor(channels: int, shape: list, **changes) -> dict:
    return {
        "type": "image",
        "format": "magnitude",
        "num_channels": channels,
        "spatial_shape": shape,
        "dtype": "float32",
        "value_range": [0, 1],
        **changes,
    }


def make_bundle(root: Path, shape=("4*n", "4*n"), step: int = 4, package: str = "toy_networks") -> Path:
    """Writes a bundle with random weights into a new folder."""
    for name in ("configs", "models", package):
        (root / name).mkdir(parents=True)
    (root / package / "__init__.py").write_text("from .net import Net\n")
    (root / package / "net.py").write_text(NETWORK.replace("{step}", str(step)))
    data_format = {
        "inputs": {"image": tensor(2, list(shape))},
        "outputs": {"pred": tensor(1, list(shape), value_range=[])},
    }
    write(root, "metadata", {"version": "1.2.3", "network_data_format": data_format})
    definition = {"_target_": f"{package}.Net", "channels": 2, "dims": len(shape)}
    write(root, "inference", {"bundle_root": ".", "network_def": definition})
    torch.manual_seed(0)
    convolution = nn.Conv2d if len(shape) == 2 else nn.Conv3d
    parts = {"down": convolution(2, 4, step, step), "out": convolution(4, 1, 3, padding=1)}
    torch.save(nn.ModuleDict(parts).state_dict(), root / "models" / "model.pt")
    return root


def write(root: Path, name: str, content) -> None:
    (root / "configs" / f"{name}.json").write_text(json.dumps(content))


def change(root: Path, name: str, **values) -> None:
    """Sets keys of a config of the bundle; `a__b=1` sets `b` inside `a`."""
    path = root / "configs" / f"{name}.json"
    content = json.loads(path.read_text())
    for key, value in values.items():
        *outer, last = key.split("__")
        place = content
        for part in outer:
            place = place[part]
        place[last] = value
    path.write_text(json.dumps(content))
