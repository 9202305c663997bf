"""The multi-stage GAN's pictures come out of the checkpoints of a run, whichever epochs are asked for."""

import sys
from pathlib import Path

import pytest
import torch
from benchmarks.multistage_pictures import Run, best_corner, main
from monai.bundle import ConfigWorkflow
from multistage_quick import QUICK
from PIL import Image

CONFIG = Path(__file__).parents[2] / "bundles" / "multistage_gan" / "configs" / "train.json"


@pytest.fixture(scope="module")
def run(iseg_cohort, tmp_path_factory):
    """A run of three epochs, all kept, recorded as of the command line."""
    folder = tmp_path_factory.mktemp("pictures")
    options = {**QUICK, "epochs": 3, "dataset_dir": str(iseg_cohort), "output_dir": str(folder / "run")}
    options |= {"weights": str(folder / "model.pt"), "train#handlers#2#keep": 10}
    words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["monai.bundle", "run", "training", "--config_file", str(CONFIG), *words])
        flow = ConfigWorkflow(config_file=str(CONFIG), workflow_type="train", logging_file=False, **options)
        flow.initialize()
        flow.run()
    return folder / "run"


def test_the_window_is_where_the_rarest_tissue_is():
    label = torch.zeros(1, 1, 24, 24, 24)
    label[..., 8, 8:16, 12] = 1
    label[..., 9:16, 8, 12] = 2
    label[..., 9:16, 15, 12] = 3
    x, y, z = best_corner(label, (8, 8, 8))
    assert (x.start, y.start, z.start) == (8, 8, 8)


def test_a_row_an_epoch_and_a_column_an_epoch(run, tmp_path):
    sizes = {}
    for epochs in ((3,), (1, 3)):
        main(str(run), epochs=epochs, out=str(tmp_path))
        for name in ("patch", "head"):
            path = tmp_path / f"multistage_{name}.webp"
            assert path.stat().st_size < 300_000
            with Image.open(path) as picture:
                sizes[len(epochs), name] = picture.size
    assert sizes[1, "patch"][0] == sizes[2, "patch"][0]
    assert sizes[1, "patch"][1] < sizes[2, "patch"][1]
    assert sizes[1, "head"][0] < sizes[2, "head"][0]
    assert sizes[1, "head"][1] == sizes[2, "head"][1]


def test_epochs_that_nobody_named_about_double(run, tmp_path):
    trained = Run(run)
    assert trained.chosen(()) == [1, 2, 3]
    trained.checkpoints = dict.fromkeys(range(4, 44, 4), tmp_path)
    assert trained.chosen((), 4) == [4, 8, 20, 40]
    assert trained.chosen((8, 40)) == [8, 40]


def test_networks_are_those_of_the_epoch(run):
    first, last = (Run(run).networks(epoch)["discriminator"].state_dict() for epoch in (1, 3))
    assert any(not torch.equal(first[key], last[key]) for key in first)  # from epoch 2 on it learns


def test_what_cannot_be_shown_is_said(run, tmp_path):
    with pytest.raises(SystemExit, match="no checkpoint of epoch"):
        main(str(run), epochs=(1, 7), out=str(tmp_path))
    (tmp_path / "config.json").write_text('{"config": null}')
    with pytest.raises(SystemExit, match="holds no configuration"):
        main(str(tmp_path))
    (tmp_path / "config.json").write_text('{"config": {"networks": {"discriminator": 0}}}')
    with pytest.raises(SystemExit, match="variant without coarse, generator, refiner"):
        main(str(tmp_path))
