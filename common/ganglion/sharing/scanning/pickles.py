"""A pickle, read opcode by opcode: what it would import and call, without a single opcode being carried out."""

from __future__ import annotations

import io
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Fault = tuple[str, str]
LONGEST = 20_000_000  # opcodes of one pickle

# What rebuilds tensors and plain containers. torch's own reader with `weights_only=True` has these among its own.
GLOBALS = {
    *("collections.OrderedDict", "collections.defaultdict", "collections.Counter"),
    *("torch.Size", "torch.device", "torch.nn.parameter.Parameter", "torch.storage.UntypedStorage"),
    *("torch.storage.TypedStorage", "torch.serialization._get_layout"),
    *("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3"),
    *("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"),
    *("builtins.set", "builtins.complex", "__builtin__.set", "__builtin__.complex", "_codecs.encode"),
    *("numpy.dtype", "numpy.ndarray", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"),
    *("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"),
}
_STORAGE = re.compile(
    r"torch\.(cuda\.)?[A-Z]\w*Storage"
    r"|torch\.((b?float|u?int|complex|qu?int)\d+\w*|bool|double|float|half|int|long)"
)
_SCRIPT = re.compile(r"__torch__(\.\w+)+|torch\.jit\._pickle\.\w+")
_HARMLESS = "Only what rebuilds tensors and plain containers may be in a file of weights; publish a plain state dict."


@dataclass(frozen=True)
class _Global:
    """A class or function that a pickle names."""

    name: str


_MARK, _OTHER = object(), object()


class _Damaged(Exception):  # noqa: N818  caught below
    """The opcodes do not fit together."""


def judge_pickle(content: bytes, script: bool = False) -> tuple[list[Fault], int]:
    """Reads one pickle from the beginning of some bytes.

    Args:
        content: the bytes; others may follow the pickle.
        script: whether it lies in a TorchScript archive, whose classes are TorchScript's own.

    Returns:
        What is refused, and where the pickle ends.
    """
    machine = _Machine(script)
    stream = io.BytesIO(content)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            machine.step(opcode.name, argument)
            if count > LONGEST:
                raise _Damaged(f"more than {LONGEST} opcodes")
    except (ValueError, KeyError, IndexError, OverflowError, MemoryError, EOFError, _Damaged) as error:
        fault = (f"a damaged pickle ({error})", "What cannot be read to its end cannot be judged.")
        return [*machine.faults, fault], len(content)
    return list(dict.fromkeys(machine.faults)), stream.tell()


def is_allowed(name: str, script: bool) -> bool:
    """Whether a pickle of weights may name this class or function."""
    if name in GLOBALS or _STORAGE.fullmatch(name):
        return True
    return script and _SCRIPT.fullmatch(name) is not None and not name.startswith("__torch__.torch.classes")


@dataclass
class _Machine:
    """Follows what lies on a pickle's stack: texts and names are known, everything else is one thing."""

    script: bool
    faults: list[Fault] = field(default_factory=list)
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def step(self, name: str, argument: Any) -> None:
        """Takes note of one opcode."""
        if name in _TEXTS:
            self.stack.append(argument if isinstance(argument, str) else _OTHER)
        elif name in _VALUES:
            self.stack.append(_OTHER)
        elif name in _STEPS:
            _STEPS[name](self, argument)
        elif name not in _NOTHING:
            self.faults.append((f"the opcode {name}", _HARMLESS))
            raise _Damaged(f"the opcode {name}")

    def pop(self) -> Any:
        """Takes the topmost value."""
        if not self.stack:
            raise _Damaged("an empty stack")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        """Takes everything above the last mark, and the mark."""
        taken: list[Any] = []
        while (value := self.pop()) is not _MARK:
            taken.append(value)
        return taken[::-1]

    def name_global(self, name: Any) -> None:
        """A class or function by its dotted name, or by something that is computed."""
        if not isinstance(name, str):
            self.faults.append(("a name that the pickle computes", _HARMLESS))
            self.stack.append(_OTHER)
            return
        if not is_allowed(name, self.script):
            self.faults.append((name, _HARMLESS))
        self.stack.append(_Global(name))

    def call(self, called: Any) -> None:
        """A call, whose result is one thing among others; only what has a name may be called."""
        if not isinstance(called, _Global):
            self.faults.append(("a call of something without a name", _HARMLESS))
        self.stack.append(_OTHER)

    def build(self) -> None:
        """A state that is set on an object; on a class or function it would change how others behave."""
        self.pop()
        target = self.stack[-1] if self.stack else None
        if target is None:
            raise _Damaged("an empty stack")
        if isinstance(target, _Global):
            self.faults.append((f"a state for {target.name} itself", _HARMLESS))


def _global(machine: _Machine, argument: Any) -> None:
    machine.name_global(".".join(str(argument).split(" ", 1)))


def _stack_global(machine: _Machine, argument: Any) -> None:
    name, module = machine.pop(), machine.pop()
    known = isinstance(name, str) and isinstance(module, str)
    machine.name_global(f"{module}.{name}" if known else None)


def _inst(machine: _Machine, argument: Any) -> None:
    machine.pop_to_mark()
    _global(machine, argument)
    machine.call(machine.pop())


def _obj(machine: _Machine, argument: Any) -> None:
    taken = machine.pop_to_mark()
    machine.call(taken[0] if taken else _OTHER)


def _new(count: int) -> Callable[[_Machine, Any], None]:
    """A call with `count` values above what is called."""

    def step(machine: _Machine, argument: Any) -> None:
        for _ in range(count):
            machine.pop()
        machine.call(machine.pop())

    return step


def _take(count: int, give: bool = True) -> Callable[[_Machine, Any], None]:
    """`count` values become one thing, or change the one below them."""

    def step(machine: _Machine, argument: Any) -> None:
        for _ in range(count):
            machine.pop()
        if give:
            machine.stack.append(_OTHER)
        elif not machine.stack:
            raise _Damaged("an empty stack")

    return step


def _take_to_mark(give: bool) -> Callable[[_Machine, Any], None]:
    def step(machine: _Machine, argument: Any) -> None:
        machine.pop_to_mark()
        if give:
            machine.stack.append(_OTHER)

    return step


def _remember(machine: _Machine, argument: Any) -> None:
    if not machine.stack:
        raise _Damaged("an empty stack")
    machine.memo[len(machine.memo) if argument is None else int(argument)] = machine.stack[-1]


def _recall(machine: _Machine, argument: Any) -> None:
    machine.stack.append(machine.memo[int(argument)])


def _drop(machine: _Machine, argument: Any) -> None:
    machine.pop()


def _duplicate(machine: _Machine, argument: Any) -> None:
    value = machine.pop()
    machine.stack += [value, value]


_TEXTS = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING"}
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "NONE", "NEWTRUE", "NEWFALSE", "FLOAT"),
    *("BINFLOAT", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "EMPTY_LIST", "EMPTY_TUPLE", "EMPTY_DICT"),
    *("EMPTY_SET", "PERSID"),
}
_NOTHING = {"PROTO", "FRAME", "STOP"}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "INST": _inst,
    "OBJ": _obj,
    "REDUCE": _new(1),
    "NEWOBJ": _new(1),
    "NEWOBJ_EX": _new(2),
    "BUILD": lambda machine, argument: machine.build(),
    "MARK": lambda machine, argument: machine.stack.append(_MARK),
    "POP": _drop,
    "POP_MARK": _take_to_mark(give=False),
    "DUP": _duplicate,
    **dict.fromkeys(("LIST", "TUPLE", "DICT", "FROZENSET"), _take_to_mark(give=True)),
    **dict.fromkeys(("APPENDS", "SETITEMS", "ADDITEMS"), _take_to_mark(give=False)),
    **{f"TUPLE{count}": _take(count) for count in (1, 2, 3)},
    "BINPERSID": _take(1),
    "APPEND": _take(1, give=False),
    "SETITEM": _take(2, give=False),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _remember),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _recall),
}
