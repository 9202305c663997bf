"""What an export starts from: a bundle's deployed network with its weights, and which inputs its metadata allows."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from torch import nn

METADATA, CONFIG, WEIGHTS = "configs/metadata.json", "configs/inference.json", "models/model.pt"
DRAWING = "configs/generate.json"  # where networks stand that draw, beside the one that labels
DEPLOYED = "network"
# Every free axis is exported for twice the step or more: torch.export takes an axis that may be 1 for one that is.
_LEAST_STEPS = 2
_SHAPE = "a number (a fixed size), '*' (any size) or '16*n' (multiples of 16)"


@dataclass(frozen=True)
class Axis:
    """Sizes that one spatial axis may have.

    Attributes:
        step: the fixed size, or what the size must be a multiple of.
        fixed: whether ``step`` is the only size.
    """

    step: int
    fixed: bool

    @property
    def least(self) -> int:
        """The smallest size that an export takes."""
        return self.step if self.fixed else _LEAST_STEPS * self.step

    def nearest(self, size: int) -> int:
        """The valid size that comes closest to a wish from below, the smallest one at least."""
        return self.step if self.fixed else max(self.least, size // self.step * self.step)

    def example(self, count: int) -> int:
        """A valid size, `count` times the smallest one that networks of this step can make something of."""
        return self.step if self.fixed else count * -(-16 // self.step) * self.step

    def __str__(self) -> str:
        if self.fixed:
            return str(self.step)
        return f"any from {self.least}" if self.step == 1 else f"multiples of {self.step} from {self.least}"


@dataclass(frozen=True)
class Source:
    """A bundle, as far as an export needs it.

    Attributes:
        root: the bundle's folder.
        network: the deployed network in evaluation mode, on the CPU.
        input_name: name of its only input; the array is (B, channels, *axes).
        output_name: name of its only output.
        channels: channels of the input.
        axes: valid sizes of each spatial axis; none for a network that takes a vector.
        value_range: least and greatest value of the input, or None if the metadata names none.
        metadata: the content of metadata.json.
        config: the content of inference.json, or of generate.json.
        weights_sha256: hash of the file of weights.
        part: `network`, the deployed one, or the name of another.
    """

    root: Path
    network: nn.Module
    input_name: str
    output_name: str
    channels: int
    axes: tuple[Axis, ...]
    value_range: tuple[float, float] | None
    metadata: Mapping[str, Any] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    weights_sha256: str
    part: str = DEPLOYED

    @property
    def name(self) -> str:
        """Name and version, as files are called."""
        part = "" if self.part == DEPLOYED else f"_{self.part}"
        return f"{self.root.name}{part}_v{self.metadata.get('version', '0.0.0')}"

    @property
    def config_file(self) -> str:
        """Which config it is built by."""
        return CONFIG if self.part == DEPLOYED else DRAWING


def read_source(bundle: str | Path, part: str = DEPLOYED) -> Source:
    """Builds the network that a bundle's inference config calls ``network_def`` and loads its weights strictly.

    The config's expressions for the network are evaluated, as MONAI does it: only for bundles that you trust.

    Args:
        bundle: folder of the bundle.
        part: the deployed ``network``, or another one, X: ``X_def`` and ``X_weights`` of generate.json, described by
            ``X_data_format`` of the metadata.

    Returns:
        The network and what the metadata says about its input.

    Raises:
        InputError: if a file is missing, weights do not fit, or the metadata do not describe one image in, one out.
    """
    root = Path(bundle).resolve()
    if root.is_file():
        raise InputError(f"{bundle}: is a file, expected the folder of a bundle; unpack a zip first: ganglion unpack")
    if not root.is_dir():
        raise InputError(f"{bundle}: no such folder, expected a bundle, as bundles/segan_transfer")
    config_file = CONFIG if part == DEPLOYED else DRAWING
    metadata, config = (_read_json(root, name) for name in (METADATA, config_file))
    spec_in, input_name = _only(metadata, "inputs", root, part)
    _, output_name = _only(metadata, "outputs", root, part)
    network, weights = _build(root, config_file, part)
    low_high: Sequence[float] = spec_in.get("value_range") or ()
    return Source(
        root=root,
        network=network,
        input_name=input_name,
        output_name=output_name,
        channels=int(spec_in["num_channels"]),
        axes=tuple(parse_axis(item, root / METADATA) for item in spec_in["spatial_shape"]),
        value_range=(float(low_high[0]), float(low_high[1])) if len(low_high) == 2 else None,
        metadata=metadata,
        config=config,
        weights_sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        part=part,
    )


def parse_axis(item: str | int, file: Path | str = METADATA) -> Axis:
    """Reads one entry of ``spatial_shape``: a number, '*' or a multiple of n, as MONAI writes it."""
    if isinstance(item, int) and not isinstance(item, bool) and item > 0:
        return Axis(item, fixed=True)
    text = str(item).replace(" ", "")
    match = re.fullmatch(r"\*|n|(\d+)\*n|n\*(\d+)", text)
    if match is None or match.group(1) == "0" or match.group(2) == "0":
        raise InputError(f"{file}: spatial_shape holds {item!r}, expected {_SHAPE}")
    return Axis(int(match.group(1) or match.group(2) or 1), fixed=False)


def absolute_paths(content: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yields key and text of each absolute path in the content of a JSON file."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from absolute_paths(value, f"{key}#{name}" if key else str(name))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from absolute_paths(value, f"{key}#{index}")
    elif isinstance(content, str) and len(content) > 1:
        windows = PureWindowsPath(content)
        if PurePosixPath(content).is_absolute() or (windows.drive and windows.is_absolute()):
            yield key, content


def _read_json(root: Path, name: str) -> dict[str, Any]:
    path = root / name
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, expected one in a bundle; is {root} a bundle's folder?") from None
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON: {error}; mend the file") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}, expected an object with keys")
    for key, text in absolute_paths(content):
        raise InputError(f"{path}: {key} is {text}, a path of this machine that an export would carry; remove it first")
    return content


def _only(metadata: Mapping[str, Any], side: str, root: Path, part: str) -> tuple[Mapping[str, Any], str]:
    """The only input or output of the network, and its name."""
    tensors = metadata.get(f"{part}_data_format", {}).get(side, {})
    if len(tensors) != 1:
        raise InputError(
            f"{root / METADATA}: {part}_data_format has the {side} {sorted(tensors)}, expected exactly one: "
            "clients call the deployed network with one tensor and take one"
        )
    ((name, spec),) = tensors.items()
    missing = [key for key in ("num_channels", "spatial_shape", "dtype") if key not in spec]
    if missing:
        raise InputError(f"{root / METADATA}: {side}#{name} lacks {', '.join(missing)}, which an export must know")
    if spec["dtype"] != "float32":
        raise InputError(f"{root / METADATA}: {side}#{name} has dtype {spec['dtype']}, expected float32")
    return spec, name


def _build(root: Path, config: str, part: str) -> tuple[nn.Module, Path]:
    """The network with its weights, and the file of these."""
    from monai.bundle import ConfigParser

    from ..engines.handlers.load_weights import load_network

    with importable(root):
        parser = ConfigParser()
        parser.read_config(str(root / config))
        parser["bundle_root"] = str(root)
        if f"{part}_def" not in parser:
            raise InputError(f"{root / config}: has no {part}_def, which names the network to export")
        network: nn.Module = parser.get_parsed_content(f"{part}_def")
        weights = root / WEIGHTS if part == DEPLOYED else Path(parser.get_parsed_content(f"{part}_weights"))
    load_network(network, weights, f"{part}_def")
    return network.cpu().eval(), weights


@contextmanager
def importable(root: Path) -> Iterator[None]:
    """Packages that lie in a bundle can be imported, as while MONAI runs it."""
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))
