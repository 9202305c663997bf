"""A variant as a bundle of its own: for clients that run a bundle as it stands and know no overlays."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from .contents import Contents, read_contents
from .weights import WEIGHTS

_CONFIGS = ("configs/train.json", "configs/inference.json")
_OVER_METADATA = "configs/metadata/"
_CARDS = "docs/variants/"
_OWN = ("configs/variants/", _OVER_METADATA, _CARDS, "docs/README.md", "models/", "tables/")


def write_alone(bundle: str | Path, variant: str, parent: Path) -> Path:
    """Write a variant that has weights, metadata and a model card of its own as a bundle `<bundle>_<variant>`.

    The variant's config is merged into train.json and inference.json, `configs/metadata/<variant>.json` into
    metadata.json; `models/<variant>/model.pt` becomes `models/model.pt`, `docs/variants/<variant>.md` the model card.
    Overlays that state neither contrasts, width nor weights (fine_tune, for one) stay.

    Args:
        bundle: folder of the bundle.
        variant: name of an overlay in configs/variants.
        parent: folder to write into.

    Returns:
        The folder of the new bundle.
    """
    contents = read_contents(bundle)
    _require(contents, variant)
    files = {name: (contents.root / name).read_bytes() for name in contents.files}
    overlay = json.loads(files[f"configs/variants/{variant}.json"])
    written = {name: data for name, data in files.items() if not name.startswith(_OWN)}
    written |= {name: data for name, data in files.items() if _stays(name, data)}
    for name in _CONFIGS:
        text = _moved(_merged(files[name].decode("utf-8"), overlay), contents.name, variant)
        written[name] = text.encode()
    written["configs/metadata.json"] = _metadata(contents.root, variant)
    written["docs/README.md"] = files[f"{_CARDS}{variant}.md"]
    own = f"models/{variant}/"
    written |= {name: data for name, data in files.items() if name.startswith(own) and name != f"{own}model.pt"}
    written["models/model.pt"] = files[f"{own}model.pt"]
    target = parent / f"{contents.name}_{variant}"
    for name, data in written.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(data)
    return target


def variants_alone(bundle: str | Path) -> list[str]:
    """The variants that can be packed as bundles of their own."""
    return sorted(path.stem for path in (Path(bundle) / _OVER_METADATA).glob("*.json"))


def _require(contents: Contents, variant: str) -> None:
    """A variant needs an overlay, metadata, a card and weights."""
    wanted = (f"configs/variants/{variant}.json", f"{_OVER_METADATA}{variant}.json", f"{_CARDS}{variant}.md")
    missing = [name for name in (*wanted, f"models/{variant}/model.pt") if name not in contents.files]
    if missing:
        known = ", ".join(variants_alone(contents.root)) or "none"
        raise InputError(
            f"{contents.name}: found no {missing[0]}, expected a variant with weights, metadata and a model card of "
            f"its own (there: {known}); name one of these, or add the file."
        )


def _stays(name: str, data: bytes) -> bool:
    """Overlays on a training that leave the network's inputs and the place of its weights as they are."""
    return name.startswith("configs/variants/") and not {"contrasts", "width", WEIGHTS} & set(json.loads(data))


def _merged(text: str, overlay: Mapping[str, Any]) -> str:
    """A config's text with the overlay's values in their places, otherwise as people wrote it."""
    for key, value in overlay.items():
        found = re.search(rf'^    "{re.escape(key)}": ', text, re.MULTILINE)
        if key != "_desc_" and found:
            _, end = json.JSONDecoder().raw_decode(text, found.end())
            text = text[: found.end()] + json.dumps(value) + text[end:]
    return text


def _moved(text: str, name: str, variant: str) -> str:
    """The new bundle's name, and its weights where every bundle has them."""
    text = text.replace(f"'bundles/{name}'", f"'bundles/{name}_{variant}'")
    return text.replace(f"/models/{variant}/model.pt'", "/models/model.pt'")


def _metadata(root: Path, variant: str) -> bytes:
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config([str(root / "configs/metadata.json"), str(root / f"{_OVER_METADATA}{variant}.json")])
    content = {key: value for key, value in parser.get().items() if key != "_desc_"}
    return (json.dumps(content, indent=4) + "\n").encode()
