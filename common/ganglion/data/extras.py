"""Packages that only some layouts need."""

from importlib import import_module
from pathlib import Path
from typing import Any

from .findings import FileError


def import_extra(module: str, package: str, where: Path, found: str, mend: str) -> Any:
    """Import a module of an optional package.

    Args:
        module: what Python calls it.
        package: what pip calls it.
        where: the file or folder that needs it.
        found: what was found there, for the error.
        mend: how to install it.

    Raises:
        FileError: when the package is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise FileError(where, found, f"{package} installed", mend) from error
