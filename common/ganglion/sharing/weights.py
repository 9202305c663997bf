"""Weights of a bundle: do they fit the networks that its configs describe, and the same as safetensors."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError
from .contents import Contents
from .findings import SharingFinding, printable

WEIGHTS = "weights"
_ALONE = ("configs/inference.json", "configs/train.json")
_MORE = "configs/train_"  # configs that train what the network that labels is trained with


def weights_findings(bundle: Contents) -> list[SharingFinding]:
    """Weights that do not load strictly into their config's network, are missing, or belong to no config.

    A config names weights as `weights` (for `network_def`) or as `<x>_weights` (for `<x>_def`). Those of train.json,
    of train_<x>.json and of inference.json must exist; those that a variant states may wait for somebody to train it.
    """
    findings: list[SharingFinding] = []
    fitted: set[str] = set()
    variants = [name for name in bundle.configs if name.startswith("configs/variants/")]
    others = [name for name in bundle.configs if name.startswith(_MORE)]
    for names in [(name,) for name in (*_ALONE, *others)] + [("configs/train.json", variant) for variant in variants]:
        for key, file, fault in _try_config(bundle, names):
            fitted.add(file)
            if fault is not None and not (len(names) > 1 and fault.startswith("no such file")):
                findings.append(SharingFinding(names[-1], key, fault, "Weights and configs must agree."))
    strays = [name for name in bundle.weights if name not in fitted]
    why = "Name it in a config as <x>_weights, or move it out of the bundle."
    return findings + [SharingFinding(name, "", "weights that no config names", why) for name in strays]


def _try_config(bundle: Contents, names: tuple[str, ...]) -> Iterator[tuple[str, str, str | None]]:
    """For each weights file that a config (with its overlay) names: key, path in the bundle, and what is wrong."""
    from monai.bundle import ConfigParser

    stated = json.loads((bundle.root / names[-1]).read_text(encoding="utf-8"))
    texts = [key for key, value in stated.items() if isinstance(value, str)]
    keys = [key for key in texts if key == WEIGHTS or key.endswith(f"_{WEIGHTS}")]
    if not keys:
        return
    parser = ConfigParser()
    parser.read_config([str(bundle.root / name) for name in names])
    parser["bundle_root"] = str(bundle.root)
    for key in keys:
        try:
            file = Path(parser.get_parsed_content(key))
            place = file.relative_to(bundle.root).as_posix()
        except Exception as error:  # noqa: BLE001  an expression of the config may raise anything
            yield key, "", f"no path inside the bundle ({printable(str(error))})"
            continue
        yield key, place, _load(parser, _network_of(key), file, place)


def _network_of(key: str) -> str:
    """The id of the network that weights under a key belong to."""
    return "network_def" if key == WEIGHTS else f"{key.removesuffix(f'_{WEIGHTS}')}_def"


def _load(parser: Any, network_id: str, file: Path, place: str) -> str | None:
    """Loads a file strictly into a config's network; what is wrong, or None."""
    from ..engines.handlers.load_weights import load_network

    if not file.is_file():
        return f"no such file, {place}"
    try:
        load_network(parser.get_parsed_content(network_id), file, network_id)
    except InputError as error:
        return str(error).replace(str(file), place)
    except Exception as error:  # noqa: BLE001  a network's constructor may raise anything
        return f"{network_id} cannot be built ({printable(str(error))})"
    return None


def as_safetensors(file: Path) -> bytes:
    """A plain state dict as the bytes of a safetensors file; the same weights give the same bytes."""
    from safetensors.torch import save

    from ..engines.handlers.checkpoint import load_plain

    state = load_plain(file)
    tensors = {name: value.detach().clone().contiguous() for name, value in sorted(state.items())}
    return bytes(save(tensors, metadata={"format": "pt"}))


def network_findings(bundle: Contents) -> list[SharingFinding]:
    """Where the network does not take or give what metadata.json says, by MONAI's own check."""
    from monai.bundle import verify_net_in_out

    config, meta = (str(bundle.root / name) for name in ("configs/inference.json", "configs/metadata.json"))
    talk = logging.getLogger(verify_net_in_out.__module__)
    level = talk.level
    talk.setLevel(logging.WARNING)
    try:
        verify_net_in_out(net_id="network_def", config_file=config, meta_file=meta)
    except Exception as error:  # noqa: BLE001  the check raises whatever the network raises
        why = "The network of configs/inference.json must take and give what the metadata say."
        return [SharingFinding("configs/metadata.json", "network_data_format", str(error), why)]
    finally:
        talk.setLevel(level)
    return []
