"""What an export must stand before it is kept: the checkpoint's own answers, and no trace of the machine."""

from __future__ import annotations

import io
import os
import re
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .export_source import METADATA

if TYPE_CHECKING:
    import torch

    from .export_source import Source

# The same sums in another order move a number by some multiples of 2^-24 of the largest term in it; logits of a
# network that ends in them can be in the tens, where 1e-4 is less than what a second order of summing costs.
_FP32_SHARE, _FP32_SIZE = 1e-5, 10.0
# Rounding to float16 moves a number by 2^-11 of its size at most. The result is rounded once, and so is each layer
# before it; these errors have no common sign. Four times 2^-10 of the largest output leaves room for some dozens of
# layers: the square root of 64 roundings of 2^-11 each.
_FP16_SHARE = 4 * 2.0**-10
# Batch, and counts for `Axis.example` of the first, second and third axis; the smallest sizes come on top.
_RANDOM = ((3, (2, 3, 2)), (2, (5, 4, 3)))
# Sides of an image of a head: a slice at 1 mm, a volume at 2 mm, so that a check takes seconds.
_HEAD_SIDE = {2: 240, 3: 96}


@dataclass(frozen=True)
class Comparison:
    """How far one answer of the export lies from the checkpoint's.

    Attributes:
        what: the kind of input: `random`, `head` or `scan`.
        shape: the input's shape.
        difference: largest absolute difference.
        limit: largest difference that is accepted.
    """

    what: str
    shape: tuple[int, ...]
    difference: float
    limit: float

    @property
    def passed(self) -> bool:
        """False for a difference that is no number, too."""
        return self.difference <= self.limit


def compare(
    runner: Callable[[torch.Tensor], torch.Tensor],
    source: Source,
    precision: str,
    scans: Iterable[torch.Tensor] = (),
) -> list[Comparison]:
    """Puts the same inputs to an export and to the checkpoint.

    Args:
        runner: the export, read back.
        source: the bundle with its network.
        precision: fp32, where 1e-5 of the largest output is accepted, at least 1e-4, or fp16, where 2^-8 of it is.
        scans: further inputs, as the bundle's preprocessing gives them to the network.

    Returns:
        One comparison for each input.
    """
    import torch

    inputs = [("random", image) for image in random_inputs(source)]
    inputs += [("head", image) for image in head_inputs(source)]
    inputs += [("scan", image) for image in scans]
    results = []
    for what, image in inputs:
        with torch.no_grad():
            expected = _expected(source, image)
            found = runner(image)
        if not torch.isfinite(expected).all():
            raise InputError(f"{source.root}: the checkpoint itself answers a {what} input with numbers not finite")
        share, size = (_FP32_SHARE, _FP32_SIZE) if precision == "fp32" else (_FP16_SHARE, 1.0)
        limit = share * max(size, float(expected.abs().max()))
        same_form = found.shape == expected.shape and found.dtype == expected.dtype
        difference = float((found - expected).abs().max()) if same_form else float("inf")
        results.append(Comparison(what, tuple(image.shape), difference, limit))
    return results


def _expected(source: Source, image: torch.Tensor) -> torch.Tensor:
    """The checkpoint's answer; an InputError if the network does not take what its metadata allow."""
    try:
        result: torch.Tensor = source.network(image)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"{source.root / METADATA}: allows an input of shape {tuple(image.shape)}, which the network refuses: "
            f"{str(error).splitlines()[0]}; mend num_channels and spatial_shape"
        ) from error
    return result


def random_inputs(source: Source) -> Iterator[torch.Tensor]:
    """Noise over the whole value range, in several batches and sizes; the same each time."""
    import torch

    generator = torch.Generator().manual_seed(0)
    shapes = [(1, *(axis.least for axis in source.axes))]
    for batch, counts in _RANDOM:
        shapes.append((batch, *(axis.example(count) for axis, count in zip(source.axes, counts, strict=False))))
    for batch, *sizes in shapes:
        if source.value_range is None:
            yield torch.randn(batch, source.channels, *sizes, generator=generator)
        else:
            low, high = source.value_range
            yield low + (high - low) * torch.rand(batch, source.channels, *sizes, generator=generator)


def head_inputs(source: Source) -> Iterator[torch.Tensor]:
    """An image as networks see it after the preprocessing: an ellipsoid of tissue in a background of exactly 0.

    Its sides are those of a whole head, as far as the metadata allow; there is none for networks of a vector.
    """
    import torch

    if len(source.axes) not in _HEAD_SIDE:
        return
    sizes = [axis.nearest(_HEAD_SIDE[len(source.axes)] - 16 * i) for i, axis in enumerate(source.axes)]
    grid = torch.meshgrid(*(torch.linspace(-1.2, 1.2, size) for size in sizes), indexing="ij")
    radius = torch.stack(grid).square().sum(0).sqrt()
    folds = torch.stack([torch.sin((9 + 2 * i) * axis) for i, axis in enumerate(grid)]).mean(0)
    low, high = source.value_range or (0.0, 1.0)
    channels = []
    for index in range(source.channels):
        tissue = (0.55 + 0.3 * folds * (-1) ** index - 0.1 * radius).clamp(0, 1)
        lesion = torch.exp(-torch.stack([(axis - 0.3) ** 2 for axis in grid]).sum(0) / 0.05) * 0.1 * index
        channels.append(torch.where(radius < 1, low + (high - low) * (tissue + lesion).clamp(0, 1), 0.0))
    yield torch.stack(channels)[None]


def traces(content: bytes, source: Source) -> list[str]:
    """Folders of this machine that a file names, also inside the entries of archives in it.

    Args:
        content: the file.
        source: the bundle that it was made from.

    Returns:
        Each folder that was found, once.
    """
    parts = list(_parts(content))
    return [folder for folder in _folders(source) if any(_pattern(folder).search(part) for part in parts)]


def _pattern(folder: str) -> re.Pattern[bytes]:
    """Finds a folder in the forms in which it is written down."""
    forms = {folder, folder.replace("\\", "/"), folder.replace("\\", "\\\\")}
    # `/data/` of a machine is not the `/data/` in `archive/data/0`, an entry of every file of torch.
    before = rb"(?<![\w.-])" if folder.count("/") == 2 and folder.startswith("/") else b""
    return re.compile(before + b"(?:" + b"|".join(re.escape(form.encode()) for form in sorted(forms)) + b")")


def _folders(source: Source) -> list[str]:
    """Folders whose names could tell who made an export, and where; each ends with a separator."""
    here = Path(__file__).resolve().parents[2]
    named = {str(Path.home()), os.getcwd(), sys.prefix, sysconfig.get_path("purelib"), str(here), str(source.root)}
    named |= {str(Path(name).resolve()) for name in named}
    return sorted(folder.rstrip("/\\") + os.sep for folder in named if len(folder) > 3)


def _parts(content: bytes) -> Iterator[bytes]:
    """A file's bytes, and those of each entry if it is a zip, to any depth."""
    yield content
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            yield entry.filename.encode()
            yield from _parts(archive.read(entry))
