"""`ganglion demo --all`: what each bundle makes of what, on simulated scans, as one picture and one table."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from . import __version__
from .demo import PACKAGE, Step, execute
from .errors import InputError

MARKER = ".demo_all.json"
SUBJECTS, SPLITS = 5, (1, 1, 3)  # three are labelled and scored
DRAWN = 4
WHITE_MATTER = "white matter"


@dataclass(frozen=True)
class Shown:
    """A bundle of the demonstration.

    Attributes:
        root: its folder.
        cohort: what is simulated for it.
        contrasts: what it takes, or what it draws.
        draws: whether it makes images from nothing instead of labels from images.
    """

    root: Path
    cohort: str
    contrasts: tuple[str, ...]
    draws: bool

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.root.name


def demo_all(out: str | Path, seed: int, spacing: float, bundles: str | Path | None = None) -> Path:
    """Let every bundle that has weights label, or draw, and put input and output of all into one picture.

    Args:
        out: new or empty folder, or that of a former call, whose results are replaced.
        seed: of the simulated subjects and of what is drawn.
        spacing: voxel size of the simulated subjects in mm.
        bundles: folder of the bundles; default: the one beside the package.

    Returns:
        The path of the picture.
    """
    started = time.monotonic()
    shown = find_bundles(Path(bundles) if bundles else Path(__file__).resolve().parents[2] / "bundles")
    folder = Path(out)
    clear(folder)
    print(f"All bundles that have weights, on simulated scans, not patients. Everything is written to {folder}.")
    steps = plan(folder, shown, seed, spacing)
    for number, step in enumerate(steps, start=1):
        print(f"[{number}/{len(steps)}] {step.title}\n{step.line}", flush=True)
        execute(step, folder / "logs" / f"{number}_{step.name}.log")
    picture = _picture(folder, shown)
    print("\n" + "\n".join(_table(folder, shown)))
    print(f"\nPicture: {picture}  ({time.monotonic() - started:.0f} s in all)")
    return picture


def find_bundles(folder: Path) -> list[Shown]:
    """The bundles of a folder that have weights: those that label first, those that draw last."""
    found = []
    for weights in sorted(folder.glob("*/models/model.pt")):
        root = weights.parents[1]
        metadata = json.loads((root / "configs" / "metadata.json").read_text(encoding="utf-8"))
        config = json.loads((root / "configs" / "inference.json").read_text(encoding="utf-8"))
        names = metadata["network_data_format"]["outputs"]["pred"].get("channel_def", {}).values()
        draws = (root / "configs" / "train_generator.json").is_file()
        found.append(Shown(root, "iseg" if WHITE_MATTER in names else "brats", tuple(config["contrasts"]), draws))
    if not found:
        raise InputError(
            f"{folder}: found no bundle with models/model.pt, expected one or more; call it in a checkout, or name the "
            "folder of the bundles with --bundle DIR."
        )
    return sorted(found, key=lambda one: one.draws)


def clear(folder: Path) -> None:
    """Make the folder, or take a former demonstration out of it."""
    if folder.is_file():
        raise InputError(f"{folder} is a file, expected a folder; choose another with --out DIR.")
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / MARKER).is_file():
            raise InputError(
                f"{folder} holds files that are not of a demonstration of all; choose another folder with --out DIR."
            )
        shutil.rmtree(folder)
    (folder / "logs").mkdir(parents=True)
    (folder / MARKER).write_text(json.dumps({"version": __version__}) + "\n", encoding="utf-8")


def plan(folder: Path, shown: Sequence[Shown], seed: int, spacing: float) -> list[Step]:
    """The commands in order: a cohort of each kind that is wanted, then each bundle."""
    cohorts = dict.fromkeys(one.cohort for one in shown if not one.draws)
    return [
        *(_simulate(folder, cohort, seed, spacing) for cohort in cohorts),
        *(_draw(folder, one, seed) if one.draws else _label(folder, one) for one in shown),
    ]


def _simulate(folder: Path, cohort: str, seed: int, spacing: float) -> Step:
    data = folder / "data" / cohort
    numbers = {"subjects": SUBJECTS, "splits": ",".join(map(str, SPLITS)), "seed": seed, "spacing": spacing}
    options = [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
    words = ("python", "-m", PACKAGE, "phantom", cohort, str(data), *options)
    title = f"Simulate {SUBJECTS} subjects as in {cohort}"
    return Step(f"simulate_{cohort}", title, words, SUBJECTS, lambda: len(list(data.glob("*/*_T1.*"))))


def _label(folder: Path, one: Shown) -> Step:
    configs, out = one.root / "configs", folder / one.name
    files = str([str(configs / "inference.json"), str(configs / "evaluate.json")])
    words = ("python", "-m", "monai.bundle", "run", "evaluating", "--config_file", files, "--bundle_root")
    data = str(folder / "data" / one.cohort)
    more = (str(one.root), "--dataset_dir", data, "--output_dir", str(out))
    title = f"{one.name}: label and score {SPLITS[2]} subjects with the shipped weights"
    return Step(one.name, title, (*words, *more), SPLITS[2], lambda: len(list(out.glob("*_pred.nii.gz"))))


def _draw(folder: Path, one: Shown, seed: int) -> Step:
    config, out = str(one.root / "configs" / "generate.json"), folder / one.name
    words = ("python", "-m", "monai.bundle", "run", "generating", "--config_file", config, "--bundle_root")
    more = (str(one.root), "--output_dir", str(out), "--count", str(DRAWN), "--grid", str(DRAWN), "--seed", str(seed))
    title = f"{one.name}: draw {DRAWN} slices with their labels"
    return Step(one.name, title, (*words, *more), DRAWN, lambda: len(list(out.glob("*/*_label*"))))


def _picture(folder: Path, shown: Sequence[Shown]) -> Path:
    from .reports.gallery import Row, drawn_row, labelled_row, write_gallery

    rows: list[Row] = []
    for one in shown:
        if one.draws:
            rows.append(drawn_row(one.name, folder / one.name, one.contrasts))
        else:
            rows.append(labelled_row(one.name, folder / "data" / one.cohort, one.contrasts, folder / one.name))
    headline = f"Simulated scans; ganglion {__version__}{_commit()}, {date.today().isoformat()}"
    return write_gallery(folder / "picture.png", rows, headline)


def _commit() -> str:
    """The commit of the checkout that the package lies in, as words; nothing elsewhere."""
    git, root = shutil.which("git"), Path(__file__).resolve().parents[2]
    if git is None or not (root / ".git").exists():
        return ""
    words = [git, "-C", str(root), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603  our own words
    return f", commit {done.stdout.strip()}" if done.returncode == 0 else ""


def _table(folder: Path, shown: Sequence[Shown]) -> list[str]:
    """A line for each region that a bundle labels."""
    from .reports.scores import cells, read_scores

    lines = [f"{'bundle':<24}{'region':<22}{'Dice':>8}{'sd':>8}{'n':>4}  95 % interval"]
    for one in shown:
        if one.draws:
            lines.append(f"{one.name:<24}draws; see {folder / one.name}")
            continue
        summary: dict[str, Any] = read_scores(folder / one.name)["summary"]
        for region, metrics in summary.items():
            mean, sd, n, interval = cells(metrics["dice"], "dice")
            lines.append(f"{one.name:<24}{region:<22}{mean:>8}{sd:>8}{n:>4}  {interval}")
    return lines
