"""May a config name this? Dotted names against the allow-list, and words for well-known bad ones."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from functools import lru_cache

from ..library import library_files
from .allowed import CLASS_FAMILIES, NAMES
from .allowed_monai import LOOKS_UP_NAMES, PACKAGES, STEPS

# The deny-list only gives better words; what is on no list is found all the same. Matched from the front.
_REASONS = {
    "runs programs": (
        "(os|posix|nt).(system|popen|exec*|spawn*|startfile|fork*|kill*) subprocess pty commands webbrowser "
        "monai.utils.run_cmd monai.utils.misc.run_cmd monai.utils.misc.subprocess monai.apps.auto3dseg "
        "monai.apps.nnunet monai.auto3dseg"
    ),
    "starts processes": "multiprocessing concurrent threading asyncio signal torch.multiprocessing",
    "runs any code": "(builtins.)?(eval|exec|compile|breakpoint|__import__|input)$ code codeop pdb timeit",
    "reaches whatever it likes by name": (
        "(builtins.)?(getattr|setattr|delattr|vars|globals|locals|dir|type|object|hasattr|super)$ operator inspect "
        "types gc __builtins__"
    ),
    "imports or runs other code": (
        "importlib imp runpy pkgutil pydoc site zipimport monai.utils.module monai.utils.optional_import "
        "monai.utils.load_submodules monai.bundle sys.(modules|path|meta_path)"
    ),
    "reads files that can run code": (
        "pickle cPickle _pickle dill cloudpickle joblib marshal shelve torch.(load|package|jit) numpy.load pandas"
    ),
    "loads machine code": (
        "ctypes cffi _ctypes torch.(ops|classes|utils.cpp_extension|compile) numpy.(ctypeslib|f2py) mmap"
    ),
    "opens the network": (
        "urllib requests http socket ftplib smtplib telnetlib ssl xmlrpc huggingface_hub gdown wget torch.hub "
        "monai.apps.download* monai.apps.utils.download* monai.handlers.(MLFlow|ClearML)* torch.distributed.rpc "
        "*PerceptualLoss (MLFlow|ClearML)* download*"
    ),
    "reads or changes files": (
        "shutil tempfile (builtins.)?open$ io.open torch.(save|from_file) numpy.(save*|memmap|tofile) fileinput "
        "os.(remove|unlink|rename|replace|rmdir|chmod|chown|symlink|link|truncate|open|write|environ|putenv)"
    ),
    "is code of the bundle itself": "scripts",
}
_PATTERNS = {
    words: [re.compile(part.replace(".", r"\.").replace("*", r"\w*") + r"(?!\w)") for part in parts.split()]
    for words, parts in _REASONS.items()
}
# Of the library, what a config may name: the classes of these parts, and the functions that their packages offer.
_LIBRARY_PARTS = ("networks", "losses", "metrics", "data", "engines")
_DATA_FUNCTIONS = {"load_items", "inference_items", "contrast_items", "subset_items"}  # others there write files
_LIBRARY_CLOSED = ("data.convert", "data.phantom")
_PLAIN = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*")


def refuse_name(name: str, libraries: Collection[str], value: bool = False) -> str | None:
    """Why a config may not name this, or None if it may.

    Args:
        name: a dotted name as `_target_` gives it, or as an expression spells it with its imports resolved.
        libraries: names under which the library that scans is known: its own, and that of its copy in the bundle.
        value: whether an expression names it, which hides from view what it is called with.
    """
    if name in NAMES or _in_family(name) or _in_library(name, libraries):
        return None
    simple = _monai_name(name)
    if simple is None:
        return f"{reason(name)}; it is not on the list of what configs may name."
    if value and simple in LOOKS_UP_NAMES:
        return "It looks up a class by text; only a _target_ may name it, where its arguments can be judged."
    return None


def reason(name: str) -> str:
    """What a name that is not allowed does, in words."""
    for words, patterns in _PATTERNS.items():
        if any(pattern.match(part) for pattern in patterns for part in (name, name.rpartition(".")[2])):
            return f"It {words}"
    return "It is code"


def simple_monai_name(name: str) -> str | None:
    """The name of an allowed MONAI class without its package and dictionary ending; None if it is none."""
    return _monai_name(name)


def _in_family(name: str) -> bool:
    family, _, last = name.rpartition(".")
    return family in CLASS_FAMILIES and re.fullmatch(r"[A-Z]\w*", last) is not None


@lru_cache(maxsize=4096)
def _monai_name(name: str) -> str | None:
    """Finds `LoadImage` for `LoadImaged` and for `monai.transforms.io.dictionary.LoadImaged`."""
    if not _PLAIN.fullmatch(name):
        return None
    *path, last = name.split(".")
    for package, allowed in PACKAGES.items():
        simple = _simple(last, allowed)
        if simple is None:
            continue
        steps = package.split(".")
        if not path and package not in ("monai.utils", "monai.config", "monai.networks"):
            return simple
        if path[: len(steps)] == steps and all(step in STEPS for step in path[len(steps) :]):
            return simple
    return None


def _simple(last: str, allowed: set[str]) -> str | None:
    """The allowed name that this is, or is a dictionary form of."""
    forms = [last, *(last.removesuffix(ending) for ending in ("Dict", "d", "D") if last.endswith(ending))]
    return next((form for form in forms if form in allowed), None)


def _in_library(name: str, libraries: Collection[str]) -> bool:
    """Whether the library defines this class, or this function that configs may call."""
    root, _, rest = name.partition(".")
    if root not in libraries or not _PLAIN.fullmatch(name):
        return False
    part, _, last = rest.rpartition(".")
    if part.split(".")[0] not in _LIBRARY_PARTS or part.startswith(_LIBRARY_CLOSED):
        return False
    return last in _defined_in(part.replace(".", "/"))


@lru_cache(maxsize=256)
def _defined_in(part: str) -> frozenset[str]:
    """The classes of a module, or the classes and functions that a package offers, as its files say."""
    files = _library_sources()
    if f"{part}.py" in files:
        nodes = ast.parse(files[f"{part}.py"]).body
        return frozenset(node.name for node in nodes if isinstance(node, ast.ClassDef) and node.name[0] != "_")
    package = files.get(f"{part}/__init__.py")
    if package is None:
        return frozenset()
    texts = {node.value for node in ast.walk(ast.parse(package)) if isinstance(node, ast.Constant)}
    nodes = [node for file in _modules_of(part) for node in ast.parse(files[file]).body]
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    functions = functions & _DATA_FUNCTIONS if part == "data" else functions
    return frozenset(name for name in (classes | functions) & texts if not name.startswith("_"))


def _modules_of(part: str) -> list[str]:
    """The modules that lie in a package of the library."""
    return [file for file in _library_sources() if re.fullmatch(rf"{re.escape(part)}/\w+\.py", file)]


@lru_cache(maxsize=1)
def _library_sources() -> dict[str, str]:
    return {name: content.decode() for name, content in library_files().items() if name.endswith(".py")}
