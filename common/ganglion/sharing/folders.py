"""Folders to write into."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError


def make_folder(folder: Path) -> Sequence[Path]:
    """Make a folder with its parents; returns those that were missing, innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{folder}: found a file in its way, expected a folder or none; name another.") from error
    return missing
