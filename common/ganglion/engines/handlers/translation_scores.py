"""Evaluation handler: how like the real contrast a translation is, and whether its tumour is still found."""

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

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.metrics import MAEMetric, PSNRMetric, SSIMMetric
from torch import Tensor

from ... import __version__
from ...keys import IMAGE, LABEL, PRED, SUBJECT
from ...metrics import METHOD, score_subject, summarise
from .checkpoint import write_atomically
from .subset_scores import held_by

logger = logging.getLogger(__name__)

TRANSLATION_METRICS = ("ssim", "psnr_db", "mae", "dice")
_BEFORE = tuple(f"{name}_before" for name in TRANSLATION_METRICS)
COLUMNS = (SUBJECT, "source", "target", *TRANSLATION_METRICS, *_BEFORE, "dice_target")
_WINDOW = 11  # of SSIM, voxels; less where the brain is smaller

TRANSLATION_DEFINITIONS = {
    "ssim": "structural similarity over the box around the brain, images in [0, 1], Gaussian window of 11 voxels "
    "with sigma 1.5 in three dimensions (MONAI SSIMMetric)",
    "psnr_db": "10 log10(1 / mean squared error) over the brain's voxels, images in [0, 1] (MONAI PSNRMetric)",
    "mae": "mean absolute error over the brain's voxels, images in [0, 1] (MONAI MAEMetric)",
    "dice": "of the whole tumour, segmented in the translation as if it were a scan of the target contrast",
    "..._before": "the same with the source itself in place of its translation: what translating has to beat; "
    "dice_before: the tumour segmented in the source",
    "dice_target": "the tumour segmented in the real target",
    "grid": "all on the network's own grid, after resampling",
}

Row = dict[str, Any]


class TranslationScores:
    """Scores of each contrast translated into each other one, for subjects that have both, where the truth is known.

    Reads, for each subject, what `networks.EveryTranslation` gives: n n translations and n n probabilities, beside the
    preprocessed image (n, X, Y, Z) in [-1, 1] and the label (1, X, Y, Z) on the same grid. When the run completes it
    writes `translation.csv` and `translation.json`. Not for several processes.

    Args:
        output_dir: folder for the two files.
        contrasts: names of the n contrasts.
        spacing: voxel size in mm.
        threshold: probability from which a voxel is tumour.
        seed: of the bootstrap interval.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        contrasts: Sequence[str],
        spacing: Sequence[float] = (1.0, 1.0, 1.0),
        threshold: float = 0.5,
        seed: int = 0,
    ) -> None:
        self.output_dir, self.contrasts = Path(output_dir), tuple(contrasts)
        self.spacing, self.threshold, self.seed = tuple(spacing), threshold, seed
        self.rows: list[Row] = []

    def attach(self, engine: Engine) -> None:
        """Register with an evaluator; a second run of the same evaluator starts from nothing."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._score)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _start(self, engine: Engine) -> None:
        self.rows = []
        self.output_dir.mkdir(parents=True, exist_ok=True)

    def _score(self, engine: Engine) -> None:
        for output, item in zip(engine.state.output, engine.state.batch, strict=True):
            case = {**item, **output}
            self.rows += self._rows(case)

    def _rows(self, case: Mapping[str, Any]) -> list[Row]:
        n, held = len(self.contrasts), held_by(case[IMAGE], self.contrasts)
        made = _plain(case[PRED]).unflatten(0, (2, n, n))
        real, label, name = _plain(case[IMAGE]), _plain(case[LABEL]) > 0, _name(case)
        dice = {
            (i, j): float(score_subject(made[1, i, j] >= self.threshold, label[0], self.spacing)["dice"])
            for i in range(n)
            for j in range(n)
        }
        rows = []
        for source in held:
            for target in held:
                i, j = self.contrasts.index(source), self.contrasts.index(target)
                if i == j:
                    continue
                likeness = _likeness(made[0, i, j], real[j]) | {"dice": dice[i, j]}
                before = _likeness(real[i], real[j]) | {"dice": dice[i, i]}
                former = {f"{key}_before": value for key, value in before.items()}
                row = {SUBJECT: name, "source": source, "target": target, **likeness, **former}
                rows.append(row | {"dice_target": dice[j, j]})
                logger.info(_line(rows[-1]))
        return rows

    def _finish(self, engine: Engine) -> None:
        if not self.rows:
            logger.warning("No subject has two contrasts: no translation was scored.")
            return
        summary = {name: self._summary(rows) for name, rows in self._pairs().items()}
        for metric in TRANSLATION_METRICS:
            engine.state.metrics[f"mean_{metric}"] = summary["all"][metric]["mean"]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        content = {
            "definitions": {**TRANSLATION_DEFINITIONS, "summary": METHOD, "all": "a subject's mean over its pairs"},
            "versions": {"ganglion": __version__, "torch": str(torch.__version__)},
            "subjects": self.rows,
            "summary": summary,
        }
        files = {"csv": text.getvalue(), "json": json.dumps(content, indent=1, allow_nan=False) + "\n"}
        for ending, written in files.items():
            write_atomically(self.output_dir / f"translation.{ending}", partial(_put, written))
        logger.info("Translations scored: translation.csv and translation.json in %s", self.output_dir.name)

    def _pairs(self) -> dict[str, list[Row]]:
        """Rows of all pairs, averaged subject by subject, and of each pair."""
        pairs: dict[str, list[Row]] = {"all": []}
        for subject in dict.fromkeys(row[SUBJECT] for row in self.rows):
            own = [row for row in self.rows if row[SUBJECT] == subject]
            pairs["all"].append({key: float(np.mean([row[key] for row in own])) for key in COLUMNS[3:]})
        for row in self.rows:
            pairs.setdefault(f"{row['source']} as {row['target']}", []).append(row)
        return pairs

    def _summary(self, rows: Sequence[Row]) -> dict[str, Any]:
        return {key: summarise([row[key] for row in rows], self.seed) for key in COLUMNS[3:]}


def _likeness(made: Tensor, real: Tensor) -> dict[str, float]:
    """SSIM, PSNR and mean absolute error of an image (X, Y, Z) in [-1, 1] against the real one."""
    one, other = ((image.clamp(-1, 1) + 1) / 2 for image in (made, real))
    brain = other > 0
    if not bool(brain.any()):
        return {"ssim": 1.0, "psnr_db": 99.0, "mae": 0.0}
    box = tuple(slice(int(at.min()), int(at.max()) + 1) for at in brain.nonzero(as_tuple=True))
    inside = [image[brain][None, None] for image in (one, other)]
    boxed = [image[box][None, None] for image in (one, other)]
    side = min(_WINDOW, *((size - 1) // 2 * 2 + 1 for size in boxed[0].shape[2:]))
    ssim = SSIMMetric(spatial_dims=3, data_range=1.0, win_size=side)(*boxed)
    psnr = float(PSNRMetric(max_val=1.0)(*inside))
    return {"ssim": float(ssim), "psnr_db": min(psnr, 99.0), "mae": float(MAEMetric()(*inside))}


def _plain(image: Any) -> Tensor:
    return torch.as_tensor(image).as_subclass(Tensor).float().cpu()


def _name(case: Mapping[str, Any]) -> str:
    return str(case.get(SUBJECT) or case[IMAGE].meta["filename_or_obj"])


def _line(row: Row) -> str:
    return (
        f"{row[SUBJECT]}: {row['source']} as {row['target']}  SSIM {row['ssim']:.3f} ({row['ssim_before']:.3f} before)"
        f"  PSNR {row['psnr_db']:.1f} dB  MAE {row['mae']:.3f}"
        f"  Dice {row['dice']:.3f} ({row['dice_before']:.3f} before)"
    )


def _put(text: str, file: IO[bytes]) -> None:
    file.write(text.encode())
