"""Options of the command that are dictionaries, written as Python writes them."""

from __future__ import annotations

import ast
from typing import Any

from ..errors import InputError


def read_dictionary(option: str, text: str | None, example: str) -> dict[str, Any]:
    """The dictionary that a user wrote; empty if there is none.

    Args:
        option: its name, for the error.
        text: what was written.
        example: what could stand there, for the error.

    Raises:
        InputError: it is no dictionary with names as keys.
    """
    try:
        found = ast.literal_eval(text) if text else {}
    except (ValueError, SyntaxError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise InputError(f'{option}: found {text!r}, expected a dictionary as "{example}".')
    return found
