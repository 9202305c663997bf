"""Evaluation handler: scores each subject on its own grid as it passes, and writes one row a subject and a summary."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import torch
from ignite.distributed import get_rank
from ignite.engine import Engine, Events
from monai.data import MetaTensor
from monai.utils import string_list_all_gather

from ... import __version__
from ...errors import InputError
from ...keys import LABEL, PRED, SUBJECT
from ...metrics import DEFINITIONS, METHOD, METRICS, score_subject, summarise
from .checkpoint import write_atomically

logger = logging.getLogger(__name__)

COLUMNS = (SUBJECT, "region", *METRICS, "pred_ml", "label_ml", "empty")

Row = dict[str, Any]


class SubjectScores:
    """Per-subject scores of one region or several for MONAI's `SupervisedEvaluator`, after its post-processing.

    What it reads is the decollated list in `engine.state.output` (and `engine.state.batch` for the name): for each
    subject a prediction and a label (1, X, Y, Z) on the same grid, of which one is a `MetaTensor`. When the run
    completes, the process of rank 0 writes `scores.csv` and `scores.json`, each in one step, and logs a table; every
    process gets `engine.state.metrics["mean_<metric>"]`, the mean over the regions of their means. Subjects that a
    distributed sampler handed out twice count once.

    Args:
        output_dir: folder for the two files; None writes none and only fills `engine.state.metrics`.
        region: what the voxels above 0 stand for, as the tables name it, where `regions` is None.
        regions: name of each region and its code in prediction and label, as {"CSF": 1, "GM": 2, "WM": 3}, or several
            codes that are one region together, as {"tumour core": [1, 3]}.
        pred_key: key of the prediction.
        label_key: key of the label.
        seed: of the bootstrap interval.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str] | None,
        region: str = "whole tumour",
        pred_key: str = PRED,
        label_key: str = LABEL,
        seed: int = 0,
        regions: Mapping[str, int | Sequence[int]] | None = None,
    ) -> None:
        self.output_dir = None if output_dir is None else Path(output_dir)
        self.regions: dict[str, int | Sequence[int] | None] = {region: None} if regions is None else {**regions}
        if not self.regions:
            raise InputError("regions: found none, expected at least one name and its code, as {'CSF': 1}.")
        self.pred_key = pred_key
        self.label_key = label_key
        self.seed = seed
        self.rows: list[Row] = []

    def attach(self, engine: Engine) -> None:
        """Register with an evaluator; a second run of the same evaluator starts from nothing."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._score)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _start(self, engine: Engine) -> None:
        self.rows = []
        if self.output_dir is not None:
            self.output_dir.mkdir(parents=True, exist_ok=True)

    def _score(self, engine: Engine) -> None:
        outputs, batch = engine.state.output, engine.state.batch
        if not isinstance(outputs, list):
            raise TypeError("SubjectScores needs an evaluator with decollate=True: a list of dictionaries")
        for output, item in zip(outputs, batch, strict=True):
            case = {**item, **output}
            pred, label = case[self.pred_key], case[self.label_key]
            name = _subject_name(case, pred, label)
            spacing = _common_spacing(pred, label, name)
            for region, marked, true in self._masks(case):
                self._add({SUBJECT: name, "region": region} | score_subject(marked, true, spacing))

    def _masks(self, case: Mapping[str, Any]) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
        """Each region's name, and its voxels in the prediction and in the label."""
        for region, code in self.regions.items():
            yield region, _mask(case[self.pred_key], code), _mask(case[self.label_key], code)

    def _add(self, row: Row) -> None:
        self.rows.append({column: row[column] for column in COLUMNS})
        logger.info(_row_line(row))

    def _finish(self, engine: Engine) -> None:
        rows = _gather(self.rows, list(self.regions))
        if not rows:
            logger.warning("No subject was scored.")
            return
        scored = {row["region"] for row in rows}
        summary = {region: _summary(rows, region, self.seed) for region in self.regions if region in scored}
        for name in METRICS:
            means = [values[name]["mean"] for values in summary.values()]
            engine.state.metrics[f"mean_{name}"] = sum(means) / len(means)
        if get_rank() != 0:
            return
        for region, values in summary.items():
            for name in METRICS:
                logger.info(_summary_line(region, name, values[name]))
        if self.output_dir is not None:
            for name, text in (("csv", _as_csv(rows)), ("json", _as_json(rows, summary))):
                write_atomically(self.output_dir / f"scores.{name}", partial(_put, text))
            count = len({row[SUBJECT] for row in rows})
            logger.info("Scores of %d subjects: scores.csv and scores.json in %s", count, self.output_dir.name)


def _mask(values: torch.Tensor, code: int | Sequence[int] | None) -> torch.Tensor:
    """The voxels of a region: those of its code, or of any of its codes, or all above 0."""
    if code is None:
        return values > 0
    if isinstance(code, int):
        return values == code
    return torch.stack([values == each for each in code]).any(dim=0)


def _summary(rows: Sequence[Row], region: str, seed: int) -> dict[str, Any]:
    """Mean, spread, n and interval of each metric in one region."""
    return {name: summarise([row[name] for row in rows if row["region"] == region], seed) for name in METRICS}


def _subject_name(case: Mapping[str, Any], *tensors: Any) -> str:
    """The item's `subject`; else the name of its file without folders and endings."""
    if case.get(SUBJECT):
        return str(case[SUBJECT])
    for tensor in tensors:
        file = tensor.meta.get("filename_or_obj") if isinstance(tensor, MetaTensor) else None
        if file:
            return Path(str(file)).name.removesuffix(".gz").removesuffix(".nii")
    raise InputError(f"A case without a name was scored: its item has no '{SUBJECT}'; add one to dataset.json.")


def _common_spacing(pred: torch.Tensor, label: torch.Tensor, name: str) -> Sequence[float]:
    affines = [t.affine.detach().cpu().double() for t in (label, pred) if isinstance(t, MetaTensor)]
    if not affines:
        raise InputError(f"Subject {name}: neither prediction nor label is a MetaTensor, so its voxel size is unknown.")
    if pred.shape[-3:] != label.shape[-3:] or not torch.allclose(affines[0], affines[-1], atol=1e-3):
        raise InputError(
            f"Subject {name}: the prediction lies on another grid ({_grid(pred)}) than its label ({_grid(label)}); "
            "the post-processing must put it back (Invertd) before it is scored."
        )
    return torch.linalg.vector_norm(affines[0][:3, :3], dim=0).tolist()


def _grid(tensor: torch.Tensor) -> str:
    size = " x ".join(str(n) for n in tensor.shape[-3:])
    origin = tensor.affine[:3, 3].tolist() if isinstance(tensor, MetaTensor) else None
    return size if origin is None else f"{size}, origin {', '.join(f'{value:.1f}' for value in origin)} mm"


def _gather(rows: list[Row], regions: Sequence[str]) -> list[Row]:
    """Rows of all processes, sorted by name and then as the regions stand, each subject once."""
    merged: dict[tuple[str, int], Row] = {}
    for part in string_list_all_gather([json.dumps(rows)]):
        for row in json.loads(part):
            if merged.setdefault((row[SUBJECT], regions.index(row["region"])), row) != row:
                name = row[SUBJECT]
                raise InputError(
                    f"Two different cases are called '{name}'; give each its own 'subject' in dataset.json."
                )
    return [merged[name] for name in sorted(merged)]


def _row_line(row: Row) -> str:
    flag = f"  ({row['empty']})" if row["empty"] else ""
    return (
        f"{row[SUBJECT]}: {row['region']}  Dice {row['dice']:.3f}  precision {row['precision']:.3f}  "
        f"sensitivity {row['sensitivity']:.3f}  HD95 {row['hd95_mm']:.1f} mm  ASSD {row['assd_mm']:.1f} mm  "
        f"volume {row['volume_error_ml']:+.1f} ml{flag}"
    )


def _summary_line(region: str, name: str, values: Mapping[str, Any]) -> str:
    if values["ci95"] is None:
        return f"{region} {name}: one subject only, no spread"
    low, high = values["ci95"]
    spread = f"sd {values['sd']:.3f}, n = {values['n']}, 95 % interval {low:.3f} to {high:.3f}"
    return f"{region} {name}: mean {values['mean']:.3f}, {spread}"


def _as_csv(rows: Sequence[Row]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _as_json(rows: Sequence[Row], summary: Mapping[str, Any]) -> str:
    import monai

    content = {
        "definitions": {**DEFINITIONS, "summary": METHOD},
        "versions": {"ganglion": __version__, "monai": monai.__version__, "torch": str(torch.__version__)},
        "subjects": rows,
        "summary": summary,
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _put(text: str, file: IO[bytes]) -> None:
    file.write(text.encode())
