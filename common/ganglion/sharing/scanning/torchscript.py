"""The code in a TorchScript archive, as a syntax tree: TorchScript cannot import, but a few operators touch files."""

from __future__ import annotations

import ast
import warnings

Fault = tuple[str, str]
LARGEST = 16 * 2**20
_REFUSED = {"save", "load", "from_file", "classes", "ops", "hub", "jit", "package", "_C", "distributed", "utils"}
_OPERATORS = {"prim", "aten", "quantized", "torchvision"}
_WHY = "It may compute, not read or write files, and not call operators that come with other libraries."


def judge_script(content: bytes) -> list[Fault]:
    """What one file of an archive's code names beyond computing."""
    if len(content) > LARGEST:
        return [(f"{len(content)} bytes of code", f"At most {LARGEST} are read.")]
    try:
        text = content.decode("utf-8")
        # Names of classes may begin with what Python reads as a number.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return [(f"code that cannot be read ({type(error).__name__})", "What cannot be read cannot be judged.")]
    return list(dict.fromkeys(fault for node in ast.walk(tree) for fault in _judge(node)))


def _judge(node: ast.AST) -> list[Fault]:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal | ast.AsyncFunctionDef | ast.Lambda):
        return [(type(node).__name__, "TorchScript has no such thing.")]
    if isinstance(node, ast.Name) and node.id in ("open", "eval", "exec", "compile", "__import__"):
        return [(node.id, "TorchScript has no such thing.")]
    if not isinstance(node, ast.Attribute):
        return []
    root, *parts = _parts(node)
    name = ".".join([root, *parts])
    own = root == "torch" and parts[0] in _REFUSED
    other = root == "ops" and (
        parts[0] not in _OPERATORS or (parts[0] == "aten" and parts[1:2] and parts[1] in _REFUSED)
    )
    classes = root == "__torch__" and parts[:2] == ["torch", "classes"]
    return [(name, _WHY)] if own or other or classes else []


def _parts(node: ast.Attribute) -> list[str]:
    """The names in a chain of attributes, an empty one first if it does not begin with a name."""
    parts: list[str] = []
    current: ast.expr = node
    while isinstance(current, ast.Attribute):
        parts.append(current.attr)
        current = current.value
    return [current.id if isinstance(current, ast.Name) else "", *reversed(parts)]
