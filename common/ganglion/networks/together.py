"""Several networks seen as one, for clients that know of one only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn


class Together(nn.ModuleDict):
    """All networks of a training under one state dict, ``<name>.<key>``; called, it is the deployed one.

    Federated clients exchange ``trainer.network`` and no more. Given this one, they exchange the adversaries too.
    The networks are held, not copied: what is loaded here is loaded in them.

    Args:
        networks: modules by name.
        deployed: name of the one that a call goes to.
    """

    def __init__(self, networks: Mapping[str, nn.Module], deployed: str) -> None:
        super().__init__(networks)
        self.deployed = deployed

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the deployed network."""
        return self[self.deployed](*args, **kwargs)
