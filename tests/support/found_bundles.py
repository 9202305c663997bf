"""The bundles of the repository, for tests that every bundle gets by existing."""

from pathlib import Path

import torch
from monai.bundle import ConfigParser

ROOT = Path(__file__).parents[2]
BUNDLES = sorted(path.parents[1] for path in ROOT.glob("bundles/*/configs/metadata.json"))


def network_of(bundle: Path) -> torch.nn.Module:
    """The deployed network with its weights, built from the bundle's inference config alone."""
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True))
    return network
