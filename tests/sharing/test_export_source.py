import sys

import pytest
import torch

from ganglion.errors import InputError
from ganglion.sharing.export_source import Axis, absolute_paths, parse_axis, read_source

from .toy_export import change, make_bundle, tensor, write

WINDOWS = "C:" + "\\scans"


@pytest.fixture
def toy(tmp_path):
    return make_bundle(tmp_path / "toy")


@pytest.mark.parametrize(
    ("item", "axis"),
    [
        (96, Axis(96, True)),
        ("*", Axis(1, False)),
        ("n", Axis(1, False)),
        ("16*n", Axis(16, False)),
        (" 8 * n ", Axis(8, False)),
        ("n*32", Axis(32, False)),
    ],
)
def test_sizes_are_read_as_monai_writes_them(item, axis):
    assert parse_axis(item) == axis


@pytest.mark.parametrize("item", [0, -3, True, "2**p", "16*n+1", "x", "", None, "0*n", 1.5])
def test_sizes_that_mean_nothing_are_refused(item, counted):
    with pytest.raises(InputError, match=r"spatial_shape holds .*, expected a number"):
        parse_axis(item)
    counted("faulty inputs")


@pytest.mark.parametrize(
    ("axis", "least", "nearest", "example"),
    [(Axis(96, True), 96, 96, 96), (Axis(16, False), 32, 240, 48), (Axis(1, False), 2, 250, 48)],
)
def test_sizes_to_try_are_valid(axis, least, nearest, example):
    assert axis.least == least
    assert axis.nearest(250) == nearest
    assert axis.example(3) == example


def test_the_network_is_that_of_the_bundle(toy):
    before = list(sys.path)
    source = read_source(toy)
    assert sys.path == before
    assert not source.network.training
    assert source.name == "toy_v1.2.3"
    assert (source.input_name, source.output_name, source.channels) == ("image", "pred", 2)
    assert source.axes == (Axis(4, False), Axis(4, False))
    weights = torch.load(toy / "models" / "model.pt", weights_only=True)
    assert all(torch.equal(value, source.network.state_dict()[key]) for key, value in weights.items())


def test_absolute_paths_are_found_wherever_they_stand():
    content = {"a": ["x", {"b": "/home/somebody/data"}], "c": WINDOWS, "d": "$@root + '/models'", "e": "/"}
    assert list(absolute_paths(content)) == [("a#1#b", "/home/somebody/data"), ("c", WINDOWS)]


def two_inputs(root):
    change(root, "metadata", network_data_format__inputs={"image": tensor(2, [8]), "noise": tensor(1, [8])})


FAULTS = {
    "no metadata": (lambda root: (root / "configs" / "metadata.json").unlink(), "metadata.json: no such file"),
    "no JSON": (lambda root: (root / "configs" / "metadata.json").write_text("{"), "metadata.json: not valid JSON"),
    "a list": (lambda root: write(root, "inference", []), "inference.json: holds a list"),
    "two inputs": (two_inputs, r"inputs \['image', 'noise'\], expected exactly one"),
    "no output": (lambda root: change(root, "metadata", network_data_format__outputs={}), "outputs"),
    "no channels": (
        lambda root: change(root, "metadata", network_data_format__inputs={"image": {"dtype": "float32"}}),
        "inputs#image lacks num_channels, spatial_shape",
    ),
    "whole numbers": (
        lambda root: change(root, "metadata", network_data_format__inputs__image__dtype="int64"),
        "dtype int64, expected float32",
    ),
    "no network": (lambda root: write(root, "inference", {"bundle_root": "."}), "has no network_def"),
    "a path": (lambda root: change(root, "inference", dataset_dir="/home/somebody/scans"), "dataset_dir is /home/"),
    "no weights": (lambda root: (root / "models" / "model.pt").unlink(), "model.pt: no such file"),
    "other weights": (
        lambda root: torch.save({"down.weight": torch.zeros(1)}, root / "models" / "model.pt"),
        "does not fit network_def",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_bundles_are_named(fault, toy, counted):
    spoil, message = FAULTS[fault]
    spoil(toy)
    with pytest.raises(InputError, match=message):
        read_source(toy)
    counted("faulty inputs")


def test_a_zip_and_a_missing_folder_are_named(tmp_path, counted):
    (tmp_path / "bundle.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match="unpack a zip first"):
        read_source(tmp_path / "bundle.zip")
    with pytest.raises(InputError, match="no such folder"):
        read_source(tmp_path / "nowhere")
    counted("faulty inputs", 2)
