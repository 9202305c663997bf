"""The picture of a synthetic subject: a readable PNG as wide as its panels, the same bytes each time."""

import numpy as np
import pytest

from ganglion.engines.synthesis_picture import write_synthesis_picture


@pytest.fixture
def panels():
    rng = np.random.default_rng(0)
    own, other = rng.uniform(-1, 1, (2, 20, 30))
    return {"input": own, "own code": own, "code swapped": other, "difference": other - own}


def test_a_row_of_panels(panels, tmp_path):
    from matplotlib.image import imread

    path = write_synthesis_picture(tmp_path / "a.png", panels)
    picture = imread(path)
    assert picture.shape[1] > 4 * 200
    assert picture[..., :3].std() > 0.1
    colour = np.ptp(picture[..., :3], axis=-1) > 0.2
    quarter = picture.shape[1] // 4
    assert colour[:, 3 * quarter :].mean() > 0.2  # differences alone are in colours
    assert colour[40:, : 3 * quarter].mean() < 0.01


def test_the_same_bytes_each_time_and_no_difference_is_no_fault(panels, tmp_path):
    panels["difference"] = np.zeros_like(panels["input"])
    first, second = (write_synthesis_picture(tmp_path / name, panels) for name in ("a.png", "b.png"))
    assert first.read_bytes() == second.read_bytes()
