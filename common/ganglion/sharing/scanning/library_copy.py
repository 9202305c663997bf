"""The copy of the library in a bundle: trusted only if it is, byte for byte, the library that scans."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..findings import SharingFinding
from ..library import library_files, versioned_name

_WHY = (
    "A bundle's library runs as soon as the bundle does. This one is not what this version of it holds: "
    "get the bundle from where it was published."
)


def judge_library_copy(names: Collection[str], contents: Mapping[str, bytes]) -> tuple[set[str], list[SharingFinding]]:
    """Compares the library's folder in a bundle with the library that scans.

    Args:
        names: paths of all files of the bundle.
        contents: the bytes of those that lie in the library's folder.

    Returns:
        The paths that need no further look, and what differs.
    """
    folder = versioned_name()
    own = {f"{folder}/{name}": content for name, content in library_files().items()}
    inside = [name for name in names if name.startswith(f"{folder}/")]
    same = {name for name in inside if name in own and contents.get(name) == own[name]}
    findings = [
        SharingFinding(name, "", "code that is not the library's" if name not in own else "changed code", _WHY)
        for name in inside
        if name not in same
    ]
    missing = sorted(own.keys() - set(inside)) if inside else []
    findings += [SharingFinding(name, "", "no such file", _WHY) for name in missing]
    return same, findings
