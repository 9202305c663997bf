"""Command lines as people type them."""

import re
import shlex
from collections.abc import Iterable


def command_line(words: Iterable[str]) -> str:
    """Words as one line for a shell."""
    return " ".join(_quoted(word) for word in words)


def without_folders(text: str) -> str:
    """Text whose absolute paths have lost their folders, which may name people and places."""
    return re.sub(r"""(?<![\w.])/(?:[^\s'",/]+/)+""", ".../", text)


def _quoted(word: str) -> str:
    """Quote a word; a Python literal in double quotes, which reads better than its escape in single ones."""
    if "'" in word and not set(word) & set('"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)
