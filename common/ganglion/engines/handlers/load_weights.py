"""Weights to start from: strict, and clear about what does not fit."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ...errors import InputError
from ..finite import nonfinite_entries
from ..trainer import unwrap
from ..trainer_state import first_mismatch
from .checkpoint import load_plain

logger = logging.getLogger(__name__)


class LoadWeights:
    """Loads plain state dicts into networks when it is attached, thus before a run resumes and before training begins.

    Every name and shape must fit. Files are read with ``weights_only=True``.

    Args:
        files: a file for one network, or files by network name; names without a file keep their weights.
        networks: the network, or networks by name.
    """

    def __init__(
        self, files: str | Path | Mapping[str, str | Path] | None, networks: nn.Module | Mapping[str, nn.Module]
    ) -> None:
        self.networks = {"network": networks} if isinstance(networks, nn.Module) else dict(networks)
        if files is None:
            self.files: dict[str, str | Path] = {}
        elif isinstance(files, Mapping):
            self.files = {name: file for name, file in files.items() if file is not None}
        elif len(self.networks) == 1:
            self.files = {next(iter(self.networks)): files}
        else:
            raise InputError(f"LoadWeights: one file {files}, but networks {sorted(self.networks)}: name a file each")
        for name in self.files:
            if name not in self.networks:
                raise InputError(
                    f"LoadWeights: no network is called {name!r}, the networks are {sorted(self.networks)}"
                )

    def attach(self, engine: Any) -> None:
        """Load now; the engine is any Ignite engine and is not changed."""
        self.load()

    def load(self) -> None:
        """Load each file into its network; an InputError names the file and the first entry that does not fit."""
        for name, file in self.files.items():
            load_network(self.networks[name], file, name)
            logger.info("loaded weights of %s from %s", name, file)


def load_network(network: nn.Module, file: str | Path, name: str = "network") -> None:
    """Load a plain state dict strictly into a network."""
    path, network = Path(file), unwrap(network)
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected weights of {name}; train it first or name another file")
    weights = load_plain(path)
    if not isinstance(weights, Mapping):
        raise InputError(f"{path}: holds a {type(weights).__name__}, expected a state dict of {name}")
    mismatch = first_mismatch(network.state_dict(), weights)
    if mismatch:
        hint = " (this is a whole checkpoint: take networks/*.pt of the run instead)" if "trainer" in weights else ""
        raise InputError(
            f"{path}: does not fit {name}: {mismatch}{hint}; give weights of a network of the same settings"
        )
    spoilt = nonfinite_entries(weights)
    if spoilt:
        raise InputError(
            f"{path}: '{spoilt[0]}' of {name} holds values that are not finite ({len(spoilt)} of {len(weights)} "
            "entries); take weights of a training that did not diverge"
        )
    network.load_state_dict(dict(weights), strict=True)
