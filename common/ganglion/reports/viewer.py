"""An interactive viewer of single cases inside the page: nilearn's, with label and prediction laid over the scan."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from .html import Markup, tag
from .overlays import BOTH, LABEL_ONLY, PRED_ONLY, Case, load

VOXELS = 600_000  # of one case after cropping: about 400 KB of the page
GREYS = 63  # shades of the scan; more are not seen and cost bytes
OPACITY = 60  # of the colours, percent
MARGIN = 3  # voxels around the head
NARROWEST = 520  # CSS pixels of the three planes side by side; a narrower window scrolls

LOOK = '"colorCrosshair": "rgba(255,255,255,0.5)", "smooth": true, "sizeFont": 0.062'  # in brainsprite's words
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; } html, body { margin: 0; padding: 0; overflow: hidden; background: #000; }
body { color: #d5dade; font: 14px/1.4 system-ui, "Segoe UI", Roboto, sans-serif; }
canvas { display: block; cursor: crosshair; } p { margin: 0; }
body > div > div { padding: .5rem .8rem; justify-content: flex-end; } input { accent-color: #6fb4ec; width: 9rem; }
"""
STAGE = ".viewer > div { overflow-x: auto; direction: rtl; container-type: inline-size; }"
HIDDEN = ".viewer { height: 0; visibility: hidden; overflow: hidden; } "  # keeps its width, which the viewer measures


def viewers(cases: Sequence[tuple[str, Case]]) -> Markup:
    """One case after the other in one place, by choice; the one to begin with is the median, or the first.

    Args:
        cases: what to call it, as `median: sub-001`, and its files.
    """
    if not cases:
        return Markup("")
    begin = next((i for i, (words, _) in enumerate(cases) if words.lower().startswith("median")), 0)
    frames = [tag("div", _frame(words, case), class_="viewer") for words, case in cases]
    style = tag("style", Markup(STAGE))
    if len(cases) == 1:
        return tag("div", style, *frames, class_="viewers")
    options = []
    for index, (words, _) in enumerate(cases):
        checked = {"checked": ""} if index == begin else {}
        button = Markup(tag("input", type="radio", name="case", value=index, **checked).removesuffix("</input>"))
        options.append(tag("label", button, " ", words))
    shown = (f".viewers:has(input[value='{i}']:checked) .viewer:nth-of-type({i + 1})" for i in range(len(cases)))
    hide = tag("style", Markup(f"{HIDDEN}{', '.join(shown)} {{ height: auto; visibility: visible; }}"))
    choice = tag("fieldset", *options, class_="choices")
    return tag("div", style, hide, choice, tag("div", *frames), class_="viewers")


def document(case: Case) -> tuple[str, float]:
    """Nilearn's viewer of one case as a document of its own, and the height of its planes over their width."""
    import nibabel
    from matplotlib.colors import ListedColormap
    from nilearn.plotting import view_img

    scan, marks = _on_one_grid(case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an empty case has nothing above the threshold
        view = view_img(
            nibabel.Nifti1Image(marks.get_fdata(dtype=np.float32), marks.affine),
            bg_img=scan,
            cut_coords=_centre(marks),
            colorbar=False,
            threshold=0.5,
            black_bg=True,
            cmap=ListedColormap([LABEL_ONLY, PRED_ONLY, BOTH]),
            symmetric_cmap=False,
            vmin=1,
            vmax=3,
            dim=0,
            resampling_interpolation="nearest",
            opacity=OPACITY / 100,
            title="",
        )
    x, y, z = scan.shape
    return _dressed(view.html, case.subject), 1.12 * max(y, z) / (2 * x + y)


def _dressed(text: str, title: str) -> str:
    """The document without its addresses, in the page's dress, and forbidden to fetch anything."""
    text = re.sub(r"<link\b[^>]*>", "", text)
    text = re.sub(r"<title>.*?</title>", lambda _: str(tag("title", title)), text, flags=re.S)
    text = re.sub(r'(<input type="range"[^>]*?value=")\d+(")', rf"\g<1>{OPACITY}\g<2>", text, flags=re.S)
    text = text.replace('"crosshair": true', f'"crosshair": true, {LOOK}')
    head = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><style>{STYLE}</style>'
    return text.replace("</head>", f"{head}</head>", 1)


def _frame(words: str, case: Case) -> Markup:
    text, ratio = document(case)
    size = f"width:100%;min-width:{NARROWEST}px;height:calc(max({NARROWEST}px, 100cqw) * {ratio:.4f} + 2.6rem)"
    attributes = {"title": f"Viewer, {words}", "sandbox": "allow-scripts", "style": size, "srcdoc": text}
    return tag("div", tag("iframe", **attributes))


def _on_one_grid(case: Case) -> tuple[Any, Any]:
    """The scan in shades of grey and the codes 1 (label alone), 2 (prediction alone), 3 (both), cropped, isotropic."""
    import nibabel
    from nibabel.processing import resample_to_output

    picture = load(case.image, case.channel)
    label, pred = load(case.label), load(case.pred)
    if not picture.shape == label.shape == pred.shape:
        sizes = f"image {picture.shape}, label {label.shape}, prediction {pred.shape}"
        raise InputError(f"Subject {case.subject}: found other sizes ({sizes}), expected one grid for all three.")
    values = np.asarray(picture.dataobj)
    codes = (np.asarray(label.dataobj) > 0) + 2.0 * (np.asarray(pred.dataobj) > 0)
    head = values > values.min() + 0.02 * np.ptp(values)
    low, high = float(values.min()), float(np.percentile(values[head], 99.9)) if head.any() else 1.0
    box = _box(head | (codes > 0))
    grey = np.round(GREYS * np.clip((values - low) / max(high - low, 1e-6), 0, 1))
    spacing = [float(size) for size in picture.header.get_zooms()[:3]]
    content = np.prod(spacing) * np.prod([part.stop - part.start for part in box])
    voxel = max(min(spacing), float(content / VOXELS) ** (1 / 3))
    parts = []
    for volume, order in ((grey, 1), (codes, 0)):
        whole = nibabel.Nifti1Image(volume.astype(np.float32), picture.affine).slicer[box]
        parts.append(resample_to_output(whole, (voxel,) * 3, order=order))
    return parts[0], parts[1]


def _box(inside: np.ndarray) -> tuple[slice, ...]:
    """The smallest box around what is inside, with a margin."""
    box = []
    for axis, size in enumerate(inside.shape):
        hit = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
        low, high = (int(hit[0]), int(hit[-1]) + 1) if len(hit) else (0, size)
        box.append(slice(max(0, low - MARGIN), min(size, high + MARGIN)))
    return tuple(box)


def _centre(marks: Any) -> tuple[float, ...]:
    """World coordinates of the middle of what is marked, or of the whole."""
    codes = np.asarray(marks.dataobj)
    inside = codes > 0
    voxel = np.argwhere(inside).mean(axis=0) if inside.any() else (np.array(codes.shape) - 1) / 2
    return tuple(float(value) for value in (marks.affine @ [*np.round(voxel), 1])[:3])
