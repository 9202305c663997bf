"""The pictures of drawn slices: enlarged, and nothing else."""

import numpy as np
from benchmarks.synthesis_pictures import main
from PIL import Image


def test_each_picture_is_written_twice_as_large(tmp_path):
    for place, names in (("samples", ("grid", "walk")), ("compared", ("neighbours",))):
        (tmp_path / place).mkdir()
        for name in names:
            pixels = np.zeros((20, 30, 3), np.uint8)
            pixels[:10] = 255
            Image.fromarray(pixels).save(tmp_path / place / f"{name}.png")
    main(str(tmp_path / "samples"), str(tmp_path / "compared"), str(tmp_path))
    for name in ("grid", "walk", "neighbours"):
        with Image.open(tmp_path / f"stylegan2_{name}.webp") as picture:
            assert picture.size == (60, 40)
            grey = np.asarray(picture.convert("L"))
        assert grey[:18].min() > 200
        assert grey[22:].max() < 55
