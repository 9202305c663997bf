"""References of configs: the text that MONAI will evaluate, and the ids that a text refers to."""

from __future__ import annotations

import re
from collections.abc import Sequence

SEPARATOR = "::"
LOCALS = "__local_refs"  # the name under which MONAI hands references to an expression
_REFERENCE = re.compile(r"@(?:\w*)(?:::\w*)*")
_RELATIVE = re.compile(r"(?:@|%)::+")


def normal(text: str) -> str:
    """A text with `#`, the older separator, replaced as MONAI does it everywhere, even inside quotes."""
    return text.replace("#", SEPARATOR)


def absolute(text: str, path: Sequence[str]) -> str:
    """A text with relative references, as `@##name`, made absolute: MONAI pastes the keys on the way into it.

    Args:
        text: a text of a config.
        path: the keys that lead to it.

    Raises:
        ValueError: a reference leads out of the file.
    """
    text = normal(text)
    keys = SEPARATOR.join(path).split(SEPARATOR)
    for prefix in sorted(set(_RELATIVE.findall(text)), reverse=True):
        length = prefix[1:].count(SEPARATOR)
        if length > len(keys):
            raise ValueError("a relative reference that leads out of the file")
        above = keys[: len(keys) - length]
        text = text.replace(prefix, prefix[0] + (SEPARATOR.join(above) + SEPARATOR if above else ""))
    return text


def has_relative(text: str) -> bool:
    """Whether a text holds a reference that is relative to its place."""
    return _RELATIVE.search(normal(text)) is not None


def referred_ids(text: str) -> list[str]:
    """The ids that an expression, or a text that is one reference, refers to; the text must be absolute."""
    found = list(dict.fromkeys(_REFERENCE.findall(text)))
    if not text.startswith("$"):
        found = [item for item in found if item == text]
    return [item[1:] for item in found]


def evaluated_text(text: str) -> str:
    """The Python text that MONAI evaluates for an absolute expression, which begins with `$`."""
    for item in sorted(set(_REFERENCE.findall(text)), key=len, reverse=True):
        text = text.replace(item, f"{LOCALS}['{item[1:]}']")
    return text[1:]
