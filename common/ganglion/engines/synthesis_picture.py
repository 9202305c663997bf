"""A row of pictures of one synthetic subject: what it was made from, what came out, what another code changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .handlers.checkpoint import write_atomically

PANEL = 2.2  # width in inches
HEAD = 0.3  # room for the titles, in inches
DIFFERENCE = "difference"


def write_synthesis_picture(path: str | os.PathLike[str], panels: Mapping[str, np.ndarray]) -> Path:
    """Write a PNG of one row.

    Args:
        path: file to write.
        panels: (X, Y) slices by title, in [-1, 1] grey; one called `difference` in colours around 0.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sides = next(iter(panels.values())).shape
    height = PANEL * sides[1] / sides[0]
    figure = Figure(figsize=(PANEL * len(panels), height + HEAD), dpi=130, facecolor="#0d1114")
    grid = {"left": 0.004, "right": 0.996, "bottom": 0.01, "top": height / (height + HEAD), "wspace": 0.02}
    axes = figure.subplots(1, len(panels), gridspec_kw=grid, squeeze=False)[0]
    for place, (title, values) in zip(axes, panels.items(), strict=True):
        limit = max(float(np.abs(values).max()), 1e-6) if title == DIFFERENCE else 1.0
        place.imshow(
            values.T,
            cmap="RdBu_r" if title == DIFFERENCE else "gray",
            vmin=-limit,
            vmax=limit,
            origin="lower",
            interpolation="nearest",
        )
        place.set_axis_off()
        shown = f"{title} (to {limit:.2f})" if title == DIFFERENCE else title
        place.set_title(shown, color="white", fontsize=9, pad=4, loc="left")
    target = Path(path)
    write_atomically(target, lambda file: FigureCanvasAgg(figure).print_png(file, metadata={"Software": None}))
    return target
