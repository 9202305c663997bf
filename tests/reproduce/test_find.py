"""BUNDLE/TABLE, in a checkout, by path, and from within an unpacked zip."""

import shutil
from pathlib import Path

import pytest

from ganglion.errors import InputError
from ganglion.reproduce import find
from ganglion.reproduce.find import find_table, shown


def test_a_bundle_beside_the_package_is_found_by_its_name(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_table("segan_transfer/table1") == (repository / "bundles" / "segan_transfer", "table1")
    monkeypatch.chdir(repository)
    assert find_table("segan_transfer/table1") == (Path("bundles/segan_transfer"), "table1")


def test_a_bundle_is_found_by_its_path(toy, monkeypatch):
    for words in (f"{toy.root}/toy", f"{toy.root}/tables/toy.json"):
        assert find_table(words)[1] == "toy"
        assert find_table(words)[0].resolve() == toy.root
    monkeypatch.chdir(toy.root.parent)
    assert find_table("./toys/toy") == find_table("toys/toy") == (Path("toys"), "toy")
    monkeypatch.chdir(toy.root)
    assert find_table("./toy") == (Path(), "toy")


def test_a_bundle_that_holds_the_library_is_found_by_its_name(toy, tmp_path, monkeypatch):
    """As in a zip: `python -m ganglion_0_1_0 reproduce NAME/TABLE` in its folder."""
    monkeypatch.setattr(find, "_PACKAGE", toy.root / "ganglion_0_1_0")
    shutil.copytree(toy.root, tmp_path / "away")
    monkeypatch.chdir(toy.root)
    assert find_table("toys/toy") == (Path(), "toy")


@pytest.mark.parametrize("words", ["table1", "nothing/table1", "/table1", "bundles/nothing/table1", "../table1"])
def test_what_is_not_found_says_what_there_is(words, tmp_path, monkeypatch, counted):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(InputError, match=r"known.* segan_transfer/table1, segan_transfer/table2"):
        find_table(words)
    counted("faulty inputs")


def test_paths_are_shown_as_they_would_be_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "out") == shown(Path("out")) == Path("out")
    assert shown(tmp_path.parent) == tmp_path.parent
    assert shown(Path("../x")) == Path("../x")
