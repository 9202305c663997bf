import dataclasses
import io
import os
import zipfile
from pathlib import Path

import pytest
import torch

from ganglion.errors import InputError
from ganglion.sharing.export_check import compare, head_inputs, random_inputs, traces
from ganglion.sharing.export_source import Axis, read_source

from .toy_export import change, make_bundle


@pytest.fixture
def source(tmp_path):
    return read_source(make_bundle(tmp_path / "toy"))


def test_the_checkpoint_passes_against_itself(source):
    results = compare(source.network, source, "fp32", scans=[torch.rand(5, 2, 8, 12)])
    assert [each.what for each in results] == ["random"] * 3 + ["head", "scan"]
    assert all(each.passed and each.difference == 0 for each in results)
    assert len({each.shape[0] for each in results}) >= 3
    assert len({each.shape[2:] for each in results}) >= 4


@pytest.mark.parametrize(("shift", "passed"), [(5e-5, True), (2e-4, False), (float("nan"), False)])
def test_a_difference_above_the_limit_fails(source, shift, passed):
    results = compare(lambda image: source.network(image) + shift, source, "fp32")
    assert {each.passed for each in results} == {passed}


@pytest.mark.parametrize(("share", "passed"), [(2.0**-10, True), (2.0**-7, False)])
def test_half_precision_is_held_to_a_share_of_the_largest_output(source, share, passed):
    scaled = dataclasses.replace(source, network=lambda image: 100 * source.network(image))
    results = compare(lambda image: scaled.network(image) * (1 + share), scaled, "fp16")
    assert {each.passed for each in results} == {passed}


@pytest.mark.parametrize("other", [lambda result: result[..., 1:], lambda result: result.half(), lambda r: r[:1]])
def test_another_shape_or_type_fails(source, other):
    results = compare(lambda image: other(source.network(image)), source, "fp32")
    assert not all(each.passed for each in results)


def test_a_checkpoint_without_finite_answers_is_refused(source):
    with torch.no_grad():
        source.network.out.bias.fill_(float("inf"))
    with pytest.raises(InputError, match="the checkpoint itself"):
        compare(source.network, source, "fp32")


def test_sizes_that_the_network_refuses_are_a_fault_of_the_metadata(tmp_path, counted):
    root = make_bundle(tmp_path / "toy")
    change(root, "metadata", network_data_format__inputs__image__spatial_shape=["3*n", "3*n"])
    source = read_source(root)
    with pytest.raises(InputError, match=r"metadata.json: allows an input of shape .*divisible by 4"):
        compare(source.network, source, "fp32")
    counted("faulty inputs")


def test_inputs_are_the_same_each_time_and_in_range(source):
    first, second = (list(random_inputs(source)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(0 <= image.min() < 0.1 < 0.9 < image.max() <= 1 for image in first)
    wide = dataclasses.replace(source, value_range=(-1000.0, 500.0))
    assert min(image.min() for image in random_inputs(wide)) < -900
    free = dataclasses.replace(source, value_range=None)
    assert min(image.min() for image in random_inputs(free)) < -2


@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        ((Axis(16, False),) * 2, (1, 2, 240, 224)),
        ((Axis(96, True), Axis(64, True)), (1, 2, 96, 64)),
        ((Axis(32, False),) * 3, (1, 2, 96, 64, 64)),
    ],
)
def test_a_head_lies_in_a_background_of_zero(source, axes, shape):
    (image,) = head_inputs(dataclasses.replace(source, axes=axes))
    assert image.shape == shape
    corners = image[..., :3, :3]
    assert not corners.any()
    centre = image[(0, slice(None), *(side // 2 for side in shape[2:]))]
    assert (centre > 0.2).all()
    assert 0 <= image.min() < image.max() <= 1
    assert image.unique().numel() > 500
    assert not torch.equal(image[:, 0], image[:, 1])


def test_networks_of_a_vector_have_no_head(source):
    assert list(head_inputs(dataclasses.replace(source, axes=()))) == []


def zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def test_folders_of_this_machine_are_found_at_any_depth(source, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    text = b"made by /home/somebody/scans/a.nii.gz" + b"\0" * 100
    hidden = [text, zipped("a.txt", text), zipped("b.zip", zipped("a.txt", text)), zipped("home/somebody/x", text)]
    for content in hidden:
        assert traces(content, source) == ["/home/somebody/"]
    assert traces(zipped("a.txt", b"/home/somebodyelse/scans" * 9), source) == []
    for folder in (Path.cwd(), tmp_path / "toy", Path(torch.__file__).parents[1]):
        assert f"{folder}{os.sep}" in traces(zipped("a.txt", f"{folder}/net.py".encode()), source)


def test_a_folder_called_as_a_part_of_every_archive_is_no_false_alarm(source, monkeypatch):
    """Containers like to mount `/data`, and torch keeps weights in `archive/data/`."""
    monkeypatch.setattr(os, "getcwd", lambda: "/data")
    assert traces(zipped("archive/data/0", b"archive/data/0"), source) == []
    assert traces(zipped("a", b"x /data/somebody.nii.gz"), source) == ["/data/"]
