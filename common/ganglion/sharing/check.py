"""May a bundle leave the house? Its parts must be there and agree: configs, library, weights, version, documents."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from ..data.json_files import unique_keys
from .contents import Contents, read_contents
from .findings import Refused, SharingFinding
from .library import library_name, library_targets, stray_names
from .metadata import METADATA, metadata_findings
from .scanning.configs import judge_configs
from .weights import network_findings, weights_findings

_MODEL_PATH = re.compile(r"(?<![\w/])models/[\w./-]*?\.pt(?![\w.])")


def check_bundle(bundle: str) -> tuple[Contents, dict[str, Any]]:
    """Look at every part of a bundle.

    Returns:
        The parts, and the content of metadata.json.

    Raises:
        Refused: names every reason why it may not be packed.
    """
    contents = read_contents(bundle)
    findings = list(contents.findings)
    configs: dict[str, Any] = {}
    for name in contents.configs:
        try:
            configs[name] = json.loads(
                (contents.root / name).read_text(encoding="utf-8"), object_pairs_hook=unique_keys
            )
        except ValueError as error:
            findings.append(SharingFinding(name, "", f"no JSON ({error})", "Correct the file."))
    _stop(bundle, findings)
    findings = metadata_findings(configs[METADATA])
    for name, config in configs.items():
        findings += [*stray_names(config, name, library_name()), *_target_findings(name, config)]
    findings += [*_document_findings(contents), *_scan(contents)]
    _stop(bundle, findings)
    _stop(bundle, weights_findings(contents) or network_findings(contents))
    return contents, configs[METADATA]


def _stop(bundle: str, findings: Sequence[SharingFinding]) -> None:
    if findings:
        raise Refused(f"{bundle} is not packed", findings)


def _scan(bundle: Contents) -> list[SharingFinding]:
    """What must not even run here: the checks that follow evaluate the configs."""
    return judge_configs({name: (bundle.root / name).read_bytes() for name in bundle.configs}, {library_name()})


def _target_findings(file: str, config: Any) -> list[SharingFinding]:
    """Names of the library in a config that the library does not have."""
    findings = []
    for key, target in library_targets(config, library_name()):
        module, _, attribute = target.rpartition(".")
        try:
            getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            findings.append(SharingFinding(file, key, target, f"The library does not have it ({error})."))
    return findings


def _document_findings(bundle: Contents) -> list[SharingFinding]:
    """Weights that a document speaks of and that are not there."""
    findings = []
    for name in (name for name in bundle.files if name.endswith(".md")):
        named = _MODEL_PATH.findall((bundle.root / name).read_text(encoding="utf-8"))
        missing = sorted(set(named) - set(bundle.weights))
        findings += [SharingFinding(name, "", path, "The bundle does not hold it.") for path in missing]
    return findings
