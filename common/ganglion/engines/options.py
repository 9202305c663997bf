"""Options of `python -m monai.bundle run` that no config has: MONAI would take them as new entries, in silence."""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Sequence
from pathlib import Path

from monai.bundle import ConfigParser, run
from monai.bundle.utils import DEFAULT_MLFLOW_SETTINGS

from ..errors import InputError

_PROGRAM = ("monai", "bundle", "__main__.py")


def check_options(arguments: Sequence[str]) -> None:
    """Hold the options of a command line against the entries of its config files.

    Only what was started as `python -m monai.bundle run` is looked at. A part of an entry, as in
    `--train#dataset#cache_rate`, is judged by the entry.

    Args:
        arguments: the process's, the program first.

    Raises:
        InputError: for an option that is none, with the one that was probably meant.
    """
    words = list(arguments)
    if Path(words[0]).parts[-3:] != _PROGRAM or words[1:2] != ["run"] or any("args_file" in word for word in words):
        return
    options = _options(words[2:])
    files = _files(options.get("config_file", ""))
    if not files or not all(Path(file).is_file() for file in files):
        return  # MONAI says what is wrong with them
    known = {str(key).lstrip("+") for file in files for key in ConfigParser.load_config_file(file)}
    known |= {*inspect.signature(run).parameters, *DEFAULT_MLFLOW_SETTINGS["configs"]}
    for name in options:
        entry = name.replace("::", "#").split("#")[0].lstrip("+")
        if entry not in known:
            near = difflib.get_close_matches(entry, sorted(known), n=1, cutoff=0.7)
            meant = f"; did you mean --{near[0]}?" if near else "."
            where = ", ".join(Path(file).name for file in files)
            raise InputError(f"unknown option --{name}{meant} The options are the entries of {where}.")


def _options(words: Sequence[str]) -> dict[str, str]:
    """Name and value of each `--name value` or `--name=value`."""
    found = {}
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            found[name] = value if equals else following
    return found


def _files(text: str) -> list[str]:
    """The files of `--config_file`: one, or a list as Python writes it."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return [text] if text else []
    return [str(one) for one in value] if isinstance(value, list | tuple) else [text]
