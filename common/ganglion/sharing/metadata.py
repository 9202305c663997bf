"""metadata.json against MONAI's schema, which is shipped: nothing is fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .findings import SharingFinding

SCHEMA_FILE = Path(__file__).with_name("metadata_schema.json")
METADATA = "configs/metadata.json"


def metadata_findings(metadata: Any) -> list[SharingFinding]:
    """Where the content of a metadata.json does not fit the schema, and where its version and changelog disagree."""
    from jsonschema import Draft201909Validator

    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    faults = sorted(Draft201909Validator(schema).iter_errors(metadata), key=lambda fault: list(map(str, fault.path)))
    why = "MONAI's schema of 2024-07-25 does not take it."
    findings = [SharingFinding(METADATA, "#".join(map(str, fault.path)), fault.message, why) for fault in faults]
    return findings or _version_findings(metadata)


def _version_findings(metadata: Mapping[str, Any]) -> list[SharingFinding]:
    """The bundle's version has to be the newest of its changelog."""
    version, changelog = metadata["version"], metadata.get("changelog", {})
    if read_version(version) is None:
        return [SharingFinding(METADATA, "version", repr(version), "Expected three numbers, as 0.1.0.")]
    unread = [name for name in changelog if read_version(name) is None]
    if unread or not changelog:
        found = repr(unread[0]) if unread else "no entry"
        return [SharingFinding(METADATA, "changelog", found, "Expected an entry for each version, as 0.1.0.")]
    newest = max(changelog, key=lambda name: read_version(name) or ())
    if read_version(newest) != read_version(version):
        why = f"The newest entry of the changelog is {newest}: write an entry for {version}, or correct the version."
        return [SharingFinding(METADATA, "version", version, why)]
    return []


def read_version(text: str) -> tuple[int, ...] | None:
    """The numbers of a version such as 0.1.0; None for anything else."""
    parts = text.split(".")
    plain = len(parts) == 3 and all(part.isascii() and part.isdigit() and str(int(part)) == part for part in parts)
    return tuple(map(int, parts)) if plain else None
