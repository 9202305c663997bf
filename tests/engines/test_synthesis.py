"""Synthetic subjects: whose image, whose code and whose labels they have, in both modes; windows, noise, files."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from ganglion.engines import SubjectSynthesis
from ganglion.errors import InputError


class Toy(torch.nn.Module):
    """First contrast: the image it is given; second: a tenth of each code, and a little noise."""

    classes = 4
    noise_size = 3

    def __init__(self, mode):
        super().__init__()
        self.mode = mode

    def forward(self, image, tissues, noise):
        code = tissues.argmax(dim=1, keepdim=True).float()
        return torch.cat([image[:, :1], code / 10 + noise.mean(dim=1).reshape(-1, 1, 1, 1, 1) / 100], dim=1), None


def subject(name, brightness, code, sides=(12, 10, 8)):
    """A head with one tissue, in an otherwise empty volume."""
    image, label = torch.full((2, *sides), -1.0), torch.zeros(1, *sides)
    inside = (slice(None), slice(2, -2), slice(2, -2), slice(2, -2))
    image[inside], label[inside] = brightness, code
    affine = torch.diag(torch.tensor([2.0, 2, 3, 1], dtype=torch.float64))
    return {"subject": name, "image": MetaTensor(image, affine=affine), "label": MetaTensor(label, affine=affine)}


def made(folder, mode, items=None, **options):
    items = items or [subject("a", 0.0, 1), subject("b", 0.5, 3, (14, 8, 8))]
    job = SubjectSynthesis(Toy(mode), items, folder, ["T1", "T2"], roi_size=(8, 8, 8), **options)
    return job.run()


def volumes(folder, name):
    files = [folder / name / f"{name}_{part}.nii.gz" for part in ("T1", "T2", "label")]
    return [np.asarray(nib.load(file).dataobj) for file in files]


def middle(volume):
    return float(volume[6, 5, 4])


def test_a_vector_keeps_the_image_and_its_labels_and_takes_the_neighbours_code(tmp_path):
    folder = made(tmp_path / "out", "vector")
    first, second, label = volumes(folder, "synthetic-a")
    assert first.shape == label.shape == (12, 10, 8)
    assert middle(first) == pytest.approx(500, abs=1)  # 0 of [-1, 1]
    assert middle(second) == pytest.approx(650, abs=6)  # the neighbour's code 3
    assert middle(label) == 1
    assert not first[label == 0].any()


def test_a_map_places_the_subjects_own_tissues_into_the_neighbours_image(tmp_path):
    folder = made(tmp_path / "out", "tissue_map")
    first, second, label = volumes(folder, "synthetic-a")
    assert middle(first) == pytest.approx(750, abs=1)  # the neighbour's 0.5
    assert middle(second) == pytest.approx(550, abs=6)  # its own code 1
    assert middle(label) == 1
    assert (first[label > 0] > 0).all()
    assert not first[label == 0].any()


def test_files_are_a_data_set_on_one_grid_and_the_same_again(tmp_path):
    folders = [made(tmp_path / name, "vector", seed=seed) for name, seed in (("one", 0), ("two", 0), ("three", 1))]
    content = json.loads((folders[0] / "dataset.json").read_text())
    assert [item["subject"] for item in content["training"]] == ["synthetic-a", "synthetic-b"]
    assert content["channel_names"] == {"0": "T1", "1": "T2"}
    assert np.allclose(nib.load(folders[0] / content["training"][0]["label"]).affine, np.diag([2, 2, 3, 1]))
    again, other = ([(f / "synthetic-a" / "synthetic-a_T2.nii.gz").read_bytes() for f in folders][k] for k in (1, 2))
    assert (folders[0] / "synthetic-a" / "synthetic-a_T2.nii.gz").read_bytes() == again != other


def test_a_picture_is_written_of_what_it_shows(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("ganglion.engines.synthesis.write_synthesis_picture", lambda *given: asked.append(given))
    made(tmp_path / "out", "vector")
    assert [path.name for path, _ in asked] == ["synthetic-a.png", "synthetic-b.png"]
    panels = asked[0][1]
    assert list(panels) == ["input", "own code", "code swapped", "difference"]
    assert {values.shape for values in panels.values()} == {(12, 10)}
    assert np.allclose(panels["difference"], panels["code swapped"] - panels["own code"])
    made(tmp_path / "bare", "vector", pictures=False)
    assert len(asked) == 2


def test_weights_are_loaded_or_missed_by_name(tmp_path):
    with pytest.raises(InputError, match="gone.pt: no such file, expected weights of network"):
        made(tmp_path / "out", "vector", weights=tmp_path / "gone.pt")


def test_what_cannot_be_made_is_said(tmp_path):
    with pytest.raises(InputError, match="found 1 real one with labels, expected two or more"):
        made(tmp_path / "out", "vector", [subject("a", 0.0, 1)])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="expected a new or empty folder"):
        made(tmp_path / "full", "vector")
    assert (tmp_path / "full" / "notes.txt").read_text() == "mine"
