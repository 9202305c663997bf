"""Score the unified multi-modal bundle on every subset of contrasts, and its translations: simulated and real scans.

    python -m benchmarks.unified_scores OUT [--simulated DIR] [--real REAL_DATA] [--weights FILE] [--translator FILE]
        [--baselines "{'unet_joint': FILE}"] [--no_translations]

DIR is a data set with four contrasts whose test list nobody was trained or selected on. REAL_DATA holds the folders
brats2013 (four gliomas, FLAIR and T1ce alone, as hospitals have it, expert labels), tcga_lgg_brats_space (one glioma,
four contrasts, machine labels) and open_ms_mni (two patients with multiple sclerosis, four contrasts, lesions drawn by
several raters). No real scan was used to train or select the weights. A baseline is an overlay over inference.json and
the weights that were trained with it, on the same data and for as long. Writes docs/results/unified_simulated.json and
docs/results/unified_real.json, whose tables the model card holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import fire

from ganglion.data.convert import convert

from .bundle_runs import command, compare, row, run, write_table

CONFIGS = Path("bundles/unified_multimodal/configs")
RESULTS = Path("docs/results")
# Name in the tables: folder, subjects, and what the converter has to be told.
REAL: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "gliomas": (
        "brats2013",
        ("sub-0001", "sub-0003", "sub-0005", "sub-0006"),
        {"label_name": "tumour", "label_map": "brats2013"},
    ),
    "low-grade glioma": ("tcga_lgg_brats_space", ("sub-TCGA-FG-6692",), {"label_name": "tumour-auto"}),
    "MS": ("open_ms_mni", ("sub-07", "sub-19"), {"label_name": "lesion"}),
}
MEASURES = ("ssim", "psnr_db", "mae", "dice")


def slug(name: str) -> str:
    """A data set's name as a folder."""
    return "".join(c if c.isalnum() else "_" for c in name.lower())


def describe(name: str, real: Path, out: Path) -> Path:
    """Write the data set's dataset.json; the scans stay where they are."""
    source, subjects, options = REAL[name]
    folder = out / "data" / slug(name)
    if not (folder / "dataset.json").exists():
        convert("folder", real / source, folder, sections={"test": list(subjects)}, **options)
    return folder


def regions(folder: Path) -> list[str]:
    """The subsets that an evaluation scored, in its order."""
    return list(json.loads((folder / "scores.json").read_text(encoding="utf-8"))["summary"])


def subset_rows(name: str, folder: Path) -> list[dict[str, Any]]:
    """A row for each subset that was scored."""
    return [row(f"{name}, {region}", [folder], region) for region in regions(folder)]


def baseline_rows(name: str, baseline: str, folder: Path, ours: Path) -> tuple[list[dict[str, Any]], list[Any]]:
    """A baseline's rows for single contrasts and their mean, and what the network gains over it there."""
    chosen = [region for region in regions(folder) if region == "any 1" or not any(c in region for c in "+ ")]
    rows = [row(f"{name}, {baseline}, {region}", [folder], region) for region in chosen]
    less = [compare(f"{name}, {region}, less {baseline}", [ours], [folder], region) for region in chosen]
    return rows, [difference for pair in less for difference in pair if difference["metric"] == "dice"]


def translation_lines(results: dict[str, Any]) -> list[str]:
    """Translations as a Markdown table: beside each value that of the source as it is, which it has to beat."""
    lines = [
        "| translated | n | SSIM (before) | PSNR dB (before) | MAE (before) | Dice (before) | of the real target |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, pairs in results["translations"].items():
        for pair, values in pairs.items():
            cells = [f"{name}, {pair}", str(values["ssim"]["n"])]
            for measure in MEASURES:
                digits = 1 if measure == "psnr_db" else 3
                mean, before = (values[key]["mean"] for key in (measure, f"{measure}_before"))
                cells.append(f"{mean:.{digits}f} ({before:.{digits}f})")
            lines.append("| " + " | ".join([*cells, f"{values['dice_target']['mean']:.3f}"]) + " |")
    return lines


def score(
    data: Path, folder: Path, files: Mapping[str, str], baselines: Mapping[str, str], translations: bool = True
) -> None:
    """Every subset and every translation of a data set's test list, and every subset by each baseline."""
    for name, file in baselines.items():
        overlays = ["inference", f"variants/{name}", "evaluate"]
        line = command("evaluating", overlays, CONFIGS, output_dir=folder / name, dataset_dir=data, weights=file)
        run(line, folder / name / "scores.json", folder / f"{name}.log")
    shared: dict[str, Any] = {"dataset_dir": data, **{name: file for name, file in files.items() if file}}
    line = command("evaluating", ["inference", "evaluate"], CONFIGS, output_dir=folder / "subsets", **shared)
    run(line, folder / "subsets" / "scores.json", folder / "subsets.log")
    if not translations:
        return
    overlays = ["inference", "translate", "evaluate_translation"]
    line = command("evaluating", overlays, CONFIGS, output_dir=folder / "translated", **shared)
    run(line, folder / "translated" / "translation.json", folder / "translated.log")


def collect(what: str, names: Sequence[str], out: Path, baselines: Iterable[str]) -> dict[str, Any]:
    """The results of several data sets."""
    results: dict[str, Any] = {"what": what, "rows": [], "differences": [], "translations": {}}
    for name in names:
        folder = out / slug(name)
        results["rows"] += subset_rows(name, folder / "subsets")
        for baseline in baselines:
            rows, differences = baseline_rows(name, baseline, folder / baseline, folder / "subsets")
            results["rows"] += rows
            results["differences"] += differences
        file = folder / "translated" / "translation.json"
        if file.exists():
            results["translations"][name] = json.loads(file.read_text(encoding="utf-8"))["summary"]
    return results


def main(
    out: str,
    simulated: str = "",
    real: str = "",
    weights: str = "",
    translator: str = "",
    baselines: Mapping[str, str] | None = None,
    no_translations: bool = False,
) -> None:
    """Score what is named; print the commands and the tables of the model card."""
    place, others = Path(out), dict(baselines or {})
    files = {"weights": weights, "translator_weights": translator}
    if simulated:
        score(Path(simulated), place / "simulated", files, others, not no_translations)
        results = collect("simulated scans, test list", ["simulated"], place, others)
        publish(results, RESULTS / "unified_simulated.json")
    if real:
        for name in REAL:
            data = describe(name, Path(real), place)
            score(data, place / slug(name), files, others, not no_translations)
        results = collect("real scans, none of them trained on", list(REAL), place, others)
        publish(results, RESULTS / "unified_real.json")


def publish(results: dict[str, Any], path: Path) -> None:
    """Write the results and print their tables."""
    write_table(results, path)
    if results["translations"]:
        print("\n".join(["", *translation_lines(results)]))


if __name__ == "__main__":
    fire.Fire(main)
