"""Pictures of docs/stylegan2_synthesis.md: `python -m benchmarks.synthesis_pictures [SAMPLES COMPARED] [--out DIR]`.

SAMPLES is what `generating` wrote, COMPARED what `comparing` wrote, by default where the bundle's configs put them:

    cd bundles/stylegan2_synthesis
    python -m monai.bundle run generating --config_file configs/generate.json
    python -m monai.bundle run comparing --config_file configs/compare.json --dataset_dir DST

Their pictures are enlarged, pixel by pixel, and written as WebP.
"""

from __future__ import annotations

from pathlib import Path

import fire
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
EVAL = ROOT / "bundles" / "stylegan2_synthesis" / "eval"
SCALE = 2
QUALITY = 88


def main(
    samples: str = str(EVAL / "samples" / "reference"),
    compared: str = str(EVAL / "generation" / "reference"),
    out: str = str(ROOT / "docs" / "images"),
) -> None:
    """Write stylegan2_grid, stylegan2_walk and stylegan2_neighbours.

    Args:
        samples: folder with grid.png and walk.png.
        compared: folder with neighbours.png.
        out: folder that is written into.
    """
    for folder, name in ((samples, "grid"), (samples, "walk"), (compared, "neighbours")):
        with Image.open(Path(folder) / f"{name}.png") as picture:
            size = (SCALE * picture.width, SCALE * picture.height)
            enlarged = picture.convert("RGB").resize(size, Image.Resampling.NEAREST)
        enlarged.save(Path(out) / f"stylegan2_{name}.webp", quality=QUALITY, method=6)


if __name__ == "__main__":
    fire.Fire(main)
