"""The copy of the library in a bundle: trusted only if it is, byte for byte, the library that scans."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..findings import SharingFinding
from ..library import library_files, versioned_name

_WHY = (
    "A bundle's library runs as soon as the bundle does. This one is not what this version of it holds: "
    "get the bundle from where it was published."
)


def judge_library_copy(names: Collection[str], contents: Mapping[str, bytes]) -> tuple[list[str], list[SharingFinding]]:
    """Compares the library's folder in a bundle with the library that scans.

    Args:
        names: paths of all files of the bundle.
        contents: the bytes of those that lie in the library's folder.

    Returns:
        The files there that the library does not have, and what is changed or missing.
    """
    folder = versioned_name()
    own = {f"{folder}/{name}": content for name, content in library_files().items()}
    inside = [name for name in names if name.startswith(f"{folder}/")]
    changed = [name for name in inside if name in own and contents.get(name) != own[name]]
    missing = sorted(own.keys() - set(inside)) if inside else []
    findings = [SharingFinding(name, "", "changed code", _WHY) for name in changed]
    findings += [SharingFinding(name, "", "no such file", _WHY) for name in missing]
    return [name for name in inside if name not in own], findings
