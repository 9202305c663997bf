"""Bright becomes dark within each channel's own range; the background stays."""

import torch

from ganglion.data import RandInvertBraind


def test_it_mirrors_the_brain_and_leaves_the_background():
    image = torch.tensor([[[-1.0, -0.5], [0.0, 0.75]], [[-1.0, -1.0], [-1.0, -1.0]]])
    inverted = RandInvertBraind(prob=1.0, background=-1.0)({"image": image})["image"]
    assert inverted[0].tolist() == [[-1.0, 0.75], [0.25, -0.5]]
    assert inverted[1].tolist() == image[1].tolist()
    torch.testing.assert_close(RandInvertBraind(prob=1.0, background=-1.0)({"image": inverted})["image"], image)


def test_chance_decides_from_its_own_seed():
    image = torch.rand(1, 4, 4) + 1

    def runs() -> list[bool]:
        transform = RandInvertBraind(prob=0.5).set_random_state(seed=1)
        return [bool((transform({"image": image})["image"] != image).any()) for _ in range(20)]

    assert runs() == runs()
    assert 4 < sum(runs()) < 16
    assert torch.equal(RandInvertBraind(prob=0.0)({"image": image})["image"], image)
