"""A small bundle with a table of its own, to write mistakes into and to run in seconds."""

import json
import shutil
from pathlib import Path

import pytest

from ganglion.reproduce import share
from ganglion.reproduce.table import read_tables

ROOT = Path(__file__).parents[2]
COHORT = {"cohort": "brats", "subjects": 4, "seed": 3, "spacing": 6.0, "splits": [2, 1, 1]}
TOY = {
    "title": "Toy",
    "columns": ["dice"],
    "baseline": "first",
    "scales": {
        "small": {"overlays": ["variants/tiny"], "options": {"precision": "fp32"}, "cohort": COHORT, "seconds": 60},
        "paper": {},
    },
    "rows": [
        {"row": "printed", "name": "Printed", "printed_only": True, "paper": {"dice": 0.8}, "where": "Table 1"},
        {"row": "first", "name": "First", "train": ["variants/flair"], "infer": ["variants/flair"]},
        {
            "row": "second",
            "name": "Second",
            "train": ["variants/flair", "variants/frozen_critic"],
            "infer": ["variants/flair"],
            "options": {"epochs": 2},
            "start_from": {
                "segmenter": "{toy/first}/model.pt",
                "critic": "{toy/first}/run/networks/critic.pt",
            },
            "cell": ["FLAIR", "FLAIR"],
        },
        {"row": "elsewhere", "name": "On T1", "weights": "{toy/first}/model.pt", "infer": ["variants/t1"]},
    ],
}
TINY = {
    "epochs": 3,
    "val_interval": 3,
    "volumes_per_batch": 2,
    "slices_per_volume": 2,
    "width": 4,
    "tensorboard": False,
}


class Toy:
    """The bundle, and its tables as dictionaries to change."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.table = json.loads(json.dumps(TOY))

    def write(self, name: str = "toy", table: dict | None = None) -> Path:
        """Write a table; gives its file."""
        path = self.root / "tables" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(self.table if table is None else table))
        return path

    def read(self, name: str = "toy"):
        """The table and those that it starts from."""
        return read_tables(self.root, name)

    def row(self, name: str) -> dict:
        """A row, to change."""
        return next(row for row in self.table["rows"] if row["row"] == name)


@pytest.fixture
def toy(tmp_path):
    root = tmp_path / "toys"
    shutil.copytree(ROOT / "bundles" / "segan_transfer" / "configs", root / "configs")
    (root / "configs" / "variants" / "tiny.json").write_text(json.dumps(TINY))
    made = Toy(root)
    made.write()
    return made


@pytest.fixture
def short_pauses(monkeypatch):
    """Rows that take no time are looked at as often as that."""
    monkeypatch.setattr(share, "_PAUSE", 0.02)
    monkeypatch.setattr(share, "_LOOK", 0.05)
