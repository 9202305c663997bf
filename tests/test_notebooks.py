"""The notebooks run from the first cell to the last, as somebody who starts Jupyter in the repository runs them."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def test_there_are_two_and_they_hold_no_output():
    nbformat = pytest.importorskip("nbformat", reason="the extra `notebooks` is not installed")
    assert [path.stem for path in NOTEBOOKS] == ["first_hour", "own_method"]
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert [cell for cell in notebook.cells if cell.cell_type == "code" and cell.outputs] == []


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="the extra `notebooks` is not installed")
    nbclient = pytest.importorskip("nbclient", reason="the extra `notebooks` is not installed")
    (tmp_path / "bundles").symlink_to(ROOT / "bundles")
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    notebook = nbformat.read(path, as_version=4)
    run = nbclient.NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}})
    run.execute()
    assert {entry.name for entry in tmp_path.iterdir()} == {"bundles", path.stem}
