"""Calls whose arguments decide: what no config may name alone, and may call in one harmless way."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from string import Formatter

from .allowed import ENVIRONMENT
from .arguments import judge_argument
from .references import LOCALS

Fault = tuple[str, str]


@dataclass(frozen=True)
class Verdict:
    """What the rules of this file say of a call.

    Attributes:
        faults: what is refused.
        judge: what has still to be judged: "function" (what is called), "receiver" (the object whose method it is),
            "arguments".
    """

    faults: list[Fault]
    judge: frozenset[str] = frozenset({"function", "arguments"})


def judge_call(node: ast.Call, names: Collection[str], of_object: bool) -> Verdict:
    """Judges a call by what it calls and with what.

    Args:
        node: the call.
        names: the dotted names that what is called may stand for.
        of_object: whether it is a method of an object, and not found in a module.
    """
    faults = list(_keyword_faults(node))
    for rule, (words, allowed, arguments) in _RULES.items():
        if rule in names:
            if len(names) > 1 or not allowed(node):
                return Verdict([*faults, (ast.unparse(node), words)], frozenset())
            return Verdict(faults, frozenset(arguments))
    method = node.func.attr if isinstance(node.func, ast.Attribute) and of_object else ""
    if method in _METHODS:
        words, fits = _METHODS[method]
        faults += [] if fits(node) else [(ast.unparse(node), words)]
        return Verdict(faults, frozenset({"receiver", "arguments"}))
    return Verdict(faults)


def is_environment_variable(node: ast.Subscript, names: Collection[str]) -> bool:
    """Whether this reads a variable of the environment that says where a process runs."""
    return set(names) == {"os.environ"} and _constant(node.slice) in ENVIRONMENT


def _keyword_faults(node: ast.Call) -> Iterator[Fault]:
    """Arguments that name code or switch a guard off, whatever is called; and arguments that cannot be seen."""
    for keyword in node.keywords:
        if keyword.arg is None:
            if ast.unparse(node.func) != "dict":
                yield ast.unparse(node), "With ** its arguments cannot be seen."
        else:
            value = keyword.value
            literal = value.value if isinstance(value, ast.Constant) else value
            for why in judge_argument(keyword.arg, literal):
                yield f"{keyword.arg}={ast.unparse(value)}", why


def _constant(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _is_bundle_root(node: ast.expr) -> bool:
    text = ast.unparse(node)
    root = re.escape(f"{LOCALS}['bundle_root']")
    return re.fullmatch(rf"{root}|(os\.path\.(abspath|realpath)|str)\({root}\)", text) is not None


def _extends_path(node: ast.Call) -> bool:
    return not node.keywords and len(node.args) in (1, 2) and _is_bundle_root(node.args[-1])


def _sets_cudnn(node: ast.Call) -> bool:
    if node.keywords or len(node.args) != 3:
        return False
    target, name, value = node.args
    switches = ("benchmark", "deterministic", "enabled", "allow_tf32")
    plain = isinstance(_constant(value), bool)
    return ast.unparse(target) == "torch.backends.cudnn" and _constant(name) in switches and plain


def _reads_variable(node: ast.Call) -> bool:
    return not node.keywords and bool(node.args) and _constant(node.args[0]) in ENVIRONMENT


def _loads_weights(node: ast.Call) -> bool:
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    seen = not any(isinstance(argument, ast.Starred) for argument in node.args) and len(node.args) <= 2
    return seen and _constant(given.get("weights_only")) is True and not given.keys() - {"f", "weights_only", *_LOAD}


_LOAD = {"map_location", "mmap"}


def _starts_group(node: ast.Call) -> bool:
    """Processes find each other by the environment, never by an address that the config gives."""
    known = {"backend", "world_size", "rank", "timeout", "device_id", "init_method"}
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    method = given.get("init_method")
    by_environment = method is None or _constant(method) == "env://"
    return len(node.args) <= 1 and not given.keys() - known and by_environment


_RULES: dict[str, tuple[str, Callable[[ast.Call], bool], tuple[str, ...]]] = {
    "sys.path.insert": ("Only @bundle_root may be put on the path.", _extends_path, ("arguments",)),
    "sys.path.append": ("Only @bundle_root may be put on the path.", _extends_path, ("arguments",)),
    "setattr": ("It sets anything; only switches of torch.backends.cudnn are meant.", _sets_cudnn, ()),
    "os.environ.get": ("Only variables that say where a process runs are read.", _reads_variable, ("arguments",)),
    "os.getenv": ("Only variables that say where a process runs are read.", _reads_variable, ("arguments",)),
    "torch.load": (
        "It reads pickles, which run code, unless weights_only=True.",
        _loads_weights,
        ("arguments",),
    ),
    "torch.distributed.init_process_group": ("Only init_method='env://' is taken.", _starts_group, ("arguments",)),
}


def _plain_format(node: ast.Call) -> bool:
    """`'...{}...'.format(x)` whose fields take no attribute, as `{0.__class__}` would."""
    text = _constant(node.func.value) if isinstance(node.func, ast.Attribute) else None
    if not isinstance(text, str):
        return False
    try:
        fields = list(Formatter().parse(text))
    except ValueError:
        return False
    return all(re.fullmatch(r"\w*", name or "") and "{" not in (spec or "") for _, name, spec, _ in fields)


# Methods that are harmless in one form only. They are missing among the attributes, so that none is passed on uncalled.
_METHODS: dict[str, tuple[str, Callable[[ast.Call], bool]]] = {
    "replace": ("With one argument it renames files.", lambda node: len(node.args) in (2, 3)),
    "run": ("Only a workflow runs, and without arguments.", lambda node: not node.args and not node.keywords),
    "format": ("Its fields must be plain: others reach attributes.", _plain_format),
}
