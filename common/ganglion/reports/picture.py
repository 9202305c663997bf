"""One row of pictures for a README: some cases, each with the outline of the truth and with that of the prediction."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..engines.handlers.checkpoint import write_atomically
from .overlays import LABEL_ONLY, PRED_ONLY, Case, largest_slice, show_outlines

PANEL = 1.9  # width in inches
HEAD = 0.72  # room for the words above the pictures, in inches


def write_picture(path: str | os.PathLike[str], cases: Sequence[tuple[str, Case]], headline: str) -> Path:
    """Write a PNG of two panels a case.

    Args:
        path: file to write.
        cases: words and files of each case, from left to right.
        headline: stands above the row; says whether the scans are simulated.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    slices = [largest_slice(case) for _, case in cases]
    height = PANEL * max(shown.image.shape[0] / shown.image.shape[1] * shown.aspect for shown in slices)
    size = (2 * PANEL * len(cases), height + HEAD)
    figure = Figure(figsize=size, dpi=130, facecolor="#0d1114")
    grid = {"left": 0.004, "right": 0.996, "bottom": 0.01, "top": height / size[1], "wspace": 0.02}
    panels = figure.subplots(1, 2 * len(cases), gridspec_kw=grid)
    for index, ((words, _), shown) in enumerate(zip(cases, slices, strict=True)):
        truth, found = panels[2 * index], panels[2 * index + 1]
        show_outlines(truth, shown, label=True, pred=False)
        show_outlines(found, shown, label=False, pred=True)
        truth.set_anchor("N")
        found.set_anchor("N")
        truth.set_title(f"{words}\ntruth", color=LABEL_ONLY, fontsize=9, pad=4, loc="left")
        found.set_title("prediction", color=PRED_ONLY, fontsize=9, pad=4, loc="left")
    figure.suptitle(headline, color="white", fontsize=10.5, x=0.006, y=0.985, ha="left")
    target = Path(path)
    write_atomically(target, lambda file: FigureCanvasAgg(figure).print_png(file, metadata={"Software": None}))
    return target
