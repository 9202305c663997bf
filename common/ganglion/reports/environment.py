"""What the software runs on: versions and devices, for `ganglion info` and for reports."""

from __future__ import annotations

import platform
from importlib import metadata

from .. import __version__

_PACKAGES = ("torch", "monai", "pytorch-ignite", "numpy", "scipy", "nibabel", "nilearn", "itk", "mlflow-skinny")


def describe_environment() -> dict[str, str]:
    """The versions of this package, of Python and of what it builds on, and the devices found.

    Returns:
        Name to value, in the order in which to show them; a package that is not installed says so.
    """
    import torch

    found = {"version": __version__, "python": platform.python_version()}
    found.update({name: _installed_version(name) for name in _PACKAGES})
    found["cpu threads"] = str(torch.get_num_threads())
    found["gpus"] = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())) or "none"
    return found


def _installed_version(name: str) -> str:
    """The version of an installed package, or a word that says it is missing."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
