"""The pictures of docs/multistage_gan.md: `python -m benchmarks.multistage_pictures RUN [--dataset_dir DST]`.

RUN is the run folder of a training of the bundle multistage_gan that was started by its command line and told to keep
its checkpoints, every fourth epoch for instance:

    python -m monai.bundle run training --config_file bundles/multistage_gan/configs/train.json --dataset_dir DST \
        '--train#handlers#2#save_every' 4 '--train#handlers#2#keep' 1000

One picture shows a patch of a test subject, the other one a slice of its head; a row (a column) an epoch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fire
import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.metrics import compute_dice
from monai.networks import one_hot
from torch import Tensor, nn

from ganglion.data import load_items
from ganglion.engines import HeadPatchInferer
from ganglion.engines.handlers.checkpoint import load_plain
from ganglion.engines.objectives.few_labels import brain_probability
from ganglion.losses import real_score

NETWORKS = ("coarse", "generator", "discriminator", "refiner")
CLASSES = 4
# Black, and Okabe and Ito's blue, purple and yellow: told apart with any colour vision.
COLOURS = np.array([[0, 0, 0], [86, 180, 233], [204, 121, 167], [240, 228, 66]], dtype=np.uint8)
LEGEND = (("CSF", 1), ("grey matter", 2), ("white matter", 3))
PANEL = 1.15  # inches
DPI = 100
QUALITY = 82


@dataclass
class Panel:
    """One picture of a figure.

    Args:
        title: stands above the column.
        image: (X, Y) numbers, or codes of tissues.
        limits: what is black and what is white; None for tissues.
        note: stands in the corner.
    """

    title: str
    image: np.ndarray
    limits: tuple[float, float] | None = (-1.0, 1.0)
    note: str = ""


@dataclass
class Run:
    """A training: its configuration and its checkpoints by epoch.

    Args:
        folder: the run folder.
    """

    folder: Path
    parser: ConfigParser = field(init=False)
    checkpoints: dict[int, Path] = field(init=False)

    def __post_init__(self) -> None:
        config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))["config"]
        if config is None:
            raise SystemExit(f"{self.folder}/config.json: holds no configuration; train by the command line")
        self.parser = ConfigParser(config)
        self.parser["device"] = "$torch.device('cpu')"
        missing = set(NETWORKS) - set(config["networks"])
        if missing:
            raise SystemExit(f"{self.folder}: is of a variant without {', '.join(sorted(missing))}; show the reference")
        files = sorted((self.folder / "checkpoints").glob("iteration-*.pt"))
        self.checkpoints = {load_plain(file)["trainer"]["epoch"]: file for file in files}
        if not self.checkpoints:
            raise SystemExit(f"{self.folder}: found no checkpoint")

    def networks(self, epoch: int) -> dict[str, nn.Module]:
        """The networks as they were after an epoch, the one that labels among them."""
        networks = self.parser.get_parsed_content("networks")
        state = load_plain(self.checkpoints[epoch])["trainer"]["networks"]
        for name, network in networks.items():
            network.load_state_dict(state[name])
            network.eval()
        return networks

    def chosen(self, wanted: Sequence[int], number: int = 5) -> list[int]:
        """The epochs to show: those wanted, or the first, the last and some between, each about twice the former."""
        there = sorted(self.checkpoints)
        if absent := set(wanted) - set(there):
            raise SystemExit(f"{self.folder}: no checkpoint of epoch {sorted(absent)}, found {there}")
        ideal = np.geomspace(there[0], there[-1], number)
        return list(wanted) or sorted({min(there, key=lambda epoch, at=at: abs(epoch - at)) for at in ideal})


def subject(run: Run, dataset_dir: str, section: str) -> tuple[str, Tensor, Tensor]:
    """Name, image (1, C, X, Y, Z) and label (1, 1, X, Y, Z) of the first subject of a list, as validation sees them."""
    item = load_items(dataset_dir, section, run.parser.get_parsed_content("contrasts"))[0]
    ready = run.parser.get_parsed_content("validate#preprocessing")(item)
    return item["subject"], *(ready[key].as_tensor()[None].float() for key in ("image", "label"))


def best_corner(label: Tensor, size: Sequence[int]) -> tuple[slice, ...]:
    """The window, on a grid of quarters of its size, whose rarest tissue has most voxels on the slice in its middle."""
    inside = one_hot(label, CLASSES)[0, 1:]
    sides = zip(label.shape[2:], size, strict=True)
    steps = [range(0, max(1, whole - side + 1), max(1, side // 4)) for whole, side in sides]

    def rarest(corner: tuple[int, ...]) -> float:
        x, y, z = corner
        return float(inside[:, x : x + size[0], y : y + size[1], z + size[2] // 2].sum((1, 2)).min())

    corners = [(x, y, z) for x in steps[0] for y in steps[1] for z in steps[2]]
    return tuple(slice(at, at + side) for at, side in zip(max(corners, key=rarest), size, strict=True))


@torch.no_grad()
def patch_panels(networks: Mapping[str, nn.Module], run: Run, image: Tensor, label: Tensor) -> list[Panel]:
    """What goes into the networks and what comes out, on the middle slice of a patch."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(2, int(run.parser["noise_size"]), generator=generator) * 2 - 1
    brain = brain_probability(networks, image)
    assert brain is not None
    first, second = (networks["generator"](image, one[None], brain) for one in noise)
    opinion, of_generated = (networks["discriminator"](each).float() for each in (image, first))
    tissues = networks["refiner"](image, brain).float()
    shown = run.parser.get_parsed_content("contrasts")
    real, made = (real_score(logits).sigmoid() for logits in (opinion, of_generated))
    panels = [Panel(name, middle(image[:, i])) for i, name in enumerate(shown)]
    panels += [
        Panel("G1: brain", middle(brain[:, 0]), (0, 1)),
        Panel(f"G2: {shown[0]},\none noise", middle(first[:, 0])),
        Panel(f"G2: {shown[0]},\nanother noise", middle(second[:, 0])),
        Panel("their\ndifference", middle((first - second).abs().mean(1)), (0, 0)),
        Panel("D: tissues", middle(opinion.argmax(1)), None),
        Panel("D: real?\nof the image", middle(real), (0, 1), f"{real.mean():.2f}"),
        Panel("D: real?\nof G2's", middle(made), (0, 1), f"{made.mean():.2f}"),
        Panel("G3: tissues", middle(tissues.argmax(1)), None),
        Panel("truth", middle(label[:, 0]), None),
    ]
    return panels


def middle(volume: Tensor) -> np.ndarray:
    """The axial slice in the middle of (1, X, Y, Z)."""
    return volume[0, :, :, volume.shape[-1] // 2].numpy()


@torch.no_grad()
def head_panels(networks: Mapping[str, nn.Module], run: Run, image: Tensor, label: Tensor, level: int) -> list[Panel]:
    """Labels of the whole head, by D and by G1 and G3 fused, with the mean Dice of the tissues."""
    panels = []
    size = run.parser.get_parsed_content("patch_size")
    for title, name, outputs in (("D", "discriminator", "logits"), ("G1 and G3", "segmenter", "probabilities")):
        found = HeadPatchInferer(size, overlap=0.5, outputs=outputs)(image, networks[name]).argmax(1, keepdim=True)
        one, other = (one_hot(codes, CLASSES) for codes in (found, label))
        dice = float(compute_dice(one, other, include_background=False).nanmean())
        panels.append(Panel(title, found[0, 0, :, :, level].numpy(), None, f"{dice:.2f}"))
    return panels


def draw(rows: Mapping[str, Sequence[Panel]], path: Path) -> None:
    """Write a picture of panels in rows; what a column's range is, where it is (0, 0), is that of all its rows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = max(len(row) for row in rows.values())
    sides = next(iter(rows.values()))[0].image.shape
    width, height = PANEL * count + 0.35, PANEL * sides[1] / sides[0] * len(rows) + 0.62
    figure = Figure(figsize=(width, height), dpi=DPI)
    edges = {"left": 0.35 / width, "right": 0.998, "top": 1 - 0.38 / height, "bottom": 0.22 / height}
    axes = figure.subplots(len(rows), count, squeeze=False, gridspec_kw={**edges, "wspace": 0.03, "hspace": 0.03})
    most = [max((row[i].image.max() for row in rows.values() if i < len(row)), default=1.0) for i in range(count)]
    titles = [""] * count
    for line, (name, row) in zip(axes, rows.items(), strict=True):
        for axis in line[len(row) :]:
            axis.set_axis_off()
        for column, (axis, panel) in enumerate(zip(line, row, strict=False)):
            _show(axis, panel, float(most[column]))
            if panel.title != titles[column]:
                titles[column] = panel.title
                ranged = f", to {most[column]:.2f}" if panel.limits == (0, 0) else ""
                axis.set_title(panel.title + ranged, fontsize=7.5, pad=3)
        line[0].set_ylabel(name, fontsize=8)
    for index, (words, code) in enumerate(LEGEND):
        place = (0.35 + 1.2 * index) / width
        figure.text(place, 0.06 / height, "■", color=COLOURS[code] / 255, fontsize=9)
        figure.text(place + 0.14 / width, 0.07 / height, words, fontsize=7.5)
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    figure.savefig(path, format="webp", pil_kwargs={"quality": QUALITY, "method": 6})
    print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


def _show(axis: Any, panel: Panel, top: float) -> None:
    turned = panel.image.T[::-1]
    if panel.limits is None:
        axis.imshow(COLOURS[turned.astype(int)], interpolation="nearest")
    else:
        low, high = panel.limits if panel.limits != (0, 0) else (0.0, top)
        axis.imshow(turned, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    if panel.note:
        box = {"facecolor": "black", "alpha": 0.6, "pad": 1.2, "linewidth": 0}
        axis.text(0.03, 0.04, panel.note, color="white", fontsize=7, transform=axis.transAxes, bbox=box)


def main(run: str, dataset_dir: str = "", section: str = "test", epochs: Any = (), out: str = "docs/images") -> None:
    """Write multistage_patch.webp and multistage_head.webp.

    Args:
        run: the run folder.
        dataset_dir: data set, where the run's own is elsewhere now.
        section: list of the data set whose first subject is shown.
        epochs: which to show, as 4,8,16; those nearest to a doubling each when empty.
        out: folder for the pictures.
    """
    trained = Run(Path(run))
    shown = trained.chosen([epochs] if isinstance(epochs, int) else list(epochs))
    place = dataset_dir or trained.parser.get_parsed_content("dataset_dir")
    name, image, label = subject(trained, place, section)
    print(f"{name} of the list {section}, epochs {', '.join(map(str, shown))}")
    window = (slice(None), slice(None), *best_corner(label, trained.parser.get_parsed_content("patch_size")))
    level = window[-1].start + (window[-1].stop - window[-1].start) // 2
    patches: dict[str, list[Panel]] = {}
    heads: dict[str, list[Panel]] = {"D": [], "G1 and G3": []}
    for epoch in shown:
        networks = trained.networks(epoch)
        patches[f"epoch {epoch}"] = patch_panels(networks, trained, image[window], label[window])
        for row, panel in zip(heads, head_panels(networks, trained, image, label, level), strict=True):
            heads[row].append(Panel(f"epoch {epoch}", panel.image, None, panel.note))
    draw(patches, Path(out) / "multistage_patch.webp")
    contrast = trained.parser.get_parsed_content("contrasts")[0]
    heads["D"].append(Panel("", image[0, 0, :, :, level].numpy(), note=contrast))
    heads["G1 and G3"].append(Panel("", label[0, 0, :, :, level].numpy(), None, "truth"))
    draw(heads, Path(out) / "multistage_head.webp")


if __name__ == "__main__":
    fire.Fire(main)
