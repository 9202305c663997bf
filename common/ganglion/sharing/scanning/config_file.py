"""A JSON or YAML file of a bundle as plain data: every key with its value, also those that a parser would drop."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ENDINGS = (".json", ".yaml", ".yml")
LARGEST = 64 * 2**20  # bytes
MOST = 300_000  # values
DEEPEST = 100  # levels


class Unreadable(Exception):  # noqa: N818  a finding, caught by the scan
    """A config that cannot be read as data; the scan reports it."""


class Pairs(list[tuple[Any, Any]]):
    """The pairs of a mapping in order, duplicates included, told apart from a list."""


@dataclass(frozen=True)
class Item:
    """One value of a config.

    Attributes:
        path: the keys that lead to it, split where MONAI splits them; a leading `+` is left out.
        value: a text, a number, a truth value, None; or the list or the pairs themselves.
    """

    path: tuple[str, ...]
    value: Any

    @property
    def key(self) -> str:
        """The id as configs write it."""
        return "#".join(self.path)

    @property
    def name(self) -> str:
        """The last key, which is the argument that the value is given to."""
        return self.path[-1] if self.path else ""


def read_config(name: str, content: bytes) -> Any:
    """The content of a config, mappings as `Pairs`.

    Raises:
        Unreadable: it is no JSON or YAML that MONAI would read, or too large.
    """
    if len(content) > LARGEST:
        raise Unreadable(f"{len(content)} bytes of configuration")
    try:
        text = content.decode("utf-8")
        return json.loads(text, object_pairs_hook=Pairs) if name.lower().endswith(".json") else _read_yaml(text)
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"a file that cannot be read ({type(error).__name__}: {error})") from error


def walk(value: Any) -> Iterator[Item]:
    """Every value of a config with the keys that lead to it, the outer ones first.

    Raises:
        Unreadable: there are too many, or they are nested too deep, as in a file that refers to itself.
    """
    waiting: list[tuple[tuple[str, ...], Any, int]] = [((), value, 0)]
    count = 0
    while waiting:
        path, current, depth = waiting.pop()
        count += 1
        if depth > DEEPEST or count > MOST:
            raise Unreadable(f"more than {MOST} values or {DEEPEST} levels")
        yield Item(path, current)
        if isinstance(current, Pairs):
            children = [(_split(key, depth), child) for key, child in current]
        elif isinstance(current, list | tuple | set):
            children = [((str(place),), child) for place, child in enumerate(current)]
        else:
            continue
        waiting += [((*path, *keys), child, depth + 1) for keys, child in reversed(children)]


def plain(value: Any) -> Any:
    """A value with its mappings as dictionaries; the last of two equal keys stays, as with other readers."""
    if isinstance(value, Pairs):
        return {str(key): plain(child) for key, child in value}
    return [plain(child) for child in value] if isinstance(value, list | tuple) else value


def duplicates(pairs: Pairs) -> list[str]:
    """Keys that occur twice in one mapping; programs differ in which of them they take."""
    counts = Counter(str(key) for key, _ in pairs)
    return sorted(key for key, count in counts.items() if count > 1)


def _split(key: Any, depth: int) -> tuple[str, ...]:
    """The keys that one key stands for: at the top of a file `a#b` is `b` in `a`, and `+a` is more of `a`."""
    text = str(key)
    text = text.removeprefix("+") if depth == 0 else text
    return tuple(text.replace("#", "::").split("::"))


def _read_yaml(text: str) -> Any:
    """The first document of a YAML file, without tags that build objects."""
    try:
        import yaml
    except ImportError as error:  # nothing is passed unread
        raise Unreadable("YAML, for which PyYAML is missing here") from error

    class Loader(yaml.SafeLoader):
        """Safe loading that keeps every pair."""

    def pairs(loader: Any, node: Any) -> Pairs:
        loader.flatten_mapping(node)
        made = Pairs()
        for key, value in node.value:
            made.append((_hashable(loader.construct_object(key, deep=True)), loader.construct_object(value, deep=True)))
        return made

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, pairs)
    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506  a subclass of SafeLoader
    except yaml.YAMLError as error:
        raise Unreadable(f"a file that cannot be read ({' '.join(str(error).split())})") from error


def _hashable(key: Any) -> str:
    return key if isinstance(key, str) else str(plain(key))
