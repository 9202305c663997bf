"""Which table is meant by `BUNDLE/TABLE`, in a checkout, in an unpacked zip or anywhere else."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError

_PACKAGE = Path(__file__).resolve().parents[1]


def find_table(words: str) -> tuple[Path, str]:
    """The bundle's folder and the table's name.

    Args:
        words: `segan_transfer/table1` for a bundle beside the package, or the path of a bundle's folder and the name
            of a table.
    """
    bundle, slash, table = words.rstrip("/").removesuffix(".json").rpartition("/")
    if not slash or not table:
        raise InputError(
            f"{words!r} names no table, expected BUNDLE/TABLE such as segan_transfer/table1; known are {_known()}."
        )
    bundle = bundle.removesuffix("/tables")
    for root in _candidates(bundle):
        if (root / "configs" / "train.json").is_file():
            return shown(root), table
    raise InputError(
        f"{bundle}: found no such bundle, expected its name or its folder, with configs/train.json; known tables are "
        f"{_known()}."
    )


def shown(path: Path) -> Path:
    """A path as a person would type it here: from the working folder if it lies below, else as it is."""
    try:
        return Path(path).resolve().relative_to(Path.cwd())
    except ValueError:
        return Path(path)


def _candidates(bundle: str) -> list[Path]:
    """Where a bundle may lie: as a path if it is one; by its name beside the package, or around it in a zip."""
    named = [_beside() / bundle, *([_PACKAGE.parent] if _PACKAGE.parent.name == bundle else [])]
    return [*(named if Path(bundle).name == bundle and bundle != ".." else []), Path(bundle)]


def _beside() -> Path:
    return _PACKAGE.parents[1] / "bundles"


def _known() -> str:
    tables = sorted(_beside().glob("*/tables/*.json"))
    return ", ".join(f"{path.parents[1].name}/{path.stem}" for path in tables) or "none here"
