"""Pictures of single cases: one slice with the outlines of label and prediction, and where they differ."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError

# Okabe and Ito's colours, told apart with any colour vision: what only the label has, only the prediction, and both.
LABEL_ONLY, PRED_ONLY, BOTH = "#56B4E9", "#E69F00", "#009E73"
LEGEND = (("label (missed where alone)", LABEL_ONLY), ("prediction (surplus where alone)", PRED_ONLY), ("both", BOTH))


@dataclass(frozen=True)
class Case:
    """The files of one subject: `image` is one 3-D file, or a 4-D file of which `channel` is shown."""

    subject: str
    image: Path
    label: Path
    pred: Path
    contrast: str = ""
    channel: int | None = None


@dataclass(frozen=True)
class Slice:
    """One axial slice in RAS order: columns run to the patient's right, rows to the front."""

    image: np.ndarray
    label: np.ndarray
    pred: np.ndarray
    aspect: float
    index: int


def find_cases(items: Sequence[Mapping[str, Any]], names: Sequence[str], predictions: Path, show: str) -> list[Case]:
    """Match items of a dataset.json with the predictions of a folder, `<subject>_pred.nii.gz`.

    Args:
        items: as the data layer loads them: `subject`, `image` (a list of files, or one 4-D file), `label`; where a
            subject may lack contrasts, `contrasts` names those of its files.
        names: the contrast of each channel.
        predictions: folder that an inference or evaluation wrote.
        show: contrast to show; the first one where a subject lacks it.
    """
    cases = []
    for item in items:
        pred = predictions / f"{item['subject']}_pred.nii.gz"
        if "label" not in item or not pred.is_file():
            continue
        files, held = item["image"], list(item.get("contrasts", names))
        name = show if show in held else held[0]
        several = isinstance(files, (list, tuple))
        image, channel = (files[held.index(name)], None) if several else (files, list(names).index(name))
        cases.append(Case(item["subject"], Path(image), Path(item["label"]), pred, name, channel))
    return cases


def pick(rows: Sequence[Mapping[str, Any]], metric: str = "dice") -> list[tuple[str, Mapping[str, Any]]]:
    """The worst, the median (the lower one of two) and the best subject by a metric, each subject at most once."""
    ordered = sorted(rows, key=lambda row: (float(row[metric]), str(row["subject"])))
    places = {"worst": 0, "median": (len(ordered) - 1) // 2, "best": len(ordered) - 1}
    if len(ordered) < 3:
        places = {"only case": 0} if len(ordered) == 1 else {"worst": 0, "best": 1}
    return [(name, ordered[place]) for name, place in places.items()] if ordered else []


def largest_slice(case: Case) -> Slice:
    """Load a case and cut the axial slice in which the label (or, where there is none, the prediction) is largest."""
    image, _ = _volume(case.image, case.channel)
    label, spacing = _volume(case.label)
    pred, _ = _volume(case.pred)
    if not image.shape == label.shape == pred.shape:
        sizes = f"image {image.shape}, label {label.shape}, prediction {pred.shape}"
        raise InputError(f"Subject {case.subject}: found other sizes ({sizes}), expected one grid for all three.")
    label, pred = label > 0, pred > 0
    area = (label if label.any() else pred).sum(axis=(0, 1))
    index = int(area.argmax()) if area.any() else image.shape[2] // 2
    box = _head_box(image[:, :, index], label[:, :, index] | pred[:, :, index])
    flat, marked, found = (volume[:, :, index][box].T for volume in (image, label, pred))
    return Slice(flat, marked, found, aspect=spacing[1] / spacing[0], index=index)


def draw(shown: Slice) -> bytes:
    """PNG with two panels: outlines on the image, and the image with agreement and errors coloured."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, columns = shown.image.shape
    width = 2.6
    figure = Figure(figsize=(2 * width + 0.06, width * rows / columns * shown.aspect), dpi=130, facecolor="black")
    left, right = figure.subplots(1, 2, gridspec_kw={"left": 0, "right": 1, "top": 1, "bottom": 0, "wspace": 0.02})
    show_outlines(left, shown, label=True, pred=True)
    show_differences(right, shown)
    stream = io.BytesIO()
    FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})
    return stream.getvalue()


def show_image(axes: Any, shown: Slice) -> None:
    """The grey image, without frame and ticks."""
    low, high = np.percentile(shown.image, [1, 99.7])
    axes.imshow(
        shown.image,
        cmap="gray",
        interpolation="bilinear",
        vmin=low,
        vmax=max(high, low + 1e-6),
        origin="lower",
        aspect=shown.aspect,
    )
    axes.set_axis_off()


def show_outlines(axes: Any, shown: Slice, label: bool, pred: bool) -> None:
    """The image with the outline of the label, of the prediction, or of both."""
    show_image(axes, shown)
    for wanted, mask, colour in ((label, shown.label, LABEL_ONLY), (pred, shown.pred, PRED_ONLY)):
        if wanted and mask.any():
            axes.contour(np.pad(mask, 1)[1:-1, 1:-1].astype(float), levels=[0.5], colors=[colour], linewidths=1.4)


def show_differences(axes: Any, shown: Slice) -> None:
    """The image with a colour for what both have, what only the label has, and what only the prediction has."""
    show_image(axes, shown)
    colours = np.zeros((*shown.image.shape, 4))
    kinds = (
        (shown.label & shown.pred, BOTH),
        (shown.label & ~shown.pred, LABEL_ONLY),
        (~shown.label & shown.pred, PRED_ONLY),
    )
    for mask, colour in kinds:
        colours[mask] = [*(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)), 0.62]
    axes.imshow(colours, origin="lower", aspect=shown.aspect, interpolation="nearest")


def load(path: Path, channel: int | None = None) -> Any:
    """A 3-D image in RAS order, of finite numbers."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        picture = nibabel.as_closest_canonical(nibabel.load(path))
        data = np.asarray(picture.dataobj[..., channel] if channel is not None else picture.dataobj)
    except (OSError, EOFError, ValueError, ImageFileError) as error:
        raise InputError(f"{path.name} cannot be read as an image ({type(error).__name__}).") from error
    if data.ndim == 4 and data.shape[3] == 1:
        data = data[..., 0]
    if data.ndim != 3:
        raise InputError(f"{path.name}: found {data.ndim} axes, expected a 3-D image.")
    return nibabel.Nifti1Image(np.nan_to_num(data.astype(np.float32)), picture.affine)


def _volume(path: Path, channel: int | None = None) -> tuple[np.ndarray, tuple[float, ...]]:
    """A volume in RAS order and its voxel size."""
    picture = load(path, channel)
    return np.asarray(picture.dataobj), picture.header.get_zooms()[:3]


def _head_box(image: np.ndarray, lesion: np.ndarray, margin: int = 3) -> tuple[slice, slice]:
    """Where the slice is not empty, with a margin."""
    inside = (image > image.min() + 0.02 * np.ptp(image)) | lesion
    box = []
    for axis in (0, 1):
        hit = np.flatnonzero(inside.any(axis=1 - axis))
        low, high = (int(hit[0]), int(hit[-1]) + 1) if len(hit) else (0, image.shape[axis])
        box.append(slice(max(0, low - margin), min(image.shape[axis], high + margin)))
    return box[0], box[1]
