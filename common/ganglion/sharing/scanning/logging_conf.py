"""logging.conf: `logging.config.fileConfig` evaluates `class`, `args` and `kwargs` as Python, before all else."""

from __future__ import annotations

import ast
import configparser
from collections.abc import Iterator

Fault = tuple[str, str, str]  # section and option, what was found, why it is refused
ENDINGS = (".conf", ".ini", ".cfg")

_HANDLERS = {"StreamHandler", "NullHandler", "logging.StreamHandler", "logging.NullHandler"}
_CLASSES = {"handler_": _HANDLERS, "formatter_": {"logging.Formatter"}}
_STREAMS = {"sys.stdout", "sys.stderr"}
_EVALUATED = ("args", "kwargs")
_WHY_CLASS = "It is looked up as code; expected StreamHandler, NullHandler or logging.Formatter, which write no file."
_WHY_ARGUMENTS = "It is evaluated as code; expected plain values, sys.stdout or sys.stderr."


def judge_logging(content: bytes) -> list[Fault]:
    """Everything in a logging configuration that runs, writes files or opens the network."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(content.decode("utf-8"))
    except (configparser.Error, ValueError, RecursionError) as error:
        found = f"a file that cannot be read ({type(error).__name__})"
        return [("", found, "What cannot be read cannot be judged; expected an INI file as logging reads it.")]
    faults: list[Fault] = []
    for section in (parser.default_section, *parser.sections()):
        options = parser.defaults() if section == parser.default_section else dict(parser.items(section))
        for option, value in options.items():
            faults += [(f"{section}#{option}", found, why) for found, why in _judge_option(section, option, value)]
    return list(dict.fromkeys(faults))


def _judge_option(section: str, option: str, value: str) -> Iterator[tuple[str, str]]:
    formats = section.startswith("formatter_") and option in ("format", "datefmt")
    if option in ("class", "factory"):
        allowed = _CLASSES.get(section[: section.find("_") + 1], set())
        if value.strip() not in allowed:
            yield value, _WHY_CLASS
    elif option in _EVALUATED:
        if not _is_plain(value):
            yield value, _WHY_ARGUMENTS
    elif option == "style" and value.strip() != "%":
        yield value, "Only the style % takes no attributes of what is logged."
    elif not formats and "%(" in value:
        yield value, "It is pasted together from other options."


def _is_plain(text: str) -> bool:
    """Whether a text is a tuple or dictionary of plain values and of the two streams."""
    if "%(" in text:
        return False
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        return all(_is_plain_node(node) for node in _outer(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _outer(node: ast.AST) -> Iterator[ast.AST]:
    """A node and those in it, without looking into the names of the streams."""
    yield node
    if ast.unparse(node) not in _STREAMS if isinstance(node, ast.Attribute) else True:
        for child in ast.iter_child_nodes(node):
            yield from _outer(child)


def _is_plain_node(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return ast.unparse(node) in _STREAMS
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bool | int | float | None | str) and not _is_path(node.value)
    return isinstance(node, ast.Tuple | ast.List | ast.Dict | ast.Set | ast.Load | ast.UnaryOp | ast.USub)


def _is_path(value: object) -> bool:
    """Whether a text could be the name of a file that a handler opens."""
    return isinstance(value, str) and any(char in value for char in "/\\~")
