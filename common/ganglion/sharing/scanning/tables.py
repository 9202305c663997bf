"""Files of weights that are tables and no programs: safetensors, NumPy arrays, ONNX; are they only that?"""

from __future__ import annotations

import ast
import json
import math
import re
import struct
from itertools import pairwise
from typing import Any

Fault = tuple[str, str]
_SIZES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4}
_SIZES |= {"U32": 4, "F32": 4, "F64": 8, "I64": 8, "U64": 8, "C64": 8}
_LARGEST_HEADER = 100_000_000
_DAMAGED = "It is not what its name says, or damaged; fetch it again."
_LOCATION = re.compile(rb"\x0a\x08location\x12(.)", re.DOTALL)


def judge_safetensors(content: bytes) -> list[Fault]:
    """The header of a safetensors file: names, types, shapes and places that fit the bytes behind it exactly."""
    if len(content) < 8:
        return [("a safetensors file without a header", _DAMAGED)]
    (length,) = struct.unpack_from("<Q", content)
    if length > min(_LARGEST_HEADER, len(content) - 8):
        return [(f"a header of {length} bytes in a file of {len(content)}", _DAMAGED)]
    try:
        header = json.loads(content[8 : 8 + length].decode("utf-8"), object_pairs_hook=_unique)
        if not isinstance(header, dict) or content[8:9] != b"{":
            raise ValueError("the header is no table")
        notes = header.pop("__metadata__", {})
        if not isinstance(notes, dict) or not all(isinstance(value, str) for value in notes.values()):
            raise ValueError("the notes are not all texts")
        places = sorted(_tensor_place(name, entry) for name, entry in header.items())
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        return [(f"a header that cannot be read ({error})", _DAMAGED)]
    edges = [(0, 0), *places, (len(content) - 8 - length,) * 2]
    if any(before[1] != after[0] for before, after in pairwise(edges)):
        return [("tensors that overlap, or bytes that belong to none", _DAMAGED)]
    return []


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def _tensor_place(name: str, entry: Any) -> tuple[int, int]:
    """Where a tensor lies, if its type, shape and place agree."""
    begin, end = entry["data_offsets"]
    shape = entry["shape"]
    numbers = [begin, end, *shape]
    if not all(type(number) is int and 0 <= number < 2**48 for number in numbers) or len(shape) > 32:
        raise ValueError(f"the place or shape of {name}")
    if math.prod(shape) * _SIZES[entry["dtype"]] != end - begin:
        raise ValueError(f"the size of {name}")
    return begin, end


def judge_numpy(content: bytes) -> list[Fault]:
    """The header of a NumPy file: a type without objects, which are pickles, and a shape that fits the bytes."""
    try:
        major = content[6]
        start, width = (10, "<H") if major == 1 else (12, "<I")
        (length,) = struct.unpack_from(width, content, 8)
        if major not in (1, 2, 3) or length > 65_536:
            raise ValueError("its version or length")
        header = ast.literal_eval(content[start : start + length].decode("utf-8").strip())
        kind, shape = header["descr"], header["shape"]
        if not _is_plain_type(kind):
            return [(f"the type {kind!r}", "Objects are pickles, which run code when they are read.")]
        size = re.search(r"\d+$", kind) if isinstance(kind, str) else None
        numbers = all(type(number) is int and number >= 0 for number in shape)
        width_of_one = int(size.group()) * (4 if isinstance(kind, str) and "U" in kind else 1) if size else None
        if not numbers or (width_of_one and math.prod(shape) * width_of_one != len(content) - start - length):
            raise ValueError("its shape")
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        SyntaxError,
        struct.error,
        RecursionError,
        MemoryError,
    ) as error:
        return [(f"a NumPy header that cannot be read ({error})", _DAMAGED)]
    return []


def _is_plain_type(kind: Any) -> bool:
    """Whether a type description holds numbers, truth values and texts only."""
    if isinstance(kind, str):
        return re.fullmatch(r"[<>|=]?[biufcSUVmM?]\d*(\[\w+\])?", kind) is not None
    return isinstance(kind, list) and all(isinstance(part, tuple) and _is_plain_type(part[1]) for part in kind)


def judge_onnx(content: bytes) -> list[Fault]:
    """Where an ONNX file keeps its tensors: inside, or in a file of the same folder."""
    faults = []
    for match in _LOCATION.finditer(content):
        place = content[match.end() : match.end() + match.group(1)[0]].decode("utf-8", "replace")
        if re.search(r"^[/\\~]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)", place):
            faults.append((f"tensors kept in {place!r}", "They may lie in the bundle only."))
    return faults
