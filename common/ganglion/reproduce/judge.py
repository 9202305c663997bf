"""Mistakes in a table's file as one line: file, place, what was found, what is expected, how to mend it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError

_WORDS = {str: "text", bool: "true or false", dict: "an object", list: "a list", int: "a whole number"}
NUMBER = (int, float)


def texts(path: Path, place: str, content: Any) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(content, list) or not all(isinstance(each, str) for each in content):
        raise fault(path, place, repr(content), "a list of texts", "correct it")
    return tuple(content)


def judge_keys(path: Path, place: str, content: Any, known: Mapping[str, Any], needed: Collection[str] = ()) -> None:
    """Every key is known and holds what it should; those that are needed are there."""
    if not isinstance(content, dict):
        raise fault(path, place, repr(content), "an object", "correct it")
    for key, value in content.items():
        at = f"{place}, {key}" if place else key
        if key not in known:
            raise fault(path, at, "an unknown key", f"one of {', '.join(known)}", "correct or drop it")
        kinds = known[key] if isinstance(known[key], tuple) else (known[key],)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise fault(path, at, repr(value), " or ".join(_kind_words(kinds)), "correct it")
    missing = [key for key in needed if key not in content]
    if missing:
        raise fault(path, place, f"no {missing[0]}", f"{', '.join(needed)}", "add it")


def _kind_words(kinds: Sequence[type]) -> Iterator[str]:
    yield from ("a number" if kind is float else _WORDS[kind] for kind in kinds if not (kind is int and float in kinds))


def fault(path: Path, place: str, found: str, expected: str, mend: str) -> InputError:
    """The mistake as an error to raise."""
    where = f"{path}, {place}" if place else f"{path}"
    return InputError(f"{where}: found {found}, expected {expected}; {mend}.")
