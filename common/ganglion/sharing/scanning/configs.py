"""The configs of a bundle, judged together: what one file binds, the expressions of another use."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..findings import SharingFinding
from .allowed_monai import LOOKS_UP_NAMES
from .arguments import LOOKED_UP, judge_argument
from .config_file import Item, Pairs, Unreadable, duplicates, plain, read_config, walk
from .expressions import Scope, bound_names, judge_expression, parse
from .literals import judge_text
from .names import refuse_name, simple_monai_name
from .references import SEPARATOR, absolute, evaluated_text, has_relative, normal, referred_ids

Fault = tuple[str, str]
_MACRO_FILE = re.compile(r"\.(json|yaml|yml)(::|$)", re.IGNORECASE)
_DOTTED = re.compile(r"\$[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")  # the value of such an expression is what it names
_SIMPLE_KEY = re.compile(r"[\w\-. ]*")
_WRITING = re.compile(r"(^|_)(output|save|log|run|cache|deploy|tracking|export)(_|$)|^(deploy_to|filename|root_dir)$")
_FILE_NAME = re.compile(r"[\w\-. {}=]*\.(csv|tsv|json|txt|log|pt|pth|ts|png|gif|nii|nii\.gz)")
_ABSOLUTE = re.compile(r"^([/\\]|[A-Za-z]:[/\\]|~)")
_UNREAD = "What cannot be read cannot be judged; expected UTF-8 JSON or YAML as MONAI reads it."


@dataclass
class Configs:
    """What the configs of one bundle say together.

    Attributes:
        files: the values of each file, by its path.
        scope: what names mean in expressions.
        closed: ids below which modules lie, so that no reference may lead there.
        relative: whether any text holds a relative reference, which pastes keys into expressions.
        components: ids with a `_target_`, whichever file says so.
        looking_up: those among them that look up classes by text.
    """

    files: dict[str, list[Item]] = field(default_factory=dict)
    scope: Scope = field(default_factory=Scope)
    closed: set[tuple[str, ...]] = field(default_factory=set)
    relative: bool = False
    components: set[tuple[str, ...]] = field(default_factory=set)
    looking_up: set[tuple[str, ...]] = field(default_factory=set)


def judge_configs(contents: Mapping[str, bytes], libraries: Collection[str]) -> list[SharingFinding]:
    """Everything in the configs of a bundle that is not on the allow-list.

    Args:
        contents: the bytes of each JSON and YAML file, by its path inside the bundle.
        libraries: names under which the library that scans is known in the bundle.
    """
    configs = Configs(scope=Scope({}, libraries))
    findings: list[SharingFinding] = []
    for file, content in contents.items():
        try:
            configs.files[file] = list(walk(read_config(file, content)))
        except Unreadable as error:
            findings.append(SharingFinding(file, "", str(error), _UNREAD))
    imported: dict[str, set[str]] = {}
    for item in (item for items in configs.files.values() for item in items if isinstance(item.value, str)):
        configs.relative |= has_relative(item.value)
        if item.name == "_target_":
            configs.components.add(item.path[:-1])
            if simple_monai_name(item.value) in LOOKS_UP_NAMES:
                configs.looking_up.add(item.path[:-1])
        _collect_import(item, imported, configs)
    configs.scope = Scope(imported, libraries)
    for file, items in configs.files.items():
        for item in items:
            findings += [SharingFinding(file, item.key, found, why) for found, why in _judge_item(item, configs)]
    return findings


def _collect_import(item: Item, imported: dict[str, set[str]], configs: Configs) -> None:
    """Notes what an import binds, and that its neighbours in the config are modules, too."""
    if not item.value.startswith("$") or "import" not in item.value:
        return
    try:
        tree = parse(evaluated_text(absolute(item.value, item.path)))
    except ValueError:
        return
    if isinstance(tree, tuple) or not hasattr(tree, "names"):
        return
    for name, target in bound_names(tree).items():  # type: ignore[arg-type]
        imported.setdefault(name, set()).add(target)
    configs.closed.add(item.path[:-1] or item.path)


def _judge_item(item: Item, configs: Configs) -> Iterator[Fault]:
    """What is refused about one value, by its key and by what it is."""
    value = item.value
    if isinstance(value, Pairs):
        yield from _judge_pairs(item, value, configs)
    elif item.name == "_target_":
        yield from _judge_target(value, configs, item)
    elif isinstance(value, str):
        yield from _judge_string(value, configs, item)
    if item.name == "_mode_" and value not in ("default", "callable"):
        yield repr(plain(value)), "Expected default or callable; the debugger hands over the keyboard."
    elif item.name == "_mode_" and item.path[:-1] in configs.looking_up:
        yield repr(value), "What it is called with later cannot be seen, and it looks up classes by text."
    if item.name.endswith("filename") and value is not None and item.path[:-1] in configs.components:
        names = _looked_up(plain(value), configs)
        if not all(isinstance(name, str) and _FILE_NAME.fullmatch(name) for name in _as_list(names)):
            yield repr(plain(value)), "Expected the plain name of a table, a text or weights, written out."
    if not isinstance(value, Pairs) or item.name in LOOKED_UP:
        given = plain(value)
        for why in judge_argument(item.name, _looked_up(given, configs) if item.name in LOOKED_UP else given):
            yield repr(given), why


def _judge_pairs(item: Item, pairs: Pairs, configs: Configs) -> Iterator[Fault]:
    for key in duplicates(pairs):
        yield f"the key {key!r} twice", "Which of them is taken depends on the program."
    if configs.relative:
        for key in {str(key) for key, _ in pairs}:
            parts = [key] if item.path else normal(key.removeprefix("+")).split(SEPARATOR)
            if not all(_SIMPLE_KEY.fullmatch(part) for part in parts):
                yield f"the key {key!r}", "A relative reference would paste it into an expression."


def _judge_target(value: Any, configs: Configs, item: Item) -> Iterator[Fault]:
    """What a component is made from: a name on the list. MONAI looks up a computed text as a name, too."""
    if value is None:
        return
    if not isinstance(value, str):
        yield repr(plain(value)), "Expected the name of a class or a function."
    elif value.startswith(("$", "@", "%")):
        if _DOTTED.fullmatch(value):
            yield from _judge_evaluated(value, configs, item)
        else:
            yield value, "What it leads to cannot be seen, and a text would be looked up as code; write the name out."
    else:
        why = refuse_name(value, configs.scope.libraries)
        if why is not None:
            yield value or "no name", why


def _judge_string(value: str, configs: Configs, item: Item) -> Iterator[Fault]:
    """A text: an expression, a reference, a macro, or plain text that may name code or a place outside."""
    if value.startswith("$"):
        yield from _judge_evaluated(value, configs, item)
        return
    yield from judge_text(value)
    if _WRITING.search(item.name) and _ABSOLUTE.match(value):
        yield value, "It would write outside of the bundle's folder; give the folder when you run it."
    try:
        text = absolute(value, item.path)
    except ValueError as error:
        yield value, f"Found {error}."
        return
    if text.startswith("%"):
        if _MACRO_FILE.search(text):
            yield value, "It takes the config from a file that depends on where it is run."
        elif _leads_to_modules(text[1:], configs):
            yield value, "It copies imports; their modules could then be asked for anything."
    for reference in referred_ids(text):
        if _leads_to_modules(reference, configs):
            yield value, "It refers to imports; their modules could be asked for anything."


def _judge_evaluated(value: str, configs: Configs, item: Item) -> Iterator[Fault]:
    """An expression, judged as the text that MONAI would evaluate."""
    try:
        text = absolute(value, item.path)
    except ValueError as error:
        yield value, f"Found {error}."
        return
    for found, why in judge_expression(evaluated_text(text), configs.scope):
        yield re.sub(r"__local_refs\['([\w:]*)'\]", r"@\1", found).replace(SEPARATOR, "#"), why
    for reference in referred_ids(text):
        if _leads_to_modules(reference, configs):
            yield value, "It refers to imports; their modules could be asked for anything."


def _leads_to_modules(reference: str, configs: Configs) -> bool:
    """Whether a reference is to a place with imports below it or beside it, or to the whole config."""
    path = tuple(reference.split(SEPARATOR)) if reference else ()
    if not path:
        return True
    return any(path[: len(place)] == place or place[: len(path)] == path for place in configs.closed)


def _looked_up(value: Any, configs: Configs, depth: int = 0) -> Any:
    """A value with references replaced by what they refer to, so that texts behind them are seen."""
    if isinstance(value, list) and depth < 5:
        return [_looked_up(child, configs, depth + 1) for child in value]
    if not isinstance(value, str) or not value.startswith("@") or depth >= 5:
        return value
    path = tuple(normal(value[1:]).split(SEPARATOR))
    found = [item.value for items in configs.files.values() for item in items if item.path == path]
    seen = [_looked_up(plain(child), configs, depth + 1) for child in found]
    return seen or value


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
