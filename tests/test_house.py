"""What holds for the repository as a whole: names, paths, sizes, forbidden calls, documents that must agree."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "common" / "ganglion"
NAME = PACKAGE.name
SOURCES = sorted(PACKAGE.rglob("*.py"))
TEXT_ENDINGS = {
    "",
    ".cff",
    ".cfg",
    ".conf",
    ".css",
    ".csv",
    ".html",
    ".json",
    ".md",
    ".py",
    ".sh",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
}
SETUP_COMMANDS = [
    "python -m pip install -c constraints.txt -e . && python -m ganglion demo",
    'python -m pip install -c constraints.txt -e ".[test]" && python -m pytest -q -n auto',
]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def tracked_text() -> list[tuple[Path, str]]:
    return [(path, path.read_text(encoding="utf-8")) for path in tracked_files() if path.suffix in TEXT_ENDINGS]


def parsed_sources() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES]


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its decorators and docstring."""
    lines = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def test_package_never_spells_its_own_name():
    """A zip renames the package: a message may name a command, a look-up may not name the package."""
    dotted = re.compile(rf"^{NAME}(\.\w+)+$|\b(?:import|from|_target_)\b.*\b{NAME}\b")
    found = []
    for path, tree in parsed_sources():
        for node in ast.walk(tree):
            strings = [node] if isinstance(node, ast.Constant) else []
            found += [f"{relative(path)}:{node.lineno}" for node in strings if dotted.search(str(node.value))]
            if isinstance(node, ast.Call) and ast.unparse(node.func) != "command_line.run":  # shows it in the help
                arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
                names = [value for value in arguments if isinstance(value, ast.Constant) and value.value == NAME]
                found += [f"{relative(path)}:{node.lineno}: {ast.unparse(node)}" for _ in names]
    assert found == []


def test_imports_inside_the_package_are_relative():
    found = []
    for path, tree in parsed_sources():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            found += [f"{relative(path)}:{node.lineno}" for name in names if name.split(".")[0] in (NAME, "common")]
    assert found == []


def test_source_root_is_no_package():
    assert not (ROOT / "common" / "__init__.py").exists()


def test_files_are_short():
    sizes = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in sizes.items() if lines > 400} == {}


def test_functions_are_short():
    long = []
    for path, tree in parsed_sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines, limit = body_lines(node), 25 if node.name == "forward" else 40
                if lines > limit:
                    long.append(f"{relative(path)}:{node.lineno}: {node.name} has {lines} lines, limit {limit}")
    assert long == []


def test_public_names_have_docstrings():
    bare = []
    for path, tree in parsed_sources():
        if ast.get_docstring(tree) is None and tree.body:
            bare.append(relative(path))
        for node in tree.body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if public and ast.get_docstring(node) is None:
                bare.append(f"{relative(path)}:{node.lineno}: {node.name}")
    assert bare == []


def test_no_file_is_called_utils():
    assert [relative(path) for path in SOURCES if path.stem in ("utils", "util", "helpers", "misc", "common")] == []


# Written in two halves so that this file does not find itself.
FORBIDDEN = {
    "weights_only=" + "False": "reads a pickle that may run code",
    "pickle." + "load": "runs code",
    "allow_pickle=" + "True": "runs code",
    "shell=" + "True": "runs a shell",
    ".extract" + "all(": "writes outside the target folder",
    "TO" + "DO": "belongs in the tracker",
    "FIX" + "ME": "belongs in the tracker",
}


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_forbidden_text(pattern):
    found = [
        f"{relative(path)}: {pattern} {FORBIDDEN[pattern]}"
        for path, text in tracked_text()
        if path.suffix in (".py", ".json", ".toml", "") and path.name != "LICENSE" and pattern in text
    ]
    assert found == []


def test_no_machine_paths_and_no_registry_hosts():
    """A checkout works anywhere; tests that nothing leaks use the folder of `somebody`."""
    roots = "|".join(["home", "root", "Users", "work", "mnt", "opt", "scratch", "workspace"])
    machine = re.compile(rf"(?<![\w.:/@~*-])/(?:{roots})/(?!somebody)\w|[A-Z]:\\\\\w")
    indexes = ["pypi." + "org", "python" + "hosted", "registry." + "npmjs", "conda." + "anaconda"]
    hosts = re.compile("|".join(map(re.escape, indexes)))
    found = [
        f"{relative(path)}: {match.group()}"
        for path, text in tracked_text()
        for match in [*machine.finditer(text), *hosts.finditer(text)]
    ]
    assert found == []


def test_no_large_file_is_tracked():
    assert [relative(path) for path in tracked_files() if path.stat().st_size > 5 * 2**20] == []


def test_json_configs_parse_without_duplicate_keys():
    def unique(pairs):
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), f"{path}: {sorted(key for key in keys if keys.count(key) > 1)}"
        return dict(pairs)

    for path in sorted((ROOT / "bundles").rglob("*.json")):
        json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)


def test_readme_has_exactly_the_two_setup_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [line.strip() for line in text.splitlines() if line.strip().startswith("python -m pip")] == SETUP_COMMANDS


def test_readme_table_lists_the_bundles_that_exist():
    """A row that is not `planned` is a folder under bundles/, each such folder has a row, and `ready` has weights."""
    status = r"ready|no weights yet|planned"
    rows = re.findall(rf"^\| \[?`(\w+)`.*\| ({status}) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert len(rows) == 5
    folders = {path.parents[1].name for path in (ROOT / "bundles").glob("*/configs/metadata.json")}
    assert {name for name, status in rows if status != "planned"} == folders
    with_weights = {path.parents[1].name for path in (ROOT / "bundles").glob("*/models/model.pt")}
    assert {name for name, status in rows if status == "ready"} == with_weights


def test_version_is_the_same_everywhere():
    source = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "(.+)"$', source, re.M).group(1)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^## \[?(\d+\.\d+\.\d+)", changelog, re.M).group(1) == version
    assert re.search(r"^version: (\S+)$", citation, re.M).group(1) == version


def test_every_dependency_has_a_tested_version():
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + [item for extra in project["optional-dependencies"].values() for item in extra]
    names = {normal(re.match(r"[\w.-]+", item).group()) for item in wanted} - {NAME}
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    exact = {normal(match.group(1)) for line in lines if (match := re.match(r"^([\w.-]+)==[\w.]+(?: ;.*)?$", line))}
    assert len(exact) == len(lines), "each line pins one exact version, no path, no address, no local suffix"
    assert names <= exact


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("module", ["", ".keys", ".errors", ".cli", ".__main__"])
def test_import_loads_nothing_heavy(module):
    heavy = ["torch", "monai", "numpy", "nibabel", "nilearn", "matplotlib", "itk", "scipy", "ignite"]
    code = f"import sys, {NAME}{module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
