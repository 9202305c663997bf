"""Texts for people: command lines as they type them, paths without their folders, how a sentence begins."""

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any


def command_line(words: Iterable[str]) -> str:
    """Words as one line for a shell."""
    return " ".join(_quoted(word) for word in words)


def without_folders(text: str) -> str:
    """Text whose absolute paths have lost their folders, which may name people and places.

    A literal that an expression joins onto something (`@bundle_root + '/models/a.pt'`) is no whole path, and stays.
    """
    text = re.sub(r"""(?<=["'])(?<!\+ ["'])/(?:[^"'/\n]+/)+""", ".../", text)  # in quotes a folder may have blanks
    text = re.sub(r"""(?<![\w.])[A-Za-z]:[\\/]+(?:[^\s"'\\/]+[\\/]+)+""", ".../", text)
    return re.sub(r"""(?<![\w.])(?<!\+ ["'])/(?:[^\s'",/]+/)+""", ".../", text)


def without_folders_within(value: Any) -> Any:
    """The same for every text within lists and dictionaries; a text that is a path as a whole may hold blanks."""
    if isinstance(value, Mapping):
        return {without_folders(str(key)): without_folders_within(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders_within(part) for part in value]
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"(?:/|~[^/]*/|[A-Za-z]:[\\/])(?:[^\n\"',]*[\\/])?([^\n\"',\\/]+)[\\/]*", value)
    return f".../{whole.group(1)}" if whole else without_folders(value)


def capital(text: str) -> str:
    """A text that begins with a capital letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def _quoted(word: str) -> str:
    """Quote a word; a Python literal in double quotes, which reads better than its escape in single ones."""
    if "'" in word and not set(word) & set('"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)
