"""Evaluation handler: scores each subject on its own grid as it passes, and writes one row a subject and a summary."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
from collections.abc import Mapping, Sequence
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
    """Per-subject scores of one region for MONAI's `SupervisedEvaluator`, after its post-processing.

    What it reads is the decollated list in `engine.state.output` (and `engine.state.batch` for the name): for each
    subject a prediction and a label (1, X, Y, Z) on the same grid, of which one is a `MetaTensor`. What is above 0 is
    the region. When the run completes, the process of rank 0 writes `scores.csv` and `scores.json`, each in one
    step, and logs a table; every process gets `engine.state.metrics["mean_<metric>"]`. Subjects that a distributed
    sampler handed out twice count once.

    Args:
        output_dir: folder for the two files; None writes none and only fills `engine.state.metrics`.
        region: what the mask stands for, as the tables name it.
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
    ) -> None:
        self.output_dir = None if output_dir is None else Path(output_dir)
        self.region = region
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
            scores = score_subject(pred, label, spacing)
            row = {SUBJECT: name, "region": self.region} | scores
            self.rows.append({column: row[column] for column in COLUMNS})
            logger.info(_row_line(row))

    def _finish(self, engine: Engine) -> None:
        rows = _gather(self.rows)
        if not rows:
            logger.warning("No subject was scored.")
            return
        summary = {name: summarise([row[name] for row in rows], self.seed) for name in METRICS}
        engine.state.metrics.update({f"mean_{name}": values["mean"] for name, values in summary.items()})
        if get_rank() != 0:
            return
        for name, values in summary.items():
            logger.info(_summary_line(self.region, name, values))
        if self.output_dir is not None:
            for name, text in (("csv", _as_csv(rows)), ("json", _as_json(rows, {self.region: summary}))):
                write_atomically(self.output_dir / f"scores.{name}", partial(_put, text))
            logger.info("Scores of %d subjects: scores.csv and scores.json in %s", len(rows), self.output_dir.name)


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


def _gather(rows: list[Row]) -> list[Row]:
    """Rows of all processes, sorted by name, each subject once."""
    merged: dict[str, Row] = {}
    for part in string_list_all_gather([json.dumps(rows)]):
        for row in json.loads(part):
            if merged.setdefault(row[SUBJECT], row) != row:
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
