"""Start-up: our commands against `import torch`, our bundle against one like the model zoo's."""

from __future__ import annotations

import sys
from pathlib import Path

from .machine import Rates
from .side_by_side import QUICK, ROOT, Row, Size, at_most, command_seconds, in_turn, simulated_case

BUNDLE = ROOT / "bundles" / "segan_transfer"
PYTHON = {
    "import ganglion": ["-c", "import ganglion"],
    "ganglion --help": ["-m", "ganglion", "--help"],
}


def measure(folder: Path, size: Size, rates: Rates) -> list[Row]:
    """Two commands that load nothing heavy, and a bundle up to its evaluator."""
    rows = []
    torch = command_seconds([sys.executable, "-c", "import torch"], size)
    for name, words in PYTHON.items():
        ours, theirs = in_turn([command_seconds([sys.executable, *words], size), torch], size.pairs)
        rows.append(at_most(f"start-up, {name}", "s", ours, "import torch", theirs, 0.1))
    data = simulated_case(folder, QUICK)
    lines = [_line(config, root, data, folder) for config, root in _bundles()]
    ours, theirs = in_turn([command_seconds(line, size, cwd=folder) for line in lines], size.pairs)
    note = "python -m monai.bundle run, up to the evaluator with network and weights; no case labelled"
    return [*rows, at_most("start-up, our bundle", "s", ours, "a bundle like the zoo's spleen", theirs, 1.1, note)]


def _bundles() -> list[tuple[Path, Path]]:
    return [(BUNDLE / "configs" / "inference.json", BUNDLE), (ROOT / "benchmarks" / "spleen_like.json", ROOT)]


def _line(config: Path, root: Path, data: Path, folder: Path) -> list[str]:
    options = {"bundle_root": root, "dataset_dir": data, "output_dir": folder / "out", "run": "['$@evaluator']"}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(config), *words]
