"""What an item names, opened: the files of its image and its label, their headers judged together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..keys import CONTRASTS
from .findings import FileError
from .naming import contrast_of, files_beside, siblings, stem
from .volumes import MAX_VOXELS, Volume, open_volume, require_same_grid


def open_image(
    value: Any, contrasts: Sequence[str], channels: Sequence[int] | None = None, max_voxels: int = MAX_VOXELS
) -> list[Volume]:
    """Open the headers of an item's image: one volume a contrast on one grid, or the one 4-D volume.

    Args:
        value: a list of 3-D files, a 4-D file, or one 3-D file whose siblings are looked for by name.
        contrasts: names of the contrasts in order.
        channels: which channels of a 4-D file are the contrasts.
        max_voxels: how many voxels a file may claim.

    Raises:
        InputError: if a file is bad, the count is wrong, the names tell another order, or the grids differ.
    """
    files = [Path(value)] if isinstance(value, str | Path) else [Path(file) for file in value]
    first = open_volume(files[0], max_voxels) if files else None
    if first is None:
        raise InputError(f"found an empty list of images, expected {len(contrasts)} files: {', '.join(contrasts)}.")
    if len(files) == 1 and (first.channels > 1 or channels):
        require_channels(first, contrasts, channels)
        return [first]
    if len(files) == 1 and len(contrasts) > 1:
        files = siblings(files[0], contrasts)
    if len(files) != len(contrasts):
        raise FileError(
            files[0],
            f"{len(files)} files ({', '.join(file.name for file in files)})",
            f"{len(contrasts)}: {', '.join(contrasts)}",
            "Give one file a contrast in that order, or choose the configuration for the contrasts that you have.",
            "contrasts",
        )
    require_order(files, contrasts)
    volumes = [first if file == first.path else open_volume(file, max_voxels) for file in files]
    for volume in volumes:
        require_one_channel(volume)
        require_same_grid(volumes[0], volume)
    return volumes


def open_held(
    value: Any,
    contrasts: Sequence[str],
    held: Sequence[str] | None = None,
    channels: Sequence[int] | None = None,
    unnamed: str | None = None,
    max_voxels: int = MAX_VOXELS,
) -> tuple[list[Volume], list[str]]:
    """As `open_image`, of the contrasts that there are: the volumes, and the name of each (of each channel of one).

    Args:
        value: a list of 3-D files, a 4-D file, or one 3-D file (a path, no list) beside which others are looked for.
        contrasts: names of the contrasts that may be there.
        held: names of the files, in their order; None takes what the files' names tell.
        channels: which channels of a 4-D file are the contrasts held.
        unnamed: what a file is whose name tells no contrast.
        max_voxels: how many voxels a file may claim.

    Raises:
        InputError: if a file is bad, its contrast unknown or there twice, or the grids differ.
    """
    files = [Path(value)] if isinstance(value, str | Path) else [Path(file) for file in value]
    if not files:
        raise InputError(f"found an empty list of images, expected one or more of: {', '.join(contrasts)}.")
    first = open_volume(files[0], max_voxels)
    if len(files) == 1 and (first.channels > 1 or channels):
        names = list(held or contrasts)
        require_channels(first, names, channels)
        return [first], names
    if held is None:
        files, held = _told(files, contrasts, unnamed, isinstance(value, str | Path))
    if len(files) != len(held):
        found = f"{len(files)} files ({', '.join(file.name for file in files)})"
        raise FileError(files[0], found, f"{len(held)}: {', '.join(held)}", "Give one file a contrast.", "contrasts")
    volumes = [first if file == first.path else open_volume(file, max_voxels) for file in files]
    for volume in volumes:
        require_one_channel(volume)
        require_same_grid(volumes[0], volume)
    return volumes, list(held)


def _told(files: list[Path], contrasts: Sequence[str], unnamed: str | None, look: bool) -> tuple[list[Path], list[str]]:
    """Files and the contrasts that their names tell; those beside the first one, too, if they are looked for."""
    told = [contrast_of(file) for file in files]
    if look and told[0] in contrasts:
        beside = files_beside(files[0])
        twice = [name for name, found in beside.items() if len(found) > 1 and name in contrasts]
        if twice:
            found = f"contrast {twice[0]} twice beside it ({', '.join(file.name for file in beside[twice[0]])})"
            raise FileError(files[0], found, "each contrast once", "Rename or move one of them.", "contrasts")
        names = [name for name in contrasts if name in beside]
        return [beside[name][0] for name in names], names
    in_order = all(name in (None, place) for name, place in zip(told, contrasts, strict=False))
    if None in told and in_order and len(files) == len(contrasts) > 1:
        return files, list(contrasts)
    said: list[str | None] = list(told) if len(files) > 1 else [told[0] or unnamed]
    for file, name in zip(files, said, strict=True):
        if name not in contrasts or said.count(name) > 1:
            found = "a file whose name tells no contrast" if name is None else f"a file named as {name}"
            state = ", twice" if name in contrasts else ""
            mend = f"Name it like {stem(file)}_{contrasts[0]}.nii.gz, or say what it is (contrast)."
            if name is not None and name not in contrasts:
                mend = "To label a contrast that the network does not know, say whose place it takes (stand_in)."
            raise FileError(file, f"{found}{state}", f"one of {', '.join(contrasts)}, each once", mend, "contrasts")
    return files, [str(name) for name in said]


def open_label(value: str | Path, max_voxels: int = MAX_VOXELS) -> Volume:
    """Open the header of a label file; several channels are refused."""
    volume = open_volume(value, max_voxels)
    if volume.channels > 1:
        raise FileError(
            volume.path,
            f"a 4-D label of {volume.channels} channels",
            "one 3-D map of codes",
            "Merge the channels into one map (argmax).",
            "channels",
        )
    return volume


def require_one_channel(volume: Volume) -> None:
    """Raise a `FileError` if a file in a list of contrasts holds several volumes."""
    if volume.channels > 1:
        raise FileError(
            volume.path,
            f"a 4-D file of {volume.channels} volumes",
            "a 3-D file of one contrast",
            "Split it (nibabel.four_to_three), or give one 4-D file of all contrasts alone.",
            "channels",
        )


def require_channels(volume: Volume, contrasts: Sequence[str], channels: Sequence[int] | None = None) -> None:
    """Raise a `FileError` unless a 4-D file has the contrasts, as all of its channels or as the `channels` named."""
    if channels is None and volume.channels == len(contrasts):
        return
    if channels is not None and len(channels) == len(contrasts) and all(0 <= c < volume.channels for c in channels):
        return
    raise FileError(
        volume.path,
        f"{volume.channels} channels",
        f"{len(contrasts)}: {', '.join(contrasts)}" + (f" as channels {list(channels)}" if channels else ""),
        "Name the file's channels in dataset.json (channel_names), or choose the configuration for these contrasts.",
        "channels",
    )


def require_order(files: Sequence[Path], contrasts: Sequence[str]) -> None:
    """Raise a `FileError` if the files' names tell another order, or a lone file's another contrast."""
    told = [contrast_of(file) for file in files]
    if len(files) == 1 and told[0] in CONTRASTS and told[0] != contrasts[0]:
        mend = (
            f"Give the {contrasts[0]} scan or rename the file; to use another on purpose, set contrasts to {told[0]}."
        )
        raise FileError(files[0], f"a file named as {told[0]}", contrasts[0], mend, "contrasts")
    if None not in told and told != list(contrasts) and sorted(map(str, told)) == sorted(contrasts):
        found = f"files named in the order {', '.join(map(str, told))}"
        raise FileError(files[0], found, ", ".join(contrasts), "Give them in that order.", "contrasts")
