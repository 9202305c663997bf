"""The library under another name: which texts of a config change, and which do not."""

import ast
import json
import subprocess
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from ganglion import __version__
from ganglion.sharing import library
from ganglion.sharing.library import library_files, library_targets, point_to, stray_names, versioned_name

ROOT = Path(__file__).parents[2]
OWN = f"ganglion_{__version__.replace('.', '_')}"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"_target_": "ganglion.data.load"}', '{"_target_": "new.data.load"}'),
        ('{"_target_" :  "ganglion.x"}', '{"_target_" :  "new.x"}'),
        ('{"validate#evaluator#_target_": "ganglion.x"}', '{"validate#evaluator#_target_": "new.x"}'),
        ('{"evaluator::_target_": "ganglion.x"}', '{"evaluator::_target_": "new.x"}'),
        ('{"_target_": "ganglionic.x"}', None),
        ('{"_target_": "monai.ganglion.x"}', None),
        ('{"imports": ["$import ganglion"]}', '{"imports": ["$import new"]}'),
        ('{"imports": ["$import ganglion.data as d"]}', '{"imports": ["$import new.data as d"]}'),
        ('{"imports": ["$from ganglion import data"]}', '{"imports": ["$from new import data"]}'),
        ('{"a": "$ganglion.f(ganglion.g, \'x\')"}', '{"a": "$new.f(new.g, \'x\')"}'),
        ('{"a": "$f(\\"ganglion\\")"}', '{"a": "$f(\\"new\\")"}'),
        ('{"a": "$x.ganglion.y + my_ganglion.z + ganglions"}', None),
        ('{"_desc_": "made with ganglion.", "a": "ganglion"}', None),
    ],
)
def test_targets_and_expressions_change_and_nothing_else(text, wanted):
    changed = point_to(text, "ganglion", "new")
    assert changed == (wanted or text)
    json.loads(changed)


def test_every_target_of_a_bundle_names_the_library_of_its_zip(bundle):
    """Counted both ways: as many as there were, and no mention of the old name is left."""
    for path in sorted((bundle / "configs").rglob("*.json")):
        before = json.loads(path.read_text(encoding="utf-8"))
        after = json.loads(point_to(path.read_text(encoding="utf-8"), "ganglion", OWN))
        assert stray_names(after, path.name, OWN) == []
        old, new = list(library_targets(before, "ganglion")), list(library_targets(after, OWN))
        assert [(key, target.replace("ganglion.", f"{OWN}.", 1)) for key, target in old] == new
        assert len(old) == path.read_text(encoding="utf-8").count('"ganglion.')


@pytest.mark.parametrize(
    "value", ["ganglion.data.x", "ganglion_0_0_1.data.x", "see ganglion_9_9_9.errors", "$ganglion.x"]
)
def test_another_copy_of_the_library_is_found(value):
    assert [finding.key for finding in stray_names({"a": [{"b": value}]}, "x.json", OWN)] == ["a#0#b"]
    assert stray_names({"_desc_": value, "a": f"{OWN}.data.x"}, "x.json", OWN) == []


def test_the_version_is_part_of_the_name():
    assert versioned_name() == OWN
    assert versioned_name("ganglion", "1.2.0") == "ganglion_1_2_0"
    assert versioned_name("ganglion", "1.2.0.dev3+local") == "ganglion_1_2_0_dev3_local"


def test_inside_a_zip_the_name_stays():
    assert versioned_name("ganglion_1_2_0", "1.2.0") == "ganglion_1_2_0"


def test_metadata_list_every_package_that_the_library_imports_at_once(bundle):
    """Whoever gets the zip installs MONAI and what is listed; the rest is imported where it is used."""
    listed = json.loads((bundle / "configs" / "metadata.json").read_text())["required_packages_version"]
    homes = packages_distributions()
    imported = set()
    for name, source in library_files().items():
        if name.endswith(".py"):
            for node in ast.parse(source).body:
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
                imported |= {part for name in names for part in homes.get(name.partition(".")[0], [])}
    assert {"torch", "monai", "pytorch-ignite"} <= imported
    assert imported <= {"torch", "monai", "numpy", *listed}


def test_every_tracked_file_of_the_library_travels():
    listing = subprocess.run(
        ["git", "ls-files", "common/ganglion"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    tracked = {name.removeprefix("common/ganglion/") for name in listing.stdout.split() if (ROOT / name).is_file()}
    assert tracked <= library_files().keys()
    assert not any("__pycache__" in name for name in library_files())
    assert library.library_folder() == ROOT / "common" / "ganglion"
