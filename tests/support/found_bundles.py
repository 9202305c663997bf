"""The bundles of the repository, for tests that every bundle gets by existing."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

ROOT = Path(__file__).parents[2]
BUNDLES = sorted(path.parents[1] for path in ROOT.glob("bundles/*/configs/metadata.json"))
TRAINED = [bundle for bundle in BUNDLES if (bundle / "models" / "model.pt").exists()]  # only these can be passed on
EACH_TIME = ("segan_transfer", "multistage_gan")  # one of slices, one of volumes; the others with the slow tests


def swept(*more: object) -> list:
    """Bundles that can be passed on, as parameters; with `more` each together with each of those."""
    found = []
    for bundle in TRAINED:
        marks = () if bundle.name in EACH_TIME else pytest.mark.slow
        found += [pytest.param((bundle, one), id=f"{bundle.name}-{one}", marks=marks) for one in more]
        found += [] if more else [pytest.param(bundle, id=bundle.name, marks=marks)]
    return found


def network_of(bundle: Path) -> torch.nn.Module:
    """The deployed network with its weights, built from the bundle's inference config alone."""
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True))
    return network


def with_weights(bundle: Path, folder: Path) -> Path:
    """The bundle itself, or, where nobody has trained it yet, a copy of it in `folder` with random weights."""
    if (bundle / "models" / "model.pt").exists():
        return bundle
    copy = folder / bundle.name
    if copy.exists():
        return copy
    shutil.copytree(bundle, copy, ignore=shutil.ignore_patterns("runs", "eval", "data"))
    parser = ConfigParser()
    parser.read_config(str(copy / "configs" / "train.json"))
    parser["bundle_root"] = str(copy)
    for key, of in [("weights", "network_def"), *((f"{name[:-4]}_weights", name) for name in _definitions(copy))]:
        if key in parser:
            target = Path(parser.get_parsed_content(key))
            target.parent.mkdir(parents=True, exist_ok=True)
            torch.save(parser.get_parsed_content(of).state_dict(), target)
    return copy


def _definitions(bundle: Path) -> list[str]:
    content = json.loads((bundle / "configs" / "train.json").read_text(encoding="utf-8"))
    return [name for name in content if name.endswith("_def") and name != "network_def"]
