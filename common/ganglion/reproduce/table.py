"""A table of a paper as a bundle states it in `tables/<table>.json`: read, and judged before anything runs."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data.json_files import unique_keys
from ..errors import InputError

NAME = re.compile(r"[A-Za-z0-9][\w-]*", re.ASCII)
OVERLAY = re.compile(r"[\w-]+(/[\w-]+)*", re.ASCII)
REFERENCE = re.compile(r"\{([\w-]+)/([\w-]+)\}/(.+)", re.ASCII)
RESERVED = ("data", "slurm")  # folders of OUT that are no tables

_WORDS = {str: "text", bool: "true or false", dict: "an object", list: "a list", int: "a whole number"}
_NUMBER = (int, float)
_NEEDED = ("title", "columns", "scales", "rows")
_TABLE: dict[str, Any] = {
    **dict.fromkeys(("title", "paper", "question", "baseline"), str),
    **dict.fromkeys(("notes", "columns", "rows"), list),
    "scales": dict,
}
_SCALE: dict[str, Any] = {
    **dict.fromkeys(("overlays", "drawing"), list),
    "options": dict,
    "cohort": dict,
    "seconds": _NUMBER,
}
_COHORT: dict[str, Any] = {**dict.fromkeys(("subjects", "seed", "unlabeled"), int), "cohort": str}
_COHORT |= {"spacing": _NUMBER, "splits": list}
_ROW: dict[str, Any] = {
    **dict.fromkeys(("row", "name", "where", "weights", "baseline"), str),
    **dict.fromkeys(("train", "infer", "cell"), list),
    **dict.fromkeys(("options", "paper", "draws"), dict),
    "start_from": (dict, str),
    "printed_only": bool,
}


@dataclass(frozen=True)
class Scale:
    """A size at which a table can be run.

    Attributes:
        name: `small` or `paper`, say.
        overlays: over train.json and inference.json, before those of a row.
        drawing: over train_generator.json and generate.json, before those of a row that draws.
        options: further settings of every training, unless a row says otherwise.
        cohort: what `ganglion phantom` is asked for where no data are given; None if there is no such cohort.
        seconds: a measured time for one row, for the estimate.
    """

    name: str
    overlays: tuple[str, ...] = ()
    drawing: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    cohort: Mapping[str, Any] | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        row: its name in files.
        name: its name for people.
        train: overlays over train.json; None if nothing is trained.
        infer: overlays over inference.json.
        options: further settings of the training; a text may be `{table/row}/file`.
        draws: settings of generate.json. The row is not scored but trains what draws, by train_generator.json, and
            draws a data set, `drawn` in its folder, for others; `train` and `infer` go over those two.
        start_from: weights to start from, by network or of the one network; may hold `{table/row}`.
        weights: weights that are scored as they are, without a training.
        paper: the printed numbers, by metric.
        where: where they are printed.
        baseline: the row that it is compared with, instead of the table's.
        cell: [trained on, scored on], for a matrix.
        printed_only: nothing is run for it.
    """

    row: str
    name: str
    train: tuple[str, ...] | None = None
    infer: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    start_from: Mapping[str, str] | str | None = None
    weights: str | None = None
    paper: Mapping[str, float] = field(default_factory=dict)
    where: str = ""
    baseline: str | None = None
    cell: tuple[str, str] | None = None
    draws: Mapping[str, Any] | None = None
    printed_only: bool = False

    @property
    def from_rows(self) -> dict[str, str]:
        """The options that name what another row has made."""
        texts = {key: text for key, text in self.options.items() if isinstance(text, str)}
        return {key: text for key, text in texts.items() if REFERENCE.fullmatch(text)}

    @property
    def files(self) -> dict[str, str]:
        """The weights that it starts from and the data that others drew, by the key that names them."""
        if isinstance(self.start_from, Mapping):
            found = {f"start_from#{network}": file for network, file in self.start_from.items()}
        else:
            found = {} if self.start_from is None else {"start_from": self.start_from}
        found |= {f"options#{key}": text for key, text in self.from_rows.items()}
        return found | ({} if self.weights is None else {"weights": self.weights})


@dataclass(frozen=True)
class Table:
    """A table of a bundle.

    Attributes:
        root: folder of the bundle.
        table: its name in files.
        scales: by name.
        rows: by name, in order.
        baseline: the row that others are compared with, unless they say otherwise.
    """

    root: Path
    table: str
    title: str
    columns: tuple[str, ...]
    scales: Mapping[str, Scale]
    rows: Mapping[str, Row]
    paper: str = ""
    question: str = ""
    notes: tuple[str, ...] = ()
    baseline: str | None = None

    @property
    def scored(self) -> list[Row]:
        """The rows that are shown: all but those that draw for others."""
        return [row for row in self.rows.values() if row.draws is None]

    @property
    def bundle(self) -> str:
        """The bundle's name."""
        return self.root.resolve().name

    @property
    def path(self) -> Path:
        """The file that it was read from."""
        return table_file(self.root, self.table)

    def scale(self, name: str) -> Scale:
        """A scale by its name."""
        if name not in self.scales:
            known = ", ".join(self.scales)
            raise InputError(f"{self.path}: found no scale {name!r}, expected one of {known}; choose it with --scale.")
        return self.scales[name]


def table_file(root: Path, table: str) -> Path:
    """Where a table of a bundle lies."""
    return root / "tables" / f"{table}.json"


def read_table(root: Path, table: str) -> Table:
    """Read one table of a bundle and judge it by itself; rows of other tables are looked at by `read_tables`."""
    path = table_file(root, table)
    content = _read(path)
    _judge_keys(path, "", content, _TABLE, _NEEDED)
    if not NAME.fullmatch(table) or table in RESERVED:
        raise _fault(path, "", f"the name {table!r}", "letters, digits, - and _", "rename the file")
    scales = {name: _scale(path, name, value, root) for name, value in content["scales"].items()}
    rows: dict[str, Row] = {}
    for number, entry in enumerate(content["rows"], start=1):
        row = _row(path, number, entry, root)
        if row.row in rows:
            raise _fault(path, f"row {row.row}", "a second row of that name", "names that differ", "rename one")
        rows[row.row] = row
    texts = {name: content.get(name, "") for name in ("paper", "question")}
    columns, notes = (_texts(path, name, content.get(name, [])) for name in ("columns", "notes"))
    if not (columns and rows and scales):
        empty = "columns" if not columns else "scales" if not scales else "rows"
        raise _fault(path, empty, "nothing", "at least one", "add it")
    made = Table(root, table, content["title"], columns, scales, rows, notes=notes, **texts)
    return _with_baseline(made, content.get("baseline"))


def read_tables(root: Path, table: str) -> dict[str, Table]:
    """A table and those of the same bundle that its rows start from, by name, the asked one first.

    Raises:
        InputError: a row starts from one that does not exist, or from itself in the end.
    """
    found: dict[str, Table] = {}
    waiting = [table]
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found[name] = read_table(root, name)
        for row in found[name].rows.values():
            for key, (other, _, _) in references(row).items():
                if not table_file(root, other).is_file():
                    raise _fault(
                        found[name].path, f"row {row.row}, {key}", f"table {other!r}", _tables(root), "correct the name"
                    )
                waiting.append(other)
    for each in found.values():
        for row in each.rows.values():
            _judge_references(each, row, found)
    _refuse_cycles(found)
    return found


def references(row: Row) -> dict[str, tuple[str, str, str]]:
    """Table, row and file below its folder of each `{table/row}/file`, by the key that holds it."""
    matches = {key: REFERENCE.fullmatch(file) for key, file in row.files.items()}
    return {key: (found[1], found[2], found[3]) for key, found in matches.items() if found}


def _tables(root: Path) -> str:
    names = sorted(path.stem for path in (root / "tables").glob("*.json"))
    return f"one of {', '.join(names)}" if names else "a table"


def _judge_references(table: Table, row: Row, tables: Mapping[str, Table]) -> None:
    for key, (other, wanted, _) in references(row).items():
        place = f"row {row.row}, {key}"
        target = tables[other].rows.get(wanted)
        if target is None:
            expected = f"a row of {other}: {', '.join(tables[other].rows)}"
            raise _fault(table.path, place, f"{{{other}/{wanted}}}", expected, "correct the name")
        if target.train is None:
            found = f"{{{other}/{wanted}}}, which trains nothing"
            raise _fault(table.path, place, found, "a row with `train`", "start from another")


def _refuse_cycles(tables: Mapping[str, Table]) -> None:
    """Every row must have a beginning."""
    done: set[tuple[str, str]] = set()

    def visit(place: tuple[str, str], path: tuple[tuple[str, str], ...]) -> None:
        if place in path:
            circle = " -> ".join("/".join(each) for each in (*path[path.index(place) :], place))
            file = tables[place[0]].path
            raise _fault(file, f"row {place[1]}", f"a circle of starts ({circle})", "a first row", "cut it")
        if place not in done:
            row = tables[place[0]].rows[place[1]]
            for other, wanted, _ in references(row).values():
                visit((other, wanted), (*path, place))
            done.add(place)

    for table in tables.values():
        for name in table.rows:
            visit((table.table, name), ())


def _with_baseline(table: Table, baseline: str | None) -> Table:
    """The table with its baseline, once every row that is compared with exists and is run."""
    for row in table.rows.values():
        _judge_baseline(table, f"row {row.row}, baseline", row.baseline)
    _judge_baseline(table, "baseline", baseline)
    return Table(**{**vars(table), "baseline": baseline})


def _judge_baseline(table: Table, place: str, name: str | None) -> None:
    run = [row.row for row in table.scored if not row.printed_only]
    if name is not None and name not in run:
        raise _fault(table.path, place, repr(name), f"a row that is run: {', '.join(run)}", "correct the name")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique_keys)
    except FileNotFoundError as error:
        root = path.parents[1]
        raise InputError(f"{root}: found no table {path.stem!r}, expected {_tables(root)}; name it.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: found no valid JSON ({error}), expected a table; correct the file.") from error
    if not isinstance(content, dict):
        raise _fault(path, "", f"a {type(content).__name__}", "an object", "correct the file")
    return content


def _scale(path: Path, name: str, content: Any, root: Path) -> Scale:
    place = f"scale {name}"
    if not NAME.fullmatch(name):
        raise _fault(path, place, f"the name {name!r}", "letters, digits, - and _", "rename it")
    _judge_keys(path, place, content, _SCALE)
    overlays, drawing = (
        _overlays(path, f"{place}, {name}", content.get(name, []), root) for name in ("overlays", "drawing")
    )
    cohort = content.get("cohort")
    if cohort is not None:
        _judge_keys(path, f"{place}, cohort", cohort, _COHORT, ("cohort", "subjects"))
    return Scale(name, overlays, drawing, content.get("options", {}), cohort, content.get("seconds"))


def _row(path: Path, number: int, content: Any, root: Path) -> Row:
    name = content.get("row") if isinstance(content, dict) else None
    place = f"row {name}" if isinstance(name, str) else f"row {number}"
    _judge_keys(path, place, content, _ROW, ("row", "name"))
    if not NAME.fullmatch(content["row"]):
        raise _fault(path, place, f"row {name!r}", "letters, digits, - and _", "rename it; `name` may say anything")
    _judge_kind(path, place, content)
    train = None if "train" not in content else _overlays(path, f"{place}, train", content["train"], root)
    infer = _overlays(path, f"{place}, infer", content.get("infer", []), root)
    cell = _texts(path, f"{place}, cell", content["cell"]) if "cell" in content else None
    if cell is not None and len(cell) != 2:
        raise _fault(path, f"{place}, cell", repr(content["cell"]), "[trained on, scored on]", "correct it")
    for metric, value in content.get("paper", {}).items():
        if isinstance(value, bool) or not isinstance(value, _NUMBER):
            raise _fault(path, f"{place}, paper#{metric}", repr(value), "a number", "correct it")
    plain = {key: content[key] for key in _ROW if key in content and key not in ("train", "infer", "cell")}
    made = Row(**plain, train=train, infer=infer, cell=None if cell is None else (cell[0], cell[1]))
    for key, file in made.files.items():
        _judge_file(path, f"{place}, {key}", file, root)
    return made


def _judge_kind(path: Path, place: str, content: Mapping[str, Any]) -> None:
    """A row is trained, or scored, or only printed."""
    kinds = [key for key in ("train", "weights", "printed_only") if content.get(key, False) is not False]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none"
        raise _fault(path, place, found, "one of train, weights and printed_only: true", "decide for one")
    for key in ("options", "start_from", "draws"):
        if key in content and kinds != ["train"]:
            raise _fault(path, f"{place}, {key}", "settings of a training", "a row with `train`", f"drop {key}")


def _judge_file(path: Path, place: str, file: Any, root: Path) -> None:
    """Weights are of another row, or lie in the bundle."""
    expected = "{table/row}/file, or a file of the bundle"
    if not isinstance(file, str):
        raise _fault(path, place, repr(file), expected, "correct it")
    found = REFERENCE.fullmatch(file)
    inside = found[3] if found else file
    if inside.startswith("/") or "\\" in inside or ".." in inside.split("/") or "{" in inside:
        raise _fault(path, place, repr(file), expected, "correct it")
    if not found and not (root / file).is_file():
        raise _fault(path, place, f"{file!r}, which does not exist", expected, "correct it")


def _overlays(path: Path, place: str, content: Any, root: Path) -> tuple[str, ...]:
    names = _texts(path, place, content)
    for name in names:
        if not OVERLAY.fullmatch(name) or not (root / "configs" / f"{name}.json").is_file():
            known = sorted(f"variants/{file.stem}" for file in (root / "configs" / "variants").glob("*.json"))
            raise _fault(path, place, repr(name), f"a file of configs/ as {', '.join(known)}", "correct the name")
    return names


def _texts(path: Path, place: str, content: Any) -> tuple[str, ...]:
    if not isinstance(content, list) or not all(isinstance(each, str) for each in content):
        raise _fault(path, place, repr(content), "a list of texts", "correct it")
    return tuple(content)


def _judge_keys(path: Path, place: str, content: Any, known: Mapping[str, Any], needed: Collection[str] = ()) -> None:
    """Every key is known and holds what it should; those that are needed are there."""
    if not isinstance(content, dict):
        raise _fault(path, place, repr(content), "an object", "correct it")
    for key, value in content.items():
        at = f"{place}, {key}" if place else key
        if key not in known:
            raise _fault(path, at, "an unknown key", f"one of {', '.join(known)}", "correct or drop it")
        kinds = known[key] if isinstance(known[key], tuple) else (known[key],)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise _fault(path, at, repr(value), " or ".join(_kind_words(kinds)), "correct it")
    missing = [key for key in needed if key not in content]
    if missing:
        raise _fault(path, place, f"no {missing[0]}", f"{', '.join(needed)}", "add it")


def _kind_words(kinds: Sequence[type]) -> Iterator[str]:
    yield from ("a number" if kind is float else _WORDS[kind] for kind in kinds if not (kind is int and float in kinds))


def _fault(path: Path, place: str, found: str, expected: str, mend: str) -> InputError:
    where = f"{path}, {place}" if place else f"{path}"
    return InputError(f"{where}: found {found}, expected {expected}; {mend}.")
