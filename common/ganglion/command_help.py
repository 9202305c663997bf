"""The help of a command or a group, made of its docstring and its signature: usage, arguments, options, examples."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

WIDTH = 100
_INDENT = "    "
_MEANINGS = {int: "N", float: "X", tuple: "A,B"}  # what stands for a value; a text is called like its option
_END = "Each command takes --help and --debug, which shows where an error arose. In names of options - and _ are alike."


def help_page(member: object, words: Sequence[str]) -> str:
    """The page of a command or a group.

    Args:
        member: the function of a command, or the object of a group.
        words: how it is called, the program first.
    """
    summary, description, arguments, examples = read_docstring(inspect.getdoc(member) or "")
    page = [*_wrapped(f"{' '.join(words)} - {summary}", "")]
    if callable(member):
        page += ["", "USAGE", *_wrapped(_usage(member, words), _INDENT, _INDENT * 2)]
        page += _paragraphs(description)
        page += _listed("ARGUMENTS", _arguments(member, arguments))
        page += _listed("OPTIONS", _options(member, arguments))
    else:
        page += ["", "USAGE", f"{_INDENT}{' '.join(words)} COMMAND", *_paragraphs(description)]
        page += _listed("COMMANDS", list(_commands(member)))
        page += _paragraphs([_END])
    if examples:
        page += ["", "EXAMPLES", *(f"{_INDENT}{line}" for line in examples)]
    return "\n".join(page) + "\n"


def read_docstring(text: str) -> tuple[str, list[str], dict[str, str], list[str]]:
    """The parts of a docstring in Google's form: summary, paragraphs, meaning of each argument, examples."""
    head, *sections = re.split(r"^(Args|Examples?):\n", text, flags=re.M)
    blocks = dict(zip(sections[::2], (textwrap.dedent(block) for block in sections[1::2]), strict=True))
    summary, *description = [" ".join(part.split()) for part in head.strip().split("\n\n")]
    arguments: dict[str, str] = {}
    name = ""
    for line in blocks.get("Args", "").splitlines():
        found = re.match(r"(\w+): (.*)", line)
        if found:
            name = found.group(1)
            arguments[name] = found.group(2)
        elif line.strip():
            arguments[name] += " " + line.strip()
    examples = [line for key in ("Example", "Examples") for line in blocks.get(key, "").splitlines() if line.strip()]
    return summary, description, arguments, examples


def _usage(command: Callable[..., Any], words: Sequence[str]) -> str:
    parameters = inspect.signature(command).parameters.values()
    needed = [each for each in parameters if each.default is each.empty]
    named = [f"--{each.name} {_value(each)}" for each in needed if each.kind is each.KEYWORD_ONLY]
    placed = [each.name.upper() for each in needed if each.kind is not each.KEYWORD_ONLY]
    more = ["[options]"] if len(needed) < len(parameters) else []
    return " ".join([*words, *placed, *named, *more])


def _arguments(command: Callable[..., Any], meanings: dict[str, str]) -> list[tuple[str, str]]:
    parameters = inspect.signature(command).parameters.values()
    placed = [each for each in parameters if each.kind is not each.KEYWORD_ONLY]
    return [(each.name.upper(), meanings.get(each.name, "")) for each in placed]


def _options(command: Callable[..., Any], meanings: dict[str, str]) -> list[tuple[str, str]]:
    rows = []
    for each in inspect.signature(command).parameters.values():
        if each.kind is each.KEYWORD_ONLY:
            rows.append((f"--{each.name} {_value(each)}".rstrip(), meanings.get(each.name, "") + _default(each)))
    return rows


def _value(parameter: inspect.Parameter) -> str:
    if parameter.annotation is bool:
        return ""
    return _MEANINGS.get(parameter.annotation, parameter.name.upper())


def _default(parameter: inspect.Parameter) -> str:
    """The default in words, where it says something."""
    default = parameter.default
    if default is parameter.empty:
        return " (must be given)"
    if default is None or default is False or default == ():
        return ""
    return f" (default: {','.join(map(str, default)) if isinstance(default, tuple) else default})"


def _commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    for name in sorted(name for name in dir(group) if not name.startswith("_")):
        member = getattr(group, name)
        if callable(member):
            yield " ".join([*path, name]), read_docstring(inspect.getdoc(member) or "")[0]
        elif type(member).__module__ != "builtins":
            yield from _commands(member, (*path, name))


def _listed(title: str, rows: Sequence[tuple[str, str]]) -> list[str]:
    """A title and rows of a name and its meaning, meanings below each other."""
    if not rows:
        return []
    room = min(30, max(len(name) for name, _ in rows)) + 2
    lines = ["", title]
    for name, meaning in rows:
        start = f"{_INDENT}{name:<{room}}" if len(name) < room else f"{_INDENT}{name}\n{_INDENT}{'':<{room}}"
        body = textwrap.wrap(meaning, WIDTH - room - len(_INDENT), break_on_hyphens=False) or [""]
        rest = [f"{_INDENT}{'':<{room}}{line}" for line in body[1:]]
        lines += [*f"{start}{body[0]}".rstrip().splitlines(), *rest]
    return lines


def _paragraphs(paragraphs: Sequence[str]) -> list[str]:
    return [line for paragraph in paragraphs for line in ("", *_wrapped(paragraph, ""))]


def _wrapped(text: str, indent: str, later: str | None = None) -> list[str]:
    later = indent if later is None else later
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=later, break_on_hyphens=False)
