"""One `$` expression or import of a config, read as a syntax tree against the allow-list; it is never evaluated."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from .allowed import ALIASES, ATTRIBUTES, BUILTINS, GIVEN, MODULES
from .calls import is_environment_variable, judge_call
from .literals import judge_text
from .names import refuse_name
from .references import LOCALS

LONGEST = 4_000  # characters of one expression
DEEPEST = 60  # levels of nesting
Fault = tuple[str, str]  # what was found, and why it is refused

_OPERATORS = (ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context)
_PLAIN = (
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.List, ast.Tuple, ast.Set, ast.Dict),
    *(ast.Slice, ast.Starred, ast.keyword, ast.JoinedStr, ast.FormattedValue, ast.Constant),
)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass
class Scope:
    """What names mean in the expressions of a bundle.

    Attributes:
        imported: for each name that an import of any config binds, all that it may stand for.
        libraries: names under which the library that scans is known here.
        held: names that a lambda or a comprehension binds around the place that is looked at.
    """

    imported: Mapping[str, Collection[str]] = field(default_factory=dict)
    libraries: Collection[str] = ()
    held: frozenset[str] = frozenset()

    def meanings(self, name: str) -> set[str]:
        """The dotted names that a name may stand for; none for a name of the expression itself or an unknown one."""
        if name in self.held:
            return set()
        return {*self.imported.get(name, ()), *([GIVEN[name]] if name in GIVEN else [])}


def parse(text: str) -> ast.Expression | ast.Import | ast.ImportFrom | Fault:
    """The tree of an expression without its `$`; a fault if Python, or this scan, would not read it."""
    if len(text) > LONGEST:
        return f"{len(text)} characters of code", f"At most {LONGEST} are read."
    if not text.isascii():
        return text, "Characters beyond ASCII make names look like others; an expression has none."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text).body
            first = body[0] if body else None
            if isinstance(first, ast.Import | ast.ImportFrom):
                return first if len(body) == 1 else (text, "An import stands alone.")
            return ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return text or "nothing", "It cannot be read as one Python expression."


def bound_names(tree: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """What an import binds: each name with the dotted name that it stands for."""
    if isinstance(tree, ast.Import):
        return {alias.asname or alias.name: alias.name for alias in tree.names}
    return {alias.asname or alias.name: f"{tree.module}.{alias.name}" for alias in tree.names}


def judge_import(tree: ast.Import | ast.ImportFrom, scope: Scope) -> list[Fault]:
    """What is refused about an import: the module, what is taken from it, and another name for it."""
    faults = []
    level = 0 if isinstance(tree, ast.Import) else tree.level
    for name, target in bound_names(tree).items():
        shown, last = ast.unparse(tree), target.rpartition(".")[2]
        why = None if target in MODULES or target in scope.libraries else refuse_name(target, scope.libraries, True)
        if level or name.startswith("_"):
            why = "A config imports modules by their full names."
        elif why is None and name not in (target, last) and (target, name) not in ALIASES:
            why = "Under another name it could stand for something else; import it under its own."
        elif why is None and (name in BUILTINS or GIVEN.get(name, target) != target):
            why = "It takes the place of a name that every expression has."
        faults += [(shown, why)] if why else []
    return faults


def judge_expression(text: str, scope: Scope) -> list[Fault]:
    """Everything in an expression (its evaluated text, without `$`) that is not on the allow-list."""
    tree = parse(text)
    if isinstance(tree, tuple):
        return [tree]
    if isinstance(tree, ast.Import | ast.ImportFrom):
        return judge_import(tree, scope)
    try:
        return list(dict.fromkeys(_Judge().judge(tree.body, scope, 0)))
    except RecursionError:
        return [("an expression nested too deep", f"At most {DEEPEST} levels are read.")]


class _Judge:
    """Walks one tree; each kind of node has a rule, and a kind without a rule is a fault."""

    def judge(self, node: ast.AST, scope: Scope, depth: int) -> list[Fault]:
        if depth > DEEPEST:
            return [("an expression nested too deep", f"At most {DEEPEST} levels are read.")]
        if isinstance(node, ast.Name | ast.Attribute):
            return self._name(node, scope, depth)
        if isinstance(node, ast.Call):
            return self._call(node, scope, depth)
        if isinstance(node, ast.Lambda):
            return self._lambda(node, scope, depth)
        if isinstance(node, _COMPREHENSIONS):
            return self._comprehension(node, scope, depth)
        if isinstance(node, ast.Subscript):
            return self._subscript(node, scope, depth)
        if isinstance(node, ast.Constant | ast.BinOp) and (faults := _judge_size(node)):
            return faults
        if isinstance(node, (*_PLAIN, *_OPERATORS)):
            return self._children(node, scope, depth)
        return [(_shown(node), f"{type(node).__name__} has no place in a config.")]

    def _subscript(self, node: ast.Subscript, scope: Scope, depth: int) -> list[Fault]:
        """Something in brackets: a reference as MONAI spells it, a variable of the environment, or part of a value."""
        if isinstance(node.value, ast.Name) and node.value.id == LOCALS:
            return [] if isinstance(node.slice, ast.Constant) else [(_shown(node), "It builds a reference.")]
        if is_environment_variable(node, dotted_names(node.value, scope)):
            return []
        return self._children(node, scope, depth)

    def _children(self, node: ast.AST, scope: Scope, depth: int) -> list[Fault]:
        return [fault for child in ast.iter_child_nodes(node) for fault in self.judge(child, scope, depth + 1)]

    def _name(self, node: ast.Name | ast.Attribute, scope: Scope, depth: int) -> list[Fault]:
        """A name, or a chain of attributes: what it begins with is known, or is an object that the config made."""
        root: ast.expr = node
        attributes: list[str] = []
        while isinstance(root, ast.Attribute):
            attributes.insert(0, root.attr)
            root = root.value
        if not isinstance(root, ast.Name):
            return self.judge(root, scope, depth + 1) + _judge_attributes(attributes, node)
        if root.id in scope.held:
            return _judge_attributes(attributes, node)
        meanings = scope.meanings(root.id)
        if not meanings and root.id in BUILTINS:
            return _judge_attributes(attributes, node)
        if not meanings:
            return [(_shown(node), refuse_name(root.id, scope.libraries, True) or "No such name is known here.")]
        return [fault for meaning in sorted(meanings) for fault in _judge_dotted(meaning, attributes, node, scope)]

    def _call(self, node: ast.Call, scope: Scope, depth: int) -> list[Fault]:
        verdict = judge_call(node, dotted_names(node.func, scope), _is_of_object(node.func, scope))
        faults, inner = list(verdict.faults), list[ast.AST]()
        if "function" in verdict.judge:
            if not isinstance(node.func, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
                faults.append((_shown(node), "What is called here has no name."))
            inner.append(node.func)
        if "receiver" in verdict.judge and isinstance(node.func, ast.Attribute):
            inner.append(node.func.value)
        if "arguments" in verdict.judge:
            inner += [*node.args, *node.keywords]
        return faults + [fault for child in inner for fault in self.judge(child, scope, depth + 1)]

    def _lambda(self, node: ast.Lambda, scope: Scope, depth: int) -> list[Fault]:
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [extra for extra in (arguments.vararg, arguments.kwarg) if extra is not None]
        faults, inside = _bind([argument.arg for argument in every], node, scope)
        defaults = [default for default in [*arguments.defaults, *arguments.kw_defaults] if default is not None]
        faults += [fault for default in defaults for fault in self.judge(default, scope, depth + 1)]
        return faults + self.judge(node.body, inside, depth + 1)

    def _comprehension(self, node: ast.expr, scope: Scope, depth: int) -> list[Fault]:
        faults: list[Fault] = []
        inside = scope
        for part in node.generators:  # type: ignore[attr-defined]
            targets = [child for child in ast.walk(part.target) if not isinstance(child, ast.expr_context)]
            if part.is_async or not all(isinstance(child, ast.Name | ast.Tuple | ast.List) for child in targets):
                return [(_shown(node), "A loop in a config only names what it goes through.")]
            faults += self.judge(part.iter, inside, depth + 1)
            more, inside = _bind([child.id for child in targets if isinstance(child, ast.Name)], node, inside)
            faults += more + [fault for test in part.ifs for fault in self.judge(test, inside, depth + 1)]
        values = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]  # type: ignore[attr-defined]
        return faults + [fault for value in values for fault in self.judge(value, inside, depth + 1)]


def dotted_names(node: ast.expr, scope: Scope) -> set[str]:
    """The dotted names that a name or a chain of attributes may stand for, imports resolved."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id in scope.held:
        return set()
    meanings = scope.meanings(node.id) or {node.id}
    return {".".join([meaning, *attributes]) for meaning in meanings}


def _is_of_object(node: ast.expr, scope: Scope) -> bool:
    """Whether a chain of attributes begins with an object that the config made, and not with a module or a function."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return not isinstance(node, ast.Name) or node.id in scope.held


def _bind(names: list[str], node: ast.AST, scope: Scope) -> tuple[list[Fault], Scope]:
    """The scope inside a lambda or a loop; a fault if one of its names hides another."""
    hidden = [name for name in names if scope.meanings(name) or name in BUILTINS or name.startswith(LOCALS)]
    faults = [(_shown(node), f"It gives the name {name} another meaning.") for name in hidden]
    return faults, Scope(scope.imported, scope.libraries, scope.held | set(names))


def _judge_dotted(meaning: str, attributes: list[str], node: ast.expr, scope: Scope) -> list[Fault]:
    """A chain that begins with a module or with what was imported: some beginning of it must be allowed."""
    for length in range(len(attributes), -1, -1):
        if refuse_name(".".join([meaning, *attributes[:length]]), scope.libraries, True) is None:
            return _judge_attributes(attributes[length:], node)
    name = ".".join([meaning, *attributes])
    if name in MODULES or name in scope.libraries:
        return [(_shown(node), "A module as a value could be asked for anything.")]
    return [(_shown(node), refuse_name(name, scope.libraries, True) or "")]


def _judge_attributes(attributes: list[str], node: ast.AST) -> list[Fault]:
    """Attributes of an object: none that begins with `_`, and only those that are known to be harmless."""
    for name in attributes:
        if name.startswith("_"):
            return [(_shown(node), f"The attribute {name} leads into Python's inner parts.")]
        if name not in ATTRIBUTES and not name.startswith("set_"):
            return [(_shown(node), f"The attribute {name} is not on the list of what configs may use.")]
    return []


def _judge_size(node: ast.Constant | ast.BinOp) -> list[Fault]:
    """Texts and bytes that have no business here, and powers and shifts that would fill the memory."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bytes):
            return [(_shown(node), "Bytes have no place in a config.")]
        return judge_text(node.value) if isinstance(node.value, str) else []
    exponent = node.right.value if isinstance(node.right, ast.Constant) else None
    small = isinstance(exponent, int | float) and abs(exponent) <= 64
    if isinstance(node.op, ast.LShift) or (isinstance(node.op, ast.Pow) and not small):
        return [(_shown(node), "A shift, or a power without a small exponent, could fill the memory.")]
    return []


def _shown(node: ast.AST) -> str:
    """The source of a node; what refers to other items is shown as in the config."""
    return ast.unparse(node)
