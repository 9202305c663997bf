"""What each file of a bundle is: configs and weights are read, text and pictures are let be, what runs is found."""

from __future__ import annotations

import re

from ..archive import archive_kind
from . import config_file, logging_conf, weight_files

CONFIG, LOGGING, WEIGHTS, PLAIN, CODE, ODD = "config", "logging", "weights", "plain", "code", "odd"

_PLAIN_NAMES = {"license", "notice", "authors", "citation", "readme", "sha256sums", "version", "changelog"}
_PLAIN_NAMES |= {".gitignore", ".gitattributes", ".gitkeep"}
_PLAIN_ENDINGS = (".md", ".txt", ".rst", ".csv", ".tsv", ".log", ".lock", ".bib", ".cff", ".toml")
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".nii", ".mha", ".nii.gz", ".pdf")
_CODE_ENDINGS = (
    *(".py", ".pyc", ".pyo", ".pyw", ".pyi", ".pyx", ".so", ".pyd", ".dll", ".dylib", ".egg", ".whl", ".ipynb"),
    *(".sh", ".bash", ".zsh", ".bat", ".cmd", ".ps1", ".exe", ".com", ".jar", ".js", ".html", ".htm", ".svg", ".vbs"),
    *(".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".dockerfile", ".desktop", ".app"),
)
_PROGRAM_MAGIC = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa", b"#!", b"!<arch>")
_EVENTS = re.compile(r"(^|/)events\.out\.tfevents\.[\w.-]+$")


def kind_of(name: str, head: bytes) -> str:
    """The kind of a file by its name, unless its first bytes say otherwise.

    Args:
        name: path inside the bundle.
        head: the first 512 bytes.
    """
    lower = name.lower().removesuffix(".previous")
    last = lower.rpartition("/")[2]
    if lower.endswith(_CODE_ENDINGS) or last in ("dockerfile", "makefile") or head.startswith(_PROGRAM_MAGIC):
        return CODE
    if lower.endswith(config_file.ENDINGS):
        return CONFIG
    if lower.endswith(logging_conf.ENDINGS):
        return LOGGING
    if lower.endswith(weight_files.ENDINGS):
        return WEIGHTS
    if lower.endswith(_PICTURES) or _EVENTS.search(lower):
        return PLAIN
    known = last in _PLAIN_NAMES or lower.endswith(_PLAIN_ENDINGS)
    return PLAIN if known and _is_text(head) else ODD


def _is_text(head: bytes) -> bool:
    """Whether bytes are text and no pickle or archive under another name."""
    return b"\x00" not in head and archive_kind(head) is None and not weight_files.looks_like_pickle(head)
