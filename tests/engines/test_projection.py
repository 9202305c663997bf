"""Projection: what a generator drew is found again, better than the average, and written."""

import json

import pytest
import torch

from ganglion.engines import Projector, ProjectSlices
from ganglion.errors import InputError
from ganglion.networks import JointGenerator
from ganglion.networks.stylegan2_synthesis import SIZES


@pytest.fixture
def generator(monkeypatch):
    monkeypatch.setitem(SIZES, "toy", (256, 16, 2))
    network = JointGenerator(size="toy", resolution=32)
    network.mapping.average.copy_(network.mapping(torch.randn(500, 512)).mean(dim=0).detach())
    return network


def test_what_was_drawn_is_found_again(generator):
    image = generator(torch.randn(1, 512))[0, :4].detach()
    start = (generator(torch.randn(1, 512), 0.0)[0, :4] - image).square().mean().sqrt().item()
    styles, drawn, difference = Projector(generator, steps=40, anchor=0.0)(image)
    assert styles.shape == (generator.style_count, 512)
    assert torch.allclose(generator(styles[None])[0], drawn, atol=1e-4)
    assert difference == pytest.approx((drawn[:4] - image).square().mean().sqrt().item(), rel=1e-3)
    assert difference < 0.6 * start
    assert torch.equal(styles[0], styles[-1])
    assert not any(p.requires_grad for p in generator.parameters())


def test_layers_of_their_own_and_the_anchor(generator):
    image = generator(torch.randn(1, 512))[0, :4].detach()
    styles, *_ = Projector(generator, steps=5, each_layer=True)(image)
    assert not torch.equal(styles[0], styles[-1])
    average = generator.mapping.average
    free, *_ = Projector(generator, steps=20, anchor=0.0)(image)
    held, *_ = Projector(generator, steps=20, anchor=1e4)(image)
    assert (held - average).square().mean() < (free - average).square().mean()


def test_what_is_written(generator, tmp_path):
    items = [
        {"image": torch.rand(4, 32, 32) * 2 - 1, "label": torch.zeros(1, 32, 32), "subject": f"sub-{k}"}
        for k in range(3)
    ]
    folder = ProjectSlices(Projector(generator, steps=1), items, tmp_path / "out", 2, 4).run()
    content = json.loads((folder / "projection.json").read_text())
    assert [row["subject"] for row in content["slices"]] == ["sub-0", "sub-1"]
    styles = torch.load(folder / "styles.pt", weights_only=True)["styles"]
    assert styles.shape == (2, generator.style_count, 512)
    assert (folder / "projection.png").is_file()
    with pytest.raises(InputError, match="no slice to project"):
        ProjectSlices(Projector(generator), [], tmp_path, 2, 4).run()
    with pytest.raises(InputError, match="steps 0"):
        Projector(generator, steps=0)
