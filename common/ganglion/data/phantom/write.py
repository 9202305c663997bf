"""Write a simulated cohort to a folder: images, labels and `dataset.json`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError, StorageError
from ..datalist import write_dataset_json
from ..nifti import write_volume
from .cohorts import COHORTS, Cohort

logger = logging.getLogger(__name__)

FIRST_UNLABELED = 100_000  # so that unlabelled subjects stay the same whatever the number of labelled ones


@dataclass(frozen=True)
class Job:
    """One subject to write; small, so that it travels to worker processes."""

    cohort: str
    folder: str
    subject: str
    index: int
    seed: int
    spacing: float
    labeled: bool


def write_cohort(
    cohort: str,
    dst: str | Path,
    subjects: int,
    seed: int = 0,
    spacing: float = 1.0,
    unlabeled: int = 0,
    splits: Sequence[int] | None = None,
    workers: int = 1,
    progress: bool = True,
) -> Path:
    """Simulate a cohort and write it as a data set.

    The same seed gives the same bytes: a subject depends on cohort, seed, spacing and its own number alone.

    Args:
        cohort: "brats", "iseg" or "mrbrains".
        dst: folder to write; must be new or empty.
        subjects: number of labelled subjects.
        seed: any whole number from 0.
        spacing: voxel size in mm (in plane, for cohorts with thick slices).
        unlabeled: number of further subjects without a label, in the list `unlabeled`.
        splits: how many of the subjects go to training, validation and test; about 60, 15 and 25 % if not given.
        workers: number of processes.
        progress: show a progress bar on a terminal, and a line a subject in a log.

    Returns:
        The folder.

    Raises:
        InputError: an argument does not fit, or the folder is not empty.
        StorageError: the folder cannot be made, or the disk is full.
    """
    chosen, counts = _check_arguments(cohort, subjects, seed, spacing, unlabeled, splits, workers)
    folder = _new_folder(Path(dst))
    names = [(f"sub-{k + 1:03d}", k, True) for k in range(subjects)]
    names += [(f"sub-u{k + 1:03d}", FIRST_UNLABELED + k, False) for k in range(unlabeled)]
    jobs = [Job(cohort, str(folder), name, index, seed, spacing, labeled) for name, index, labeled in names]
    written = list(_progress(_run(jobs, workers), len(jobs), progress))
    logger.debug("wrote %d subjects", len(written))
    write_dataset_json(folder, _dataset(chosen, counts, unlabeled, seed, spacing))
    return folder


def _new_folder(folder: Path) -> Path:
    """Make the folder, or take it as it is if it is empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is not an empty folder: give a new one, or delete it first")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot make the folder {folder} ({error.strerror}): give one that can be written"
        ) from error
    return folder


def default_splits(subjects: int) -> tuple[int, int, int]:
    """About 60, 15 and 25 % for training, validation and test; each at least one from three subjects on."""
    if subjects < 3:
        return (1, 0, subjects - 1) if subjects else (0, 0, 0)
    validation, test = max(1, round(0.15 * subjects)), max(1, round(0.25 * subjects))
    return subjects - validation - test, validation, test


def _check_arguments(
    cohort: str, subjects: int, seed: int, spacing: float, unlabeled: int, splits: Sequence[int] | None, workers: int
) -> tuple[Cohort, tuple[int, int, int]]:
    if cohort not in COHORTS:
        raise InputError(f"unknown cohort '{cohort}': choose one of {', '.join(COHORTS)}")
    for name, value, least in (
        ("subjects", subjects, 1),
        ("seed", seed, 0),
        ("unlabeled", unlabeled, 0),
        ("workers", workers, 1),
    ):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise InputError(f"{name} is {value!r}: give a whole number from {least}")
    if not isinstance(spacing, (int, float)) or not 0.5 <= spacing <= 6.0:
        raise InputError(f"spacing is {spacing!r}: give a voxel size between 0.5 and 6 mm")
    counts = default_splits(subjects) if splits is None else tuple(splits)
    whole = all(isinstance(n, (int, np.integer)) for n in counts)
    if not whole or len(counts) != 3 or min(counts) < 0 or sum(counts) != subjects:
        raise InputError(
            f"splits is {splits!r}: give three numbers (training, validation, test) that sum to {subjects}"
        )
    return COHORTS[cohort], (counts[0], counts[1], counts[2])


def _run(jobs: list[Job], workers: int) -> Iterator[str]:
    """Write every subject; results come in the order of the jobs."""
    if workers == 1 or len(jobs) == 1:
        yield from map(write_subject, jobs)
        return
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(write_subject, jobs)


def _progress(items: Iterator[str], total: int, wanted: bool) -> Iterator[str]:
    """A bar on a terminal, lines in the log otherwise."""
    if wanted and sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc="simulated subjects", unit="subject")
        return
    for done, item in enumerate(items, start=1):
        if wanted:
            logger.info("simulated subject %d of %d: %s", done, total, item)
        yield item


def write_subject(job: Job) -> str:
    """Simulate one subject and write its files; gives the subject's name."""
    cohort = COHORTS[job.cohort]
    stream = np.random.SeedSequence([job.seed, cohort.code, job.index])
    images, label, affine = cohort.simulate(stream, job.spacing)
    files = {contrast: images[contrast] for contrast in cohort.contrasts}
    if job.labeled:
        files["label"] = label
    folder = Path(job.folder) / job.subject
    try:
        folder.mkdir()
        for name, values in files.items():
            write_volume(folder / f"{job.subject}_{name}.nii.gz", values, affine)
    except OSError as error:
        raise StorageError(
            f"cannot write {folder} ({error.strerror}): free some space or give another folder"
        ) from error
    return job.subject


def _dataset(cohort: Cohort, counts: tuple[int, int, int], unlabeled: int, seed: int, spacing: float) -> dict[str, Any]:
    """The content of `dataset.json`; paths are relative to the folder."""

    def item(subject: str, labeled: bool) -> dict[str, Any]:
        images = [f"{subject}/{subject}_{contrast}.nii.gz" for contrast in cohort.contrasts]
        entry: dict[str, Any] = {"subject": subject, "image": images}
        return entry | {"label": f"{subject}/{subject}_label.nii.gz"} if labeled else entry

    subjects = [f"sub-{k + 1:03d}" for k in range(sum(counts))]
    ends = np.cumsum(counts).tolist()
    lists = {
        "training": [item(s, True) for s in subjects[: ends[0]]],
        "validation": [item(s, True) for s in subjects[ends[0] : ends[1]]],
        "test": [item(s, True) for s in subjects[ends[1] :]],
        "unlabeled": [item(f"sub-u{k + 1:03d}", False) for k in range(unlabeled)],
    }
    return {
        "name": cohort.name,
        "description": cohort.description,
        "simulated": {"cohort": cohort.name, "seed": int(seed), "spacing": float(spacing)},
        "channel_names": {str(k): contrast for k, contrast in enumerate(cohort.contrasts)},
        "labels": cohort.labels,
        **({} if cohort.label_map is None else {"label_map": {str(a): b for a, b in cohort.label_map.items()}}),
        "seed": int(seed),
        "file_ending": ".nii.gz",
        **lists,
    }
