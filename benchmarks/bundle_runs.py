"""Run a bundle's command lines one after the other, skip what is done, and put scores side by side."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganglion.metrics import paired_difference, summarise

CONFIGS = Path("bundles/segan_transfer/configs")


def command(run_id: str, overlays: Sequence[str], folder: Path = CONFIGS, **options: Any) -> list[str]:
    """A `monai.bundle run` line for a base config and its overlays, of a bundle's `folder`, as a user would type it."""
    files = [str(folder / f"{name}.json") for name in overlays]
    config = files[0] if len(files) == 1 else repr(files)
    return [
        *(sys.executable, "-m", "monai.bundle", "run", run_id, "--config_file", config),
        *(word for key, value in options.items() for word in (f"--{key}", str(value))),
    ]


def run(line: Sequence[str], done: Path, log: Path) -> None:
    """Run a line unless the file that it ends with exists; its output goes to a log."""
    shown = shlex.join(["python", *line[1:]])
    if done.exists():
        print(f"done already: {shown}", flush=True)
        return
    print(shown, flush=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as stream:
        code = subprocess.run(line, stdout=stream, stderr=subprocess.STDOUT, check=False).returncode
    if code or not done.exists():
        sys.exit(f"exit code {code}, see {log}")


def scores(folders: Sequence[Path], metric: str = "dice", region: str | None = None) -> dict[str, float]:
    """One metric by subject, of one region, from the scores.json of one evaluation, or of the folds of one."""
    files = [json.loads((folder / "scores.json").read_text(encoding="utf-8")) for folder in folders]
    rows = [row for content in files for row in content["subjects"] if region in (None, row["region"])]
    return {row["subject"]: row[metric] for row in rows}


def row(name: str, folders: Sequence[Path], region: str | None = None) -> dict[str, Any]:
    """Name and summary of one evaluation, the metrics that the model card shows."""
    result: dict[str, Any] = {"name": name, "subjects": scores(folders, region=region)}
    for metric in ("dice", "precision", "sensitivity", "hd95_mm", "assd_mm", "volume_error_ml"):
        result[metric] = summarise(list(scores(folders, metric, region).values()))
    return result


def compare(
    name: str, first: Sequence[Path], second: Sequence[Path], region: str | None = None
) -> list[dict[str, Any]]:
    """Paired differences of Dice and HD95, first less second, over the subjects that both scored."""
    found = []
    for metric in ("dice", "hd95_mm"):
        a, b = scores(first, metric, region), scores(second, metric, region)
        shared = sorted(set(a) & set(b))
        values = paired_difference([a[s] for s in shared], [b[s] for s in shared])
        found.append({"name": name, "metric": metric, **values})
    return found


def table_lines(results: dict[str, Any]) -> list[str]:
    """The rows as a Markdown table, then the differences as a second one; model cards hold these very lines."""
    lines = [
        "| row | n | Dice | sd | 95 % interval | precision | sensitivity | HD95 mm |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for entry in results["rows"]:
        cells = [entry["name"], str(entry["dice"]["n"]), *_mean_and_spread(entry["dice"])]
        cells += [f"{entry[m]['mean']:.3f}" for m in ("precision", "sensitivity")] + [f"{entry['hd95_mm']['mean']:.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    if results.get("differences"):
        lines += [
            "",
            "| difference | of | n | mean | sd | 95 % interval | p (Wilcoxon) |",
            "|---|---|---|---|---|---|---|",
        ]
    for entry in results.get("differences", []):
        p = "-" if entry["p_wilcoxon"] is None else f"{entry['p_wilcoxon']:.3f}"
        lines.append(
            "| " + " | ".join([entry["name"], entry["metric"], str(entry["n"]), *_mean_and_spread(entry), p]) + " |"
        )
    return lines


def _mean_and_spread(summary: dict[str, Any]) -> list[str]:
    if summary["sd"] is None:
        return [f"{summary['mean']:.3f}", "-", "-"]
    low, high = summary["ci95"]
    return [f"{summary['mean']:.3f}", f"{summary['sd']:.3f}", f"{low:.3f} to {high:.3f}"]


def write_table(results: dict[str, Any], path: Path) -> None:
    """The results as JSON at `path` and as Markdown on standard output."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table_lines(results)))
