"""Files that hold weights, judged by what they are and not by what they are called."""

from __future__ import annotations

import io
import re
import zipfile

from ..archive import LIMITS, ZIP_MAGIC, ArchiveFault, read_entry
from .pickles import judge_pickle
from .tables import judge_numpy, judge_onnx, judge_safetensors
from .torchscript import judge_script

Fault = tuple[str, str, str]  # the part of the file, what was found, why it is refused
PICKLE_ENDINGS = (".pt", ".pth", ".ckpt", ".ts", ".pkl", ".pickle", ".bin", ".pt2", ".joblib", ".dill")
ENDINGS = (*PICKLE_ENDINGS, ".npy", ".npz", ".safetensors", ".onnx")

_NUMPY_MAGIC = b"\x93NUMPY"
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # begins what torch wrote before it wrote zips
_LEGACY_PICKLES = 5
_DATA = re.compile(r"(data|constants|tensors)/\d+")
_PROGRAM_DATA = re.compile(r"data/(weights|constants)/\w+")  # numbers, or files of torch's for odd tensors
_TEXT = re.compile(
    r"version|byteorder|archive_(format|version)|\.?data/(version|serialization_id)|\.format_version|\.storage_alignment"
    r"|[\w./-]*\.json|extra/[\w./-]+"
)
_NO_PICKLE = "Expected weights as torch or safetensors write them."


def judge_weights(name: str, content: bytes, depth: int = 0) -> list[Fault]:
    """Everything in a file of weights that could run when it is read.

    Args:
        name: of the file, whose ending says what it should be.
        content: its bytes; a zip among them was found sound by `archive.nested_findings`.
        depth: how many archives it lies in.
    """
    lower = name.lower()
    if lower.endswith(".safetensors"):
        return _named("", judge_safetensors(content))
    if content.startswith(_NUMPY_MAGIC):
        return _named("", judge_numpy(content))
    if content.startswith(ZIP_MAGIC):
        return _judge_zip(content, depth)
    if lower.endswith(".onnx"):
        return _named("", judge_onnx(content))
    if lower.endswith((".npy", ".npz")):
        return [("", "no NumPy file", "NumPy would read it as a pickle, which runs code.")]
    return _named("", _judge_stream(content))


def looks_like_pickle(content: bytes) -> bool:
    """Whether a file begins as the pickles of today do."""
    return len(content) > 2 and content[0] == 0x80 and content[1] in (2, 3, 4, 5)


def _judge_stream(content: bytes) -> list[tuple[str, str]]:
    """One pickle, or the five that torch wrote before its zips, with raw numbers behind them."""
    legacy = content[:2] == b"\x80\x02" and content[2:13] == b"\x8a\x0a" + _LEGACY_MAGIC.to_bytes(10, "little")[:9]
    faults, end = judge_pickle(content)
    place = end
    for _ in range(_LEGACY_PICKLES - 1 if legacy else 0):
        more, length = judge_pickle(content[place:])
        faults += more
        place += length
    if not legacy and place < len(content):
        faults.append(("bytes behind the end of the pickle", _NO_PICKLE))
    return list(dict.fromkeys(faults))


def _judge_zip(content: bytes, depth: int) -> list[Fault]:
    """What torch writes as a zip: pickles that name tensors, raw numbers, and the code of TorchScript."""
    faults: list[Fault] = []
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [entry.filename for entry in archive.infolist()]
            script = any("/code/" in name or name.startswith("code/") for name in names)
            numpy = bool(names) and all(name.endswith(".npy") for name in names)
            for entry in archive.infolist():
                inner = entry.filename if numpy else entry.filename.partition("/")[2]
                if entry.file_size <= LIMITS.total:
                    faults += _judge_entry(entry, inner, archive, script, depth)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, ArchiveFault) as error:
        return [*faults, ("", f"a damaged archive ({error})", "What cannot be read cannot be judged.")]
    return faults


def _judge_entry(entry: zipfile.ZipInfo, inner: str, archive: zipfile.ZipFile, script: bool, depth: int) -> list[Fault]:
    """One entry of a zip that torch or NumPy wrote, by its name below the zip's own folder."""
    if entry.is_dir() or _DATA.fullmatch(inner) or _TEXT.fullmatch(inner):
        return []
    content = b"".join(read_entry(archive, entry))
    if _PROGRAM_DATA.fullmatch(inner) and not content.startswith(ZIP_MAGIC):
        return []
    if inner.endswith((".pkl", ".debug_pkl")):
        faults, end = judge_pickle(content, script)
        if end != len(content):
            faults.append(("bytes behind the end of the pickle", _NO_PICKLE))
        return _named(inner, faults)
    if script and re.fullmatch(r"code/[\w./]+\.py", inner):
        return _named(inner, judge_script(content))
    if depth < 2 and (inner.endswith((".npy", ".pt")) or _PROGRAM_DATA.fullmatch(inner)):
        nested = judge_weights(inner, content, depth + 1)
        return [(f"{inner}#{part}" if part else inner, found, why) for part, found, why in nested]
    return [(entry.filename, "an entry that torch does not write", _NO_PICKLE)]


def _named(part: str, faults: list[tuple[str, str]]) -> list[Fault]:
    return [(part, found, why) for found, why in faults]
