"""One row of pictures of one case for a README: the scan, the truth, the prediction, and where they differ."""

from __future__ import annotations

import os
from pathlib import Path

from ..engines.handlers.checkpoint import write_atomically
from .overlays import LABEL_ONLY, PRED_ONLY, Case, largest_slice, show_differences, show_image, show_outlines


def write_picture(path: str | os.PathLike[str], case: Case, headline: str) -> Path:
    """Write a PNG of about 1200 x 400 pixels.

    Args:
        path: file to write.
        case: files of the subject.
        headline: stands above the row; says whether the scan is simulated.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = largest_slice(case)
    rows, columns = shown.image.shape
    width = 2.4
    height = width * rows / columns * shown.aspect
    figure = Figure(figsize=(4 * width, height + 0.62), dpi=125, facecolor="#0d1114")
    bottom, top = 0.02, height / (height + 0.62)
    panels = figure.subplots(1, 4, gridspec_kw={"left": 0, "right": 1, "bottom": bottom, "top": top, "wspace": 0.02})
    show_image(panels[0], shown)
    show_outlines(panels[1], shown, label=True, pred=False)
    show_outlines(panels[2], shown, label=False, pred=True)
    show_differences(panels[3], shown)
    titles = (
        (case.contrast, "white"),
        ("truth", LABEL_ONLY),
        ("prediction", PRED_ONLY),
        ("agreement in green", "white"),
    )
    for axes, (title, colour) in zip(panels, titles, strict=True):
        axes.set_title(title, color=colour, fontsize=10, pad=4)
    figure.suptitle(headline, color="white", fontsize=11, y=0.985)
    target = Path(path)
    write_atomically(target, lambda file: FigureCanvasAgg(figure).print_png(file, metadata={"Software": None}))
    return target
