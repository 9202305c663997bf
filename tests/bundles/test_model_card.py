"""The numbers in model cards are those of the evaluation files beside the docs."""

import json
from pathlib import Path

import pytest
from benchmarks.bundle_runs import table_lines
from benchmarks.unified_scores import translation_lines

ROOT = Path(__file__).parents[2]
CARDS = {"segan": "segan_transfer", "unified": "unified_multimodal"}  # how files begin, and the bundle that they are of
RESULTS = [path for name in CARDS for path in sorted((ROOT / "docs" / "results").glob(f"{name}_*.json"))]
OF_SEGAN = [path for path in RESULTS if path.stem.startswith("segan")]


def lines_of(path):
    results = json.loads(path.read_text(encoding="utf-8"))
    return table_lines(results) + (translation_lines(results) if results.get("translations") else [])


def test_there_are_results():
    assert [path.stem for path in RESULTS] == [f"{name}_{kind}" for name in CARDS for kind in ("real", "simulated")]


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_card_holds_every_row(path):
    bundle = CARDS[path.stem.split("_")[0]]
    card = (ROOT / "bundles" / bundle / "docs" / "README.md").read_text(encoding="utf-8")
    lines = lines_of(path)
    assert len(lines) > 4
    missing = [line for line in lines if line and line not in card]
    assert not missing


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_every_number_has_its_subjects(path):
    for row in json.loads(path.read_text(encoding="utf-8"))["rows"]:
        dice = list(row["subjects"].values())
        assert len(dice) == row["dice"]["n"]
        assert sum(dice) / len(dice) == pytest.approx(row["dice"]["mean"])


@pytest.mark.parametrize("card", sorted((ROOT / "bundles" / "segan_transfer" / "docs" / "variants").glob("*.md")))
def test_the_card_of_a_variant_holds_rows_of_the_same_results(card):
    known = [line for path in OF_SEGAN for line in table_lines(json.loads(path.read_text(encoding="utf-8")))]
    rows = [line for line in card.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    assert rows
    assert set(rows) <= set(known)


TABLES = {
    "multistage_gan": ("table7", {"unet": "`unet`", "multi_stage": "multi-stage"}),
    "gt_transfer": ("table2", {"unet": "`unet`", "gt_gan": "GT-layer"}),
}


@pytest.mark.parametrize("bundle", TABLES)
def test_the_card_holds_its_table(bundle):
    """Rows of the card's table, written anew from the file beside the docs: mean, interval, spread of trainings."""
    table, titles = TABLES[bundle]
    results = json.loads((ROOT / "docs" / "results" / "tables" / bundle / f"{table}.json").read_text("utf-8"))
    rows = {row["row"]: row["metrics"] for row in results["rows"] if row["state"] == "done"}
    card = (ROOT / "bundles" / bundle / "docs" / "README.md").read_text(encoding="utf-8")
    lines = []
    for name, title in titles.items():
        for tissue in ("CSF", "GM", "WM"):
            dice, hd95 = rows[name][f"{tissue}/dice"], rows[name][f"{tissue}/hd95_mm"]
            low, high = dice["ci95"]
            spread = [f"{dice['seed_sd']:.3f}"] if len(results["seeds"]) > 1 else []
            numbers = [f"{dice['n']} | {dice['mean']:.3f} | {low:.3f} to {high:.3f}", *spread, f"{hd95['mean']:.1f}"]
            lines.append(f"| {title} | {tissue} | {' | '.join(numbers)} |")
    section = card.split("## Simulated scans\n")[1].split("\n## ")[0]
    assert [line for line in section.splitlines() if line.startswith("| ")][1:] == lines
