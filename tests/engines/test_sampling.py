"""Samples by seed, their styles, and the data set that they are written as."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch

from ganglion.data import LoadContrastsd, LoadLabeld, check_dataset, load_items
from ganglion.engines import Sampler, WriteSamples
from ganglion.errors import InputError
from ganglion.networks import JointGenerator
from ganglion.networks.stylegan2_synthesis import SIZES


@pytest.fixture
def generator(monkeypatch):
    monkeypatch.setitem(SIZES, "toy", (256, 16, 2))
    network = JointGenerator(size="toy", resolution=32)
    torch.nn.init.normal_(network.mapping.average, std=0.1)
    torch.nn.init.constant_(network.blocks[1].refine.strength, 0.5)
    return network


def test_a_sample_depends_on_seed_and_number_alone(generator):
    images = list(Sampler(generator, batch_size=4).images(5))
    again = list(Sampler(generator, batch_size=2).images(3))
    other = list(Sampler(generator, seed=1).images(1))
    assert len(images) == 5
    for one, two in zip(images, again, strict=False):
        assert torch.allclose(one, two, atol=1e-4)
    assert not torch.allclose(images[0], other[0], atol=1e-2)
    assert not torch.allclose(images[0], images[1], atol=1e-2)


def test_drawn_noise_is_that_of_the_sample(generator):
    fixed = list(Sampler(generator).images(2))
    drawn, again = (list(Sampler(generator, noise="drawn").images(2)) for _ in range(2))
    assert all(torch.equal(one, two) for one, two in zip(drawn, again, strict=True))
    assert not torch.allclose(drawn[0], fixed[0], atol=1e-3)


def test_truncation_and_mixing_act_on_styles(generator):
    plain = Sampler(generator).styles([0, 1])
    assert torch.allclose(Sampler(generator, truncation=0.0).styles([0]), generator.mapping.average)
    half = Sampler(generator, truncation=0.5).styles([0, 1])
    assert torch.allclose(half, (plain + generator.mapping.average) / 2, atol=1e-5)
    mixed = Sampler(generator, crossover=3).styles([0, 1])
    assert torch.allclose(mixed[:, :3], plain[:, :3], atol=1e-6)
    assert not torch.allclose(mixed[:, 3:], plain[:, 3:], atol=1e-2)


def test_a_walk_begins_and_ends_at_samples(generator):
    sampler = Sampler(generator)
    rows, images = sampler.walk(2, 3), list(sampler.images(4))
    assert rows.shape == (2, 3, 8, 32, 32)
    for pair in (0, 1):
        assert torch.allclose(rows[pair, 0], images[2 * pair], atol=1e-4)
        assert torch.allclose(rows[pair, 2], images[2 * pair + 1], atol=1e-4)


def test_what_is_written_is_a_data_set(generator, tmp_path):
    torch.save(generator.state_dict(), tmp_path / "generator.pt")
    sampler = Sampler(JointGenerator(size="toy", resolution=32), weights=tmp_path / "generator.pt")
    assert torch.equal(next(iter(sampler.images(1))), next(iter(Sampler(generator).images(1))))
    options = {"spacing": (3.0, 3.0, 4.0), "validation": 0.2, "grid": 3, "walk": (1, 3)}
    folder = WriteSamples(sampler, tmp_path / "drawn", 5, **options).run()
    assert [finding for finding in check_dataset(folder) if finding.level == "error"] == []
    assert len(load_items(folder, "training")) == 4
    (item,) = load_items(folder, "validation")
    loaded = LoadLabeld()(LoadContrastsd()(item))
    joint = list(sampler.images(5))[4]
    assert loaded["image"].shape == (4, 32, 32, 1)
    assert torch.allclose(loaded["image"][..., 0] / 500 - 1, joint[:4].clamp(-1, 1), atol=0.05)
    assert torch.equal(loaded["label"][0, ..., 0].long(), joint[4:].argmax(dim=0))
    assert nib.load(item["label"]).header.get_zooms() == (3.0, 3.0, 4.0)
    content = json.loads((folder / "dataset.json").read_text())
    assert content["generated"]["seed"] == 0
    assert len(content["generated"]["weights_sha256"]) == 64
    assert str(tmp_path) not in json.dumps(content)


def test_pictures_show_each_sample_with_its_labels(generator, tmp_path):
    from matplotlib.image import imread

    folder = WriteSamples(Sampler(generator), tmp_path / "drawn", 3, walk=(2, 3)).run()
    grid, walk = imread(folder / "grid.png"), imread(folder / "walk.png")
    assert grid.shape[:2] == (2 * 34, 2 * (5 * 32 + 2))
    assert walk.shape[:2] == (2 * 34, 3 * (5 * 32 + 2))
    joint = next(iter(Sampler(generator).images(1)))
    first = ((joint[0].clamp(-1, 1) + 1) / 2).numpy().T[::-1]
    assert np.allclose(grid[:32, :32, 0], first, atol=0.01)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"truncation": 2.0}, "truncation is 2"),
        ({"crossover": 8}, "from 1 to 7"),
        ({"noise": "none"}, "noise is"),
        ({"weights": "nowhere.pt"}, "no such file"),
    ],
)
def test_mistakes_are_named(generator, options, says):
    with pytest.raises(InputError, match=says):
        Sampler(generator, **options)


def test_a_folder_with_something_in_it_is_refused(generator, tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(InputError, match="not an empty folder"):
        WriteSamples(Sampler(generator), tmp_path, 1).run()
    with pytest.raises(InputError, match="count 0"):
        WriteSamples(Sampler(generator), tmp_path, 0)


def test_drawing_that_was_cut_off_leaves_no_data_set_and_can_be_done_again(generator, tmp_path, monkeypatch):
    writer = WriteSamples(Sampler(generator), tmp_path / "drawn", 3, walk=(0, 0))
    with monkeypatch.context() as patch:
        patch.setattr(writer, "_pictures", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            writer.run()
    assert not (tmp_path / "drawn").exists()
    folder = writer.run()
    assert len(load_items(folder, "training")) == 3 - 1
    assert [path.name for path in tmp_path.iterdir()] == ["drawn"]
