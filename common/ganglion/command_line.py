"""How a line of arguments becomes one call: read by type hints, refused whole if a part is unknown, one-line errors."""

from __future__ import annotations

import contextlib
import difflib
import functools
import inspect
import io
import os
import re
import sys
import traceback
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

import fire
from fire import decorators

from .command_help import help_page
from .errors import InputError, find_user_error, format_error

_HELP = ("-h", "--help")


class Failed(Exception):  # noqa: N818  a result, not a fault
    """Ends a command that has said itself what is wrong with the given exit code."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class Plan:
    """A command whose arguments were all understood and that has not run yet.

    Fire calls a command before it looks at the rest of the line. A command that only returns a plan has done
    nothing yet when a later argument turns out to be misspelt.
    """

    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action


def command(function: Callable[..., None]) -> Callable[..., Plan]:
    """Makes a function a command: its arguments are read by their type hints, and calling it gives a `Plan`.

    Without the hints Fire would guess, and turn a folder called `1` into a number.
    """
    hints = typing.get_type_hints(function)
    readers = {name: _reader(name, kind) for name, kind in hints.items() if name != "return"}

    @functools.wraps(function)
    def plan(*args: object, **kwargs: object) -> Plan:
        return Plan(functools.partial(function, *args, **kwargs))

    # The help shows `tuple` instead of `tuple[int, ...] | None`.
    signature = inspect.signature(function)
    shown = [each.replace(annotation=_plain(hints[each.name])) for each in signature.parameters.values()]
    plan.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    return decorators.SetParseFns(**readers)(plan)


def run(commands: object, program: str, arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code.

    Args:
        commands: an object whose methods are commands and whose attributes are groups of commands.
        program: the name to show in the help.
        arguments: the words after the program's name. `--debug` shows tracebacks, as does GANGLION_DEBUG=1.

    Returns:
        0, or the exit code of the error: 2 bad input, 3 diverged, 4 storage, 1 a fault of the program, 130 interrupted,
        141 if nobody reads the output any more.
    """
    words = [word for word in arguments if word != "--debug"]
    debug = len(words) < len(arguments) or os.environ.get("GANGLION_DEBUG", "0") not in ("", "0")
    try:
        _execute(commands, program, words)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Failed as failed:
        return failed.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    except Exception as error:  # noqa: BLE001  the last line of defence: every error ends in one line
        if debug:
            traceback.print_exc()
        return _report(error)
    return 0


def _report(error: Exception) -> int:
    """Prints an error in one line and returns its exit code."""
    known = find_user_error(error)
    if known is not None:
        sys.stderr.write(format_error(known) + "\n")
        return known.exit_code
    fault = f"{type(error).__name__}: {error}"
    sys.stderr.write(f"{format_error(RuntimeError(fault))}\nThis is a fault of the program; --debug shows where.\n")
    return 1


def _execute(commands: object, program: str, words: list[str]) -> None:
    """Shows help, or finds the command that the words name and runs it."""
    path = _command_path(commands, words)
    member = _find(commands, path)
    if any(word in _HELP for word in words) or (not callable(member) and len(path) == len(words)):
        sys.stdout.write(help_page(member, [program, *path]))
        return
    see = " ".join([program, *path, "--help"])
    if "--" in words:
        raise InputError(f"'--' is not understood here; see `{see}`")
    unknown = _unknown_option(member, words[len(path) :])
    if unknown is not None:
        raise InputError(f"unknown argument {unknown}{_suggestion(member, unknown)}; see `{see}`")
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            plan = fire.Fire(commands, command=words, name=program, serialize=lambda result: None)
    except fire.core.FireExit as end:
        raise InputError(f"{_reason(end, member)}; see `{see}`") from None
    if not isinstance(plan, Plan):
        raise InputError(f"{' '.join(words)!r} is not a command; see `{see}`")
    plan._action()


def _command_path(commands: object, words: Sequence[str]) -> list[str]:
    """The leading words that name a group or a command."""
    path: list[str] = []
    for word in words:
        member = None if word.startswith(("-", "_")) else getattr(_find(commands, path), word, None)
        if member is None or callable(_find(commands, path)):
            break
        path.append(word)
    return path


def _find(commands: object, path: Sequence[str]) -> object:
    """The group or command that a path of names leads to."""
    return functools.reduce(getattr, path, commands)


def _unknown_option(member: object, words: Sequence[str]) -> str | None:
    """The first `--name` that a command does not have."""
    if not callable(member):
        return None
    known = {name.replace("_", "-") for name in inspect.signature(member).parameters}
    names = [word.split("=")[0] for word in words if word.startswith("--")]
    return next((name for name in names if name[2:].replace("_", "-") not in known), None)


def _suggestion(member: object, word: str) -> str:
    """The name that was probably meant by an unknown one, as the end of a message."""
    if callable(member):
        names = {f"--{name}".replace("_", "-"): f"--{name}" for name in inspect.signature(member).parameters}
    else:
        names = {name: name for name in dir(member) if not name.startswith("_")}
    near = difflib.get_close_matches(word.replace("_", "-"), names, n=1, cutoff=0.7)
    return f"; did you mean {names[near[0]]}?" if near else ""


def _reason(end: fire.core.FireExit, member: object) -> str:
    """What Fire could not place, in one line."""
    said = end.trace.elements[-1].ErrorAsStr()
    if found := re.match(r"Could not consume arg: (\S+)", said):
        noun = "argument" if callable(member) or found[1].startswith("-") else "command"
        return f"unknown {noun} {found[1]}{_suggestion(member, found[1])}"
    if found := re.match(r"Missing required flags: \{'(\w+)'", said):
        return f"missing option --{found[1]}"
    if found := re.match(r"The function received no value for the required argument: (\w+)", said):
        return f"missing argument {found[1].upper()}"
    return str(said)


def _without_none(kind: Any) -> Any:
    """The type in `X | None`; any other type as it is."""
    if isinstance(kind, types.UnionType):
        return next(part for part in typing.get_args(kind) if part is not types.NoneType)
    return kind


def _plain(kind: Any) -> type:
    """The class of a type hint: `tuple` of `tuple[int, ...] | None`."""
    kind = _without_none(kind)
    return typing.get_origin(kind) or kind


def _reader(name: str, kind: Any) -> Callable[[str], object]:
    """Reads one argument as its hint states: str, int, float, bool or a tuple of them; any may be `| None`."""
    kind = _without_none(kind)
    many = typing.get_origin(kind) is tuple
    one = typing.get_args(kind)[0] if many else kind

    def read(text: str) -> object:
        if one is bool:
            if text in ("True", "False"):
                return text == "True"
            raise InputError(f"--{name} is a switch and takes no value, found {text!r}")
        try:
            return tuple(one(part) for part in text.strip("()[] ").split(",")) if many else one(text)
        except ValueError:
            nouns = {int: ("a whole number", "whole numbers"), float: ("a number", "numbers")}
            noun = f"{nouns[one][1]} with commas between" if many else nouns[one][0]
            raise InputError(f"{name} must be {noun}, found {text!r}") from None

    return read
