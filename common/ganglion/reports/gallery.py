"""One picture of what several bundles take and give: a row a bundle, input on the left, output on the right."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.datalist import load_items
from ..engines.handlers.checkpoint import write_atomically
from .overlays import load

PANEL = 1.5  # inches
SIDE = 1.0  # room for a bundle's name
HEAD = 0.3
CODES = ("#000000", "#56B4E9", "#E69F00", "#009E73")  # of codes 0 to 3; Okabe and Ito's


@dataclass(frozen=True)
class Panel:
    """A slice (rows, columns) with its caption; `codes` of the same size are laid over it in colour."""

    caption: str
    image: np.ndarray
    codes: np.ndarray | None = None
    is_output: bool = False


@dataclass(frozen=True)
class Row:
    """A bundle's panels from left to right."""

    name: str
    panels: tuple[Panel, ...]


def labelled_row(name: str, dataset: Path, contrasts: Sequence[str], predictions: Path) -> Row:
    """The contrasts of the first test subject, what was labelled, and the truth.

    Args:
        name: of the bundle.
        dataset: folder with `dataset.json`.
        contrasts: what the bundle takes.
        predictions: folder with `<subject>_pred.nii.gz`.
    """
    item = load_items(dataset, "test", contrasts=tuple(contrasts))[0]
    images = [np.asarray(load(Path(file)).dataobj) for file in item["image"]]
    found = np.asarray(load(predictions / f"{item['subject']}_pred.nii.gz").dataobj)
    truth = np.asarray(load(Path(item["label"])).dataobj)
    if found.max() <= 1:  # of a truth that tells parts it knows the whole alone
        truth = (truth > 0).astype(np.float32)
    place = int((truth > 0).sum(axis=(0, 1)).argmax())
    flat = [volume[:, :, place].T for volume in (*images, found, truth)]
    box = _box(flat[0])
    *inputs, found, truth = (each[box] for each in flat)
    panels = [Panel(contrast, image) for contrast, image in zip(contrasts, inputs, strict=True)]
    return Row(
        name,
        (*panels, Panel("output", inputs[-1], found, is_output=True), Panel("truth", inputs[-1], truth)),
    )


def drawn_row(name: str, samples: Path, contrasts: Sequence[str]) -> Row:
    """The contrasts and the labels of the first sample of a drawn data set."""
    content = json.loads((samples / "dataset.json").read_text(encoding="utf-8"))
    item = next(item for section in ("training", "validation", "test") for item in content.get(section, []))
    images = [_plane(samples / file) for file in item["image"]]
    label = _plane(samples / item["label"])
    panels = [Panel(contrast, image, is_output=True) for contrast, image in zip(contrasts, images, strict=True)]
    return Row(name, (*panels, Panel("its labels", images[-1], label, is_output=True)))


def write_gallery(path: str | os.PathLike[str], rows: Sequence[Row], headline: str) -> Path:
    """Write the rows as a PNG.

    Args:
        path: file to write.
        rows: from top to bottom.
        headline: stands above; says whether scans are simulated.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = max(len(row.panels) for row in rows)
    size = (SIDE + PANEL * columns, HEAD + (PANEL + 0.22) * len(rows))
    figure = Figure(figsize=size, dpi=130, facecolor="#0d1114")
    grid = {"left": SIDE / size[0], "right": 0.995, "bottom": 0.005, "top": 1 - (HEAD + 0.22) / size[1]}
    spaces = {"wspace": 0.03, "hspace": 0.17}
    places = figure.subplots(len(rows), columns, squeeze=False, gridspec_kw={**grid, **spaces})
    for row, line in zip(rows, places, strict=True):
        for axes in line:
            axes.set_axis_off()
        for axes, panel in zip(line, row.panels, strict=False):
            _show(axes, panel)
        words = row.name.replace("_", "_\n")
        line[0].text(-0.08, 0.5, words, color="white", fontsize=8, ha="right", va="center", transform=line[0].transAxes)
    figure.suptitle(headline, color="white", fontsize=8.5, x=0.01, y=0.995, ha="left", va="top")
    target = Path(path)
    write_atomically(target, lambda file: FigureCanvasAgg(figure).print_png(file, metadata={"Software": None}))
    return target


def _show(axes: object, panel: Panel) -> None:
    low, high = np.percentile(panel.image, [1, 99.7])
    draw = axes.imshow  # type: ignore[attr-defined]
    draw(panel.image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), origin="lower", interpolation="bilinear")
    if panel.codes is not None:
        colours = np.zeros((*panel.codes.shape, 4))
        for code in range(1, len(CODES)):
            rgb = [int(CODES[code][i : i + 2], 16) / 255 for i in (1, 3, 5)]
            colours[np.round(panel.codes) == code] = [*rgb, 0.6]
        draw(colours, origin="lower", interpolation="nearest")
    colour = "#E69F00" if panel.is_output else "#9fb3c8"
    axes.set_title(panel.caption, color=colour, fontsize=8, pad=3, loc="left")  # type: ignore[attr-defined]


def _plane(path: Path) -> np.ndarray:
    """The one slice of a file (rows, columns), right to the right and front on top."""
    volume = np.asarray(load(path).dataobj)
    return volume[:, :, volume.shape[2] // 2].T


def _box(image: np.ndarray, margin: int = 3) -> tuple[slice, slice]:
    """The square about what is not empty, so that all panels have one shape."""
    hit = [np.flatnonzero((image > 0).any(axis=1 - axis)) for axis in (0, 1)]
    bounds = [
        (int(one[0]), int(one[-1]) + 1) if len(one) else (0, size) for one, size in zip(hit, image.shape, strict=True)
    ]
    side = max(high - low for low, high in bounds) + 2 * margin
    starts = [max(0, (low + high - side) // 2) for low, high in bounds]
    return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)
