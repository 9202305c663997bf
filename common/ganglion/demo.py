"""`ganglion demo`: the whole chain on simulated scans within minutes, on a copy of a bundle, in one folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import __version__
from .errors import GanglionError, InputError
from .reports.shell import command_line

BUNDLE = "segan_transfer"
BUNDLE_VARIABLE = "GANGLION_BUNDLE"
PACKAGE = str(__package__)
MARKER = ".demo.json"
OURS = ("data", BUNDLE, "run", "before", "after", "zip", "elsewhere", "new_scans", "logs", "report.html", "picture.png")
SHIPPED, TUNED = "shipped weights", "after training"


@dataclass(frozen=True)
class Settings:
    """What decides the numbers of a demonstration."""

    version: str
    subjects: int
    epochs: int
    seed: int
    spacing: float


def demo(
    out: str = "ganglion_demo",
    subjects: int = 16,
    epochs: int = 12,
    seed: int = 1000,
    spacing: float = 2.0,
    bundle: str | None = None,
) -> Path:
    """Simulate scans, score the shipped weights, train on, score again, pass the bundle on, write a report.

    Args:
        out: folder for everything that is written; it may hold a former demonstration, which is replaced.
        subjects: number of simulated subjects, from 4; half of them are kept for the test.
        epochs: how long to train.
        seed: of the simulated subjects; the default is not that of the subjects behind the shipped weights.
        spacing: voxel size in mm.
        bundle: folder of the bundle; default: the environment's GANGLION_BUNDLE, else the one beside the package.

    Returns:
        The path of the report.
    """
    started = time.monotonic()
    if subjects < 4 or epochs < 1:
        raise InputError(f"found subjects {subjects} and epochs {epochs}, expected at least 4 and 1.")
    source = find_bundle(bundle)
    folder = Path(out)
    settings = Settings(__version__, subjects, epochs, seed, spacing)
    reuse = prepare_folder(folder, settings)
    shutil.copytree(source, folder / BUNDLE, ignore=shutil.ignore_patterns("runs", "eval", "data"))
    print(f"Demonstration on simulated scans, not patients. Everything is written to {folder}, nothing else.")
    release = json.loads((source / "configs" / "metadata.json").read_text(encoding="utf-8"))["version"]
    steps = plan(folder, settings, release)
    for number, step in enumerate(steps, start=1):
        kept = reuse and step.name == "cohort"
        print(f"[{number}/{len(steps)}] {step.title}{' (kept)' if kept else ''}\n{step.line}", flush=True)
        if not kept:
            execute(step, folder / "logs" / f"{number}_{step.name}.log")
    report = _report(folder, [step.line for step in steps], settings)
    _print_end(folder, report, time.monotonic() - started)
    return report


@dataclass(frozen=True)
class Step:
    """One command line, what it is for, and how to see how far it is."""

    name: str
    title: str
    words: tuple[str, ...]
    total: int
    count: Callable[[], int]

    @property
    def line(self) -> str:
        """The command as it can be typed into a shell."""
        return command_line(self.words)


def find_bundle(bundle: str | None = None) -> Path:
    """The folder of the bundle: as told, from the environment, or beside the package in its repository."""
    told = bundle or os.environ.get(BUNDLE_VARIABLE)
    root = Path(told) if told else Path(__file__).resolve().parents[2] / "bundles" / BUNDLE
    for part in ("configs/train.json", "models/model.pt"):
        if not (root / part).is_file():
            where = root if told else f"bundles/{BUNDLE}"
            raise InputError(
                f"{where}: found no {part}, expected the bundle {BUNDLE}; name its folder with --bundle DIR."
            )
    return root


def prepare_folder(folder: Path, settings: Settings) -> bool:
    """Make the folder, or clear a former demonstration out of it.

    Returns:
        Whether the simulated scans of a former demonstration with the same settings can stay.
    """
    marker = folder / MARKER
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, expected a folder; choose another with --out DIR.")
    if folder.is_dir() and any(folder.iterdir()) and not marker.is_file():
        raise InputError(f"{folder} holds files that are not of a demonstration; choose another folder with --out DIR.")
    reuse = _same_cohort(marker, settings) and (folder / "data" / "dataset.json").is_file()
    for name in OURS:
        path = folder / name
        if path.is_dir() and not (reuse and name == "data"):
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
    (folder / "logs").mkdir(parents=True)
    marker.write_text(json.dumps(asdict(settings)) + "\n", encoding="utf-8")
    return reuse


def splits_of(subjects: int) -> tuple[int, int, int]:
    """Half to test, since the table is about them; the rest to train and validate."""
    test = subjects // 2
    validation = max(1, (subjects - test) // 4)
    return subjects - test - validation, validation, test


def plan(folder: Path, settings: Settings, release: str) -> list[Step]:
    """The commands, in order; the release is the bundle's version, which its zip is named by."""
    return [_cohort_step(folder, settings), *_bundle_steps(folder, settings), *_sharing_steps(folder, release)]


def _cohort_step(folder: Path, settings: Settings) -> Step:
    splits = splits_of(settings.subjects)
    counts = "{} to train, {} to validate, {} to test".format(*splits)
    numbers = {
        "subjects": settings.subjects,
        "splits": ",".join(map(str, splits)),
        "unlabeled": 1,
        "seed": settings.seed,
        "spacing": settings.spacing,
        "workers": min(2, os.cpu_count() or 1),
    }
    options = [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
    words = ("python", "-m", PACKAGE, "phantom", "brats", f"{folder}/data", *options)
    title = f"Simulate {settings.subjects} subjects with tumours: {counts}; and one without a label"
    return Step("cohort", title, words, settings.subjects + 1, lambda: len(list((folder / "data").glob("*/*_T2*"))))


def _bundle_steps(folder: Path, settings: Settings) -> list[Step]:
    epochs, (_, _, test) = settings.epochs, splits_of(settings.subjects)
    root = folder / BUNDLE
    scored = str([f"{root}/configs/inference.json", f"{root}/configs/evaluate.json"])

    def words(run: str, config: str, output: str, *more: str) -> tuple[str, ...]:
        return _monai_words(folder, root, run, config, output, *more)

    tuned = str([f"{root}/configs/train.json", f"{root}/configs/variants/fine_tune.json"])
    knobs = ("--epochs", str(epochs), "--val_interval", str(max(1, epochs // 4)))
    return [
        Step(
            "before", "Score the shipped weights", words("evaluating", scored, "before"), test, _count(folder, "before")
        ),
        Step(
            "training",
            f"Train for {epochs} epochs, critic against segmenter, from the shipped weights",
            words("training", tuned, "run", *knobs),
            epochs,
            lambda: _rows(folder / "run" / "history.csv"),
        ),
        Step("after", "Score the trained weights", words("evaluating", scored, "after"), test, _count(folder, "after")),
    ]


def _sharing_steps(folder: Path, release: str) -> list[Step]:
    archive, root = folder / "zip" / f"{BUNDLE}_v{release}.zip", folder / "elsewhere" / BUNDLE
    served = f"{root}/configs/inference.json"
    ours = ("python", "-m", PACKAGE)
    return [
        Step(
            "pack",
            "Pack the trained bundle and its library into one zip",
            (*ours, "pack", f"{folder}/{BUNDLE}", "--out", f"{folder}/zip"),
            1,
            lambda: int(archive.exists()),
        ),
        Step(
            "unpack",
            "Unpack it elsewhere, once everything in it was looked at",
            (*ours, "unpack", str(archive), f"{folder}/elsewhere"),
            1,
            lambda: int(root.exists()),
        ),
        Step(
            "inference",
            "Label a scan that has no label, with the bundle that came out of the zip and the library inside it",
            _monai_words(folder, root, "inference", served, "new_scans", "--section", "unlabeled"),
            1,
            _count(folder, "new_scans"),
        ),
    ]


def _monai_words(folder: Path, root: Path, run: str, config: str, output: str, *more: str) -> tuple[str, ...]:
    start = ("python", "-m", "monai.bundle", "run", run, "--config_file", config, "--bundle_root", str(root))
    return (*start, "--dataset_dir", f"{folder}/data", "--output_dir", f"{folder}/{output}", *more)


def _count(folder: Path, output: str) -> Callable[[], int]:
    """How many volumes a step has labelled."""
    return lambda: len(list((folder / output).glob("*_pred.nii.gz")))


def execute(step: Step, log: Path) -> None:
    """Run a step's command with a progress bar; what it says goes to a log, and its end is shown if it fails."""
    from tqdm import tqdm

    words = [sys.executable, *step.words[1:]]
    with open(log, "wb") as stream, tqdm(total=step.total, desc=step.name, leave=False, disable=None) as bar:
        process = subprocess.Popen(words, stdout=stream, stderr=subprocess.STDOUT)  # noqa: S603  our own words
        try:
            while process.poll() is None:
                time.sleep(0.3)
                bar.update(step.count() - bar.n)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-6:]
        sys.stderr.write("\n".join(f"  | {line}" for line in last) + "\n")
        error = GanglionError(f"'{step.title}' ended with exit code {process.returncode}; its log is {log}")
        error.exit_code = process.returncode if process.returncode > 0 else 128 - process.returncode
        raise error


def _report(folder: Path, lines: Sequence[str], settings: Settings) -> Path:
    from .data import load_items
    from .keys import CONTRASTS
    from .reports import write_report
    from .reports.overlays import find_cases, pick
    from .reports.picture import write_picture
    from .reports.scores import read_scores

    scores = read_scores(folder / "after")
    count = len(scores["subjects"])
    cases = find_cases(load_items(folder / "data", "test"), CONTRASTS, folder / "after", "FLAIR")
    files = {case.subject: case for case in cases}
    shown = [(f"{place}: Dice {row['dice']:.2f}", files[row["subject"]]) for place, row in pick(scores["subjects"])]
    headline = f"Simulated scans, FLAIR; chosen by Dice from {count} test subjects, which no training has seen"
    write_picture(folder / "picture.png", shown, headline)
    note = (
        f"A demonstration: {settings.epochs} epochs from the shipped weights on a handful of simulated subjects. The "
        f"scores are of {count} other simulated subjects, which no training has seen."
    )
    return write_report(
        folder / "report.html",
        run_dir=folder / "run",
        evaluation_dir=folder / "after",
        dataset_dir=folder / "data",
        title="SegAN: whole tumours in simulated scans",
        name=TUNED,
        compare={SHIPPED: folder / "before"},
        commands=lines,
        notes=[note],
        simulated=True,
        logs=[folder / "logs" / name for name in ("4_after.log", "7_inference.log")],
    )


def _print_end(folder: Path, report: Path, seconds: float) -> None:
    from .metrics import paired_difference
    from .reports.scores import cells, read_scores, title

    scores = {name: read_scores(folder / part) for name, part in ((SHIPPED, "before"), (TUNED, "after"))}
    print(f"\n{'Whole tumour, simulated':<24}{'':<16}{'mean':>8}{'sd':>8}{'n':>4}  95 % interval")
    for metric in ("dice", "precision", "sensitivity", "hd95_mm", "assd_mm", "volume_error_ml"):
        for name, content in scores.items():
            mean, sd, n, interval = cells(_only(content["summary"])[metric], metric)
            print(f"{title(metric) if name == SHIPPED else '':<24}{name:<16}{mean:>8}{sd:>8}{n:>4}  {interval}")
    a, b = ([row["dice"] for row in scores[name]["subjects"]] for name in (TUNED, SHIPPED))
    mean, sd, n, interval = cells(paired_difference(a, b), "dice")
    print(f"{'Dice, difference':<40}{mean:>8}{sd:>8}{n:>4}  {interval}")
    print(f"\nReport: {report}  ({seconds:.0f} s in all; the new scan's label lies in {folder / 'new_scans'})")
    print("Your own scans:  python -m ganglion data convert folder SRC DST  (then train with --dataset_dir DST)")


def _only(summary: Mapping[str, Any]) -> Mapping[str, Any]:
    (region,) = summary.values()
    return region


def _same_cohort(marker: Path, settings: Settings) -> bool:
    """Whether a former demonstration simulated the same subjects; how long it trained does not matter."""
    try:
        former = json.loads(marker.read_text(encoding="utf-8"))
        return {**former, "epochs": settings.epochs} == asdict(settings)
    except (OSError, ValueError, TypeError):
        return False


def _rows(history: Path) -> int:
    try:
        return max(0, len(history.read_text(encoding="utf-8").splitlines()) - 1)
    except OSError:
        return 0
