"""DICOM series, one a contrast, in whatever folders: grouped by their headers, written as NIfTI, unlabelled.

No name leaves the headers: subjects are numbered in the order of their files (`sub-001`, `sub-001_ses-2`), or named by
a table that stays outside the data set. A series' contrast is told by its description, or by `contrast_map`; where that
leaves a doubt the error lists what is there. The headers of all that is taken are judged before a pixel is read.
"""

import csv
import fnmatch
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..dicom_series import Series, read_series
from ..findings import FileError
from .cases import Case, Source, one_each, shared_contrasts

# What a description says, lower case. Words stand between anything but letters, as in "t1_se_tra" or "3DT1".
_NO_IMAGE = re.compile(
    r"locali[sz]er|scout|survey|calib|dwi|diffusion|adc|dti|trace|swi|t2\s*\*|t2[\s_-]?star|perf|asl|bold|fmri|mra|tof"
    r"|phase|field.?map|subtract|3.?plane|(?<![a-z])(?:sub|mip|mpr|fa|cbf|cbv)(?![a-z])"
)
_WORDS = {
    "FLAIR": re.compile(r"flair|dark.?fluid"),
    "T1-IR": re.compile(r"(?<![a-z])(?:t1[\s_-]*)?ir(?![a-z])"),
    "T2": re.compile(r"(?<![a-z])(?:3d)?t2w?(?![a-z])"),
    "T1": re.compile(r"(?<![a-z])(?:3d)?t1w?(?![a-z])|mp-?rage|bravo|spgr"),
}
_AGENT = re.compile(
    r"(?<![a-z])(?:ce|gd|gad\w*|post\w*|km|contrast|enhanced|dota\w*|\+)(?![a-z])|\+\s*(?:c|gd|km)(?![a-z])|c\+|t1c(?![a-z])"
)
_NO_AGENT = re.compile(r"(?<![a-z])(?:pre|native?|without|w/?o|ohne|non[\s_-]?(?:contrast|enhanced))(?![a-z])")


def find(
    src: Path,
    contrasts: Sequence[str] | None = None,
    leave_out: Path | None = None,
    contrast_map: Mapping[str, str] | None = None,
    subjects: Path | None = None,
    dst: Path | None = None,
) -> Source:
    """All studies of a folder of DICOM files, told by their headers.

    Args:
        src: the folder, searched with all folders below.
        contrasts: contrasts to take; by default those of `contrast_map`, else those that every study has.
        leave_out: a folder below `src` to leave out.
        contrast_map: contrast -> pattern of its series' description (`T1=*MPRAGE*`), any case.
        subjects: table with columns patient (PatientID) and subject; written, with numbers, if it is not there.
        dst: the data set's folder, which the table must not lie in.
    """
    series = read_series(src, leave_out)
    studies: dict[tuple[str, str], list[Series]] = {}
    for one in series:
        study = one.text("StudyInstanceUID")
        studies.setdefault((one.text("PatientID") or study, study), []).append(one)
    notes: list[str] = []
    named = _by_contrast(src, studies, contrast_map or {}, notes)
    names = _names(named, _patients(named, subjects, src, dst))
    have = {names[key]: set(own) for key, own in named.items()}
    wanted = tuple(contrasts or contrast_map or shared_contrasts(have, notes))
    cases = []
    for key, own in named.items():
        mend = f'Say which with --map, as "T1=AX T1 SE"; series there: {_listed(studies[key])}.'
        chosen = one_each(studies[key][0].folder, names[key], own, wanted, mend)
        notes += _remarks(names[key], wanted, chosen)
        cases.append(Case(names[key], chosen, patient=names[key].partition("_ses-")[0]))
    return Source("DICOM series, converted.", wanted, cases, notes=notes)


def contrast_of_series(series: Series) -> str | None:
    """The contrast that a series' description and tags tell, None if they tell none or two."""
    said = series.description.lower()
    if _NO_IMAGE.search(said):
        return None
    told = [contrast for contrast, word in _WORDS.items() if word.search(said)]
    if told in (["FLAIR", "T2"], ["T1-IR", "T1"], ["FLAIR", "T1-IR"], ["FLAIR", "T1-IR", "T2"]):
        told = told[:1]
    if len(told) != 1:
        return None
    agent = _AGENT.search(said) or series.text("ContrastBolusAgent")
    return "T1ce" if told == ["T1"] and agent and not _NO_AGENT.search(said) else told[0]


def _by_contrast(
    src: Path,
    studies: Mapping[tuple[str, str], Sequence[Series]],
    contrast_map: Mapping[str, str],
    notes: list[str],
) -> dict[tuple[str, str], dict[str, list[Series]]]:
    """Study -> contrast -> its series; studies without any go into `notes`."""
    named: dict[tuple[str, str], dict[str, list[Series]]] = {}
    for key, own in studies.items():
        for one in own:
            said = one.description.lower()
            mapped = [name for name, pattern in contrast_map.items() if fnmatch.fnmatchcase(said, pattern.lower())]
            told = None if mapped else contrast_of_series(one)
            for contrast in mapped or ([told] if told and told not in contrast_map else []):
                named.setdefault(key, {}).setdefault(contrast, []).append(one)
    if not named:
        listed = _listed([one for own in studies.values() for one in own])
        mend = f'Say which series is which with --map, as "T1=AX T1 SE,FLAIR=*FLAIR*"; series there: {listed}.'
        raise FileError(src, "no series whose description tells its contrast", "T1, T2, FLAIR, ...", mend)
    if len(named) < len(studies):
        notes.append(f"{len(studies) - len(named)} studies without any known contrast were left out")
    return named


def _listed(series: Sequence[Series]) -> str:
    names = list(dict.fromkeys(one.name for one in series))
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _patients(
    studies: Mapping[tuple[str, str], object], table: Path | None, src: Path, dst: Path | None
) -> dict[str, str]:
    """PatientID -> name of the subject."""
    patients = list(dict.fromkeys(patient for patient, _ in studies))
    numbered = {patient: f"sub-{number:03d}" for number, patient in enumerate(patients, start=1)}
    if table is None:
        return numbered
    if dst is not None and table.resolve().is_relative_to(dst.resolve()):
        raise FileError(table, "a table of patients in the data set", "it elsewhere", "Correct --subjects.")
    if not table.exists():
        if not table.parent.is_dir():
            raise FileError(
                table, "no such folder", "a folder for the table of patients", "Make it, or correct --subjects."
            )
        handle = os.open(table, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("patient", "subject"), *numbered.items()])
        return numbered
    with open(table, newline="", encoding="utf-8-sig") as file:
        rows = [{str(k).strip(): str(v).strip() for k, v in row.items() if k} for row in csv.DictReader(file)]
    if not rows or not all(row.get("patient") and row.get("subject") for row in rows):
        raise FileError(table, "no column patient or subject, or an empty value", "both in every row", "Correct it.")
    stated = {row["patient"]: row["subject"] for row in rows}
    unknown = sum(patient not in stated for patient in patients)
    if unknown:
        mend = f"Add their PatientIDs; the first is in {_relative(src, studies, stated)}."
        raise FileError(table, f"no row for {unknown} patients of SRC", "one each", mend)
    if len({stated[patient] for patient in patients}) < len(patients):
        raise FileError(table, "one subject's name for two patients", "each its own", "Correct it.")
    return stated


def _relative(src: Path, studies: Mapping[tuple[str, str], object], stated: Mapping[str, str]) -> str:
    own = next(value for (patient, _), value in studies.items() if patient not in stated)
    series = next(iter(own.values()))[0] if isinstance(own, dict) else None
    return series.folder.relative_to(src).as_posix() if series else str(src)


def _names(
    studies: Mapping[tuple[str, str], Mapping[str, Sequence[Series]]], subjects: Mapping[str, str]
) -> dict[tuple[str, str], str]:
    """Study -> name: the subject's, with the number of the study by date if there are several."""
    names = {}
    for patient in dict.fromkeys(patient for patient, _ in studies):

        def when(key: tuple[str, str]) -> tuple[str, str, str]:
            first = next(iter(studies[key].values()))[0]
            return first.text("StudyDate"), first.text("StudyTime"), key[1]

        own = sorted((key for key in studies if key[0] == patient), key=when)
        for number, key in enumerate(own, start=1):
            names[key] = subjects[patient] + (f"_ses-{number}" if len(own) > 1 else "")
    return names


def _remarks(subject: str, contrasts: Sequence[str], series: Sequence[Series]) -> list[str]:
    """What the user should know of a study's chosen series."""
    notes = []
    for contrast, one in zip(contrasts, series, strict=True):
        stated, there = one.text("ImagesInAcquisition"), len(one.slices)
        if stated.isdigit() and int(stated) > there:
            notes.append(f"{subject}: the header of {contrast} speaks of {stated} images, {there} are there")
        if one.text("FrameOfReferenceUID") != series[0].text("FrameOfReferenceUID"):
            notes.append(f"{subject}: {contrast} has another frame of reference than {contrasts[0]}: register them")
    return notes
