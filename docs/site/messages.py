"""Every message of the package's errors, read from the source without running it.

A message is a template: what is known when the code is written stands there, what is not is `…`.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HOLE = "…"
PLAIN = ("InputError", "DivergedError", "StorageError", "GanglionError", "HeldError", "LostProcessError", "NotSafe")
IN_PARTS = ("FileError", "Finding")  # file, found, expected, how to mend it


@dataclass(frozen=True)
class Message:
    """A message of the code: the module that has it, and its text with `…` for what is put in."""

    module: str
    text: str


def of_package(package: Path) -> list[Message]:
    """The messages of all modules in their order; what says nothing by itself is left out."""
    found: list[Message] = []
    for file in sorted(package.rglob("*.py")):
        module = ".".join(file.relative_to(package).with_suffix("").parts)
        for text in _of_module(ast.parse(file.read_text(encoding="utf-8"))):
            words = set(re.findall(r"[A-Za-z]{2,}", text)) - {"found", "expected"}
            if len(words) > 1 and Message(module, text) not in found:
                found.append(Message(module, text))
    return found


def _of_module(tree: ast.Module) -> Iterator[str]:
    constants = {
        target.id: _text(node.value, {})
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value, ast.Constant | ast.JoinedStr | ast.BinOp)
    }
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.Module):
            known = constants | _assigned(function, constants)
            yield from _of_body(function, known)


def _assigned(function: ast.FunctionDef | ast.Module, constants: dict[str, str]) -> dict[str, str]:
    """The texts that a function gives a name once, as `mend = "..."`."""
    texts: dict[str, list[str]] = {}
    for node in _own_nodes(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    texts.setdefault(target.id, []).append(_text(node.value, constants))
    return {name: said[0] for name, said in texts.items() if len(said) == 1}


def _of_body(function: ast.FunctionDef | ast.Module, known: dict[str, str]) -> Iterator[str]:
    calls = [node for node in _own_nodes(function) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        name, parts = call.func.id, [_text(part, known) for part in call.args]  # type: ignore[attr-defined]
        if name in PLAIN and parts:
            yield _tidy(parts[0])
        elif name in IN_PARTS and len(parts) >= 4:
            yield _tidy(f"{HOLE}: found {parts[1]}, expected {parts[2]}. {parts[3]}")


def _own_nodes(function: ast.FunctionDef | ast.Module) -> Iterator[ast.AST]:
    """The nodes of a function without those of the functions inside it; of a module, what stands in no function."""
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef):
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def _text(node: ast.expr, known: dict[str, str]) -> str:
    """The text of an expression, `…` where it is not known from the source."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else HOLE
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else _hole(part, known) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left, known) + _text(node.right, known)
    return known.get(node.id, HOLE) if isinstance(node, ast.Name) else HOLE


def _hole(part: ast.expr, known: dict[str, str]) -> str:
    inner = part.value if isinstance(part, ast.FormattedValue) else part
    return known.get(inner.id, HOLE) if isinstance(inner, ast.Name) and inner.id.isupper() else HOLE


def _tidy(text: str) -> str:
    """Neighbouring holes are one."""
    return re.sub(rf"{HOLE}(?:\W?{HOLE})*", HOLE, text) if HOLE * 2 in text else text
