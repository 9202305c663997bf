"""`export`: a bundle's network in a form that runs without this library, kept only if it answers as the checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .export_check import Comparison, compare, traces
from .export_formats import FORMATS, half_inside
from .export_source import CONFIG, DEPLOYED, Source, importable, read_source

if TYPE_CHECKING:
    import torch

PRECISIONS = ("fp32", "fp16")
_NOTE = "export.json"


@dataclass(frozen=True)
class Export:
    """A file that was written, and what it was held against.

    Attributes:
        path: the file.
        note: what it says of itself: bundle, precision, valid sizes, hash of the weights.
        comparisons: one for each input that it was compared on.
    """

    path: Path
    note: dict[str, Any]
    comparisons: tuple[Comparison, ...]

    def summary(self) -> str:
        """What the command prints."""
        worst = max(self.comparisons, key=lambda each: each.difference / each.limit)
        counts = {what: sum(each.what == what for each in self.comparisons) for what in ("random", "head", "scan")}
        inputs = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
        batches = sorted({each.shape[0] for each in self.comparisons})
        return (
            f"{self.path}: {self.note['format']}, {self.note['precision']}, "
            f"{self.path.stat().st_size / 2**20:.1f} MiB\n"
            f"input {self.note['input']}, sizes {', '.join(self.note['sizes']) or 'none'}; batches of any size\n"
            f"compared with the checkpoint on {len(self.comparisons)} inputs ({inputs}; batches "
            f"{', '.join(map(str, batches))}): largest difference {worst.difference:.1e}, allowed {worst.limit:.1e}"
        )


def export_bundle(
    bundle: str | Path,
    format: str,
    precision: str = "fp32",
    out: str | Path | None = None,
    dataset: str | Path | None = None,
    network: str = DEPLOYED,
) -> Export:
    """Writes a bundle's network as TorchScript, ONNX or torch.export program and holds it against the checkpoint.

    The file is made and read back in memory, compared on random inputs, on an image shaped as a head and on scans if
    there are some, and searched for folders of this machine. Only then is it written, in one step.

    Args:
        bundle: folder of the bundle.
        format: torchscript, onnx or torch_export.
        precision: fp32, or fp16 for weights and computation in half precision; input and output stay float32.
        out: file or folder to write; the default is NAME_vX.Y.Z and the format's ending in the working folder.
        dataset: folder with dataset.json, for a comparison on the scans of its test list, too.
        network: the deployed one, or another one that generate.json and the metadata name, as `generator`.

    Returns:
        What was written and how it compares.

    Raises:
        InputError: if the bundle cannot be exported so, or if the export differs from the checkpoint or names a
            folder of this machine; then nothing is written.
    """
    _check_choices(format, precision)
    if dataset is not None and network != DEPLOYED:
        raise InputError(f"--dataset {dataset}: scans go through the network that labels, not {network}; leave it out")
    source = read_source(bundle, network)
    path = _target(out, source, format, precision)
    note = describe(source, format, precision)
    written = source.network if precision == "fp32" else half_inside(source.network)
    texts = {"metadata.json": source.metadata, Path(source.config_file).name: source.config, _NOTE: note}
    content = FORMATS[format].write(written, source, {name: json.dumps(text) for name, text in texts.items()})
    scans = [] if dataset is None else list(_scans(source, Path(dataset)))
    comparisons = compare(FORMATS[format].read(content), source, precision, scans)
    _refuse(path, source, content, comparisons)
    _write(path, content)
    return Export(path, note, tuple(comparisons))


def describe(source: Source, format: str, precision: str) -> dict[str, Any]:
    """What an export says of itself, under `export.json`; nothing in it depends on time or place."""
    import torch

    shape = ["batch", source.channels, *(str(axis) for axis in source.axes)]
    return {
        "bundle": source.root.name,
        **({} if source.part == DEPLOYED else {"network": source.part}),
        "version": source.metadata.get("version"),
        "format": format,
        "precision": precision,
        "input": source.input_name,
        "output": source.output_name,
        "dtype": "float32",
        "shape": shape,
        "sizes": [str(axis) for axis in source.axes],
        "value_range": list(source.value_range or ()),
        "weights_sha256": source.weights_sha256,
        "torch": str(torch.__version__).split("+")[0],
    }


def _check_choices(format: str, precision: str) -> None:
    for name, value, known in (("format", format, tuple(FORMATS)), ("precision", precision, PRECISIONS)):
        if value not in known:
            raise InputError(f"--{name} is {value!r}, expected one of {', '.join(known)}")


def _target(out: str | Path | None, source: Source, format: str, precision: str) -> Path:
    suffix = FORMATS[format].suffix
    name = source.name + ("" if precision == "fp32" else f"_{precision}") + suffix
    path = Path(name) if out is None else Path(out)
    if path.is_dir():
        path = path / name
    if path.suffix != suffix:
        raise InputError(f"--out {path}: ends with {path.suffix!r}, expected {suffix!r}, as clients go by the ending")
    return path


def _scans(source: Source, dataset: Path) -> list[torch.Tensor]:
    """What the bundle's network is given for the scans of a data set, after the bundle's own preprocessing."""
    import torch
    from monai.bundle import ConfigParser
    from monai.utils import convert_to_tensor

    with importable(source.root):
        parser = ConfigParser()
        parser.read_config(str(source.root / CONFIG))
        parser["bundle_root"], parser["dataset_dir"] = str(source.root), str(dataset)
        items, inferer = (parser.get_parsed_content(key) for key in ("dataset", "inferer"))
        seen: list[torch.Tensor] = []

        def remember(image: torch.Tensor) -> torch.Tensor:
            seen.append(convert_to_tensor(image.detach(), track_meta=False))
            result: torch.Tensor = source.network(image)
            return result

        with torch.no_grad():
            for item in items:
                inferer(item["image"][None], remember)
    return seen


def _refuse(path: Path, source: Source, content: bytes, comparisons: list[Comparison]) -> None:
    failed = [each for each in comparisons if not each.passed]
    if failed:
        worst = max(failed, key=lambda each: each.difference / each.limit)
        raise InputError(
            f"{path}: not written: for a {worst.what} input of shape {worst.shape} the export lies "
            f"{worst.difference:.2e} from the checkpoint, allowed {worst.limit:.2e} "
            f"({len(failed)} of {len(comparisons)} inputs fail); "
            "take another --format or --precision"
        )
    found = traces(content, source)
    if found:
        raise InputError(
            f"{path}: not written: the export would carry {', '.join(found)}, folders of this machine; remove them "
            "from the bundle's configs and from names in its code"
        )


def _write(path: Path, content: bytes) -> None:
    from ..engines.handlers.checkpoint import write_atomically

    write_atomically(path, lambda file: file.write(content))
