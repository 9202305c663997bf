"""`ganglion pack`: a bundle, the library that it was made with and the sums of both, as one zip that MONAI takes.

The same input gives the same bytes on every machine: entries are sorted, carry one time and one mode, and are stored as
they are, since compressed bytes would depend on the version of zlib.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from ..errors import InputError
from .alone import write_alone
from .check import check_bundle
from .contents import GUIDE, Contents
from .findings import Refused
from .folders import make_folder
from .library import library_files, library_name, point_to, stray_names, versioned_name
from .sums import SUMS_FILE, file_sum, format_sums
from .weights import as_safetensors

_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can tell
_MODE = 0o100644 << 16
_UNIX = 3
_GUIDE_TEXT = """# This folder came as a zip

It holds a MONAI bundle and, in `{library}/`, the library that its configs name. Nothing of ours has to be installed;
MONAI and what `configs/metadata.json` lists under `required_packages_version` have to be. In this folder:

    python -m monai.bundle run inference --config_file configs/inference.json --dataset_dir DST

From another folder give the config's whole path, and this folder with `--bundle_root`. Where a message or a page names
the command `ganglion`, say `python -m {library}` in this folder: `python -m {library} data convert --help`.

`sha256sum -c {sums}` tells whether every file is the one that was packed. `models/*.safetensors` hold the same
weights as the `.pt` beside them. After a training of your own, `python -m {library} pack . --out DIR` packs it.
"""


@dataclass(frozen=True)
class Packed:
    """A zip that was written.

    Attributes:
        path: the zip.
        sha256: its sum, which whoever gets it can compare.
        files: how many it holds.
    """

    path: Path
    sha256: str
    files: int

    def __str__(self) -> str:
        return f"{self.path}: {self.files} files, {self.path.stat().st_size / 2**20:.1f} MiB, sha256 {self.sha256}"


def pack(bundle: str | Path, out: str | Path = ".", overwrite: bool = False, variant: str | None = None) -> Packed:
    """Write `NAME_vX.Y.Z.zip` of a bundle, or `NAME_VARIANT_vX.Y.Z.zip` of one of its variants.

    Args:
        bundle: folder of the bundle.
        out: folder for the zip; made if it does not exist.
        overwrite: replace a zip of this name that holds something else.
        variant: pack this variant as a bundle of its own, for clients that run a bundle as it stands.

    Raises:
        Refused: names every reason why the bundle may not leave the house.
    """
    _need("jsonschema", "safetensors")
    if variant is None:
        return _pack(bundle, out, overwrite)
    with tempfile.TemporaryDirectory() as folder:
        return _pack(write_alone(bundle, variant, Path(folder)), out, overwrite)


def _pack(bundle: str | Path, out: str | Path, overwrite: bool) -> Packed:
    """Check, write, check what was written, and only then give it its name."""
    contents, metadata = check_bundle(str(bundle))
    files = {f"{contents.name}/{name}": data for name, data in bundle_files(contents).items()}
    target = Path(out) / f"{contents.name}_v{metadata['version']}.zip"
    make_folder(target.parent)
    handle, temporary = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=".zip", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            write_zip(file, files)
        _check_zip(bundle, Path(temporary), target, overwrite)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return Packed(target, file_sum(target), len(files))


def _need(*packages: str) -> None:
    """Packages that only packing needs; a zip of somebody else runs without them."""
    for name in packages:
        if find_spec(name) is None:
            raise InputError(f"pack needs the package {name}, found none; get it with: python -m pip install {name}")


def bundle_files(contents: Contents) -> dict[str, bytes]:
    """Everything that lies in the zip's folder, by path."""
    old, new = library_name(), versioned_name()
    files = {name: (contents.root / name).read_bytes() for name in contents.files}
    findings = []
    for name in contents.configs:
        files[name] = point_to(files[name].decode("utf-8"), old, new).encode()
        findings += stray_names(json.loads(files[name]), name, new)
    if findings:
        raise Refused(f"{contents.name} is not packed", findings)
    for name in contents.weights:
        files[name.removesuffix(".pt") + ".safetensors"] = as_safetensors(contents.root / name)
    files |= {f"{new}/{name}": data for name, data in library_files().items()}
    files[GUIDE] = _GUIDE_TEXT.format(library=new, sums=SUMS_FILE).encode()
    files[SUMS_FILE] = format_sums(files).encode()
    return files


def write_zip(file: IO[bytes], files: Mapping[str, bytes]) -> None:
    """Write files by their paths as a zip whose bytes depend on nothing else."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system, entry.external_attr = _UNIX, _MODE
            archive.writestr(entry, files[name])


def _check_zip(bundle: str | Path, written: Path, target: Path, overwrite: bool) -> None:
    """What others would refuse is not written, nor is a version given to two different zips."""
    from .scan import scan

    findings = list(scan(written))
    if findings:
        raise Refused(f"{bundle} is not packed", findings, "Whoever gets the zip would be warned.")
    if target.is_file() and not overwrite and file_sum(target) != file_sum(written):
        raise InputError(
            f"{target}: found another zip of this version, expected the same content or none; raise the version in "
            "configs/metadata.json, or replace the zip with --overwrite."
        )
