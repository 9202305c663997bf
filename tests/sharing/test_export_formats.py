import io
import json
import zipfile

import pytest
import torch
from torch import nn

from ganglion.errors import InputError
from ganglion.sharing import export_formats
from ganglion.sharing.export_formats import FORMATS, half_inside
from ganglion.sharing.export_source import read_source

from .toy_export import make_bundle

KINDS = [*FORMATS]
# One ONNX program a run is enough by default: each takes seconds.
MORE_KINDS = [pytest.param(kind, marks=pytest.mark.slow) if kind == "onnx" else kind for kind in KINDS]
TEXTS = {"export.json": '{"bundle": "toy"}', "metadata.json": "{}"}


def skip_without(kind: str) -> None:
    if kind == "onnx":
        for name in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(name, reason='ONNX is an extra: pip install "ganglion[onnx]"')


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return read_source(make_bundle(tmp_path_factory.mktemp("export") / "toy"))


@pytest.fixture(scope="module", params=KINDS)
def written(request, source):
    skip_without(request.param)
    return request.param, FORMATS[request.param].write(source.network, source, TEXTS)


def test_any_batch_and_any_allowed_size_gives_the_networks_answer(written, source):
    kind, content = written
    runner = FORMATS[kind].read(content)
    for batch, height, width in ((1, 8, 8), (1, 12, 8), (2, 40, 16), (7, 8, 20)):
        image = torch.rand(batch, 2, height, width)
        with torch.no_grad():
            difference = (runner(image) - source.network(image)).abs().max()
        assert difference < 1e-6, (kind, image.shape)


def test_texts_travel_inside(written):
    kind, content = written
    if kind == "onnx":
        import onnx

        model = onnx.load_model_from_string(content)
        assert {entry.key: entry.value for entry in model.metadata_props} == TEXTS
        onnx.checker.check_model(model)
        return
    load = (
        torch.jit.load
        if kind == "torchscript"
        else lambda file, _extra_files: torch.export.load(file, extra_files=_extra_files)
    )
    found = dict.fromkeys(TEXTS, "")
    load(io.BytesIO(content), _extra_files=found)
    assert {name: text.decode() if isinstance(text, bytes) else text for name, text in found.items()} == TEXTS


@pytest.mark.parametrize("kind", MORE_KINDS)
def test_the_same_network_gives_the_same_bytes(kind, source):
    skip_without(kind)
    first, second = (FORMATS[kind].write(source.network, source, TEXTS) for _ in range(2))
    assert first == second


def test_a_size_that_is_not_allowed_is_refused(written, source):
    """ONNX has no such guard: there the valid sizes stand in the names of the axes and in the texts."""
    kind, content = written
    image = torch.rand(1, 2, 10, 10)
    if kind == "onnx":
        import onnx

        graph = onnx.load_model_from_string(content).graph
        for value, channels in ((graph.input[0], 2), (graph.output[0], 1)):
            dims = value.type.tensor_type.shape.dim
            assert [dim.dim_param or dim.dim_value for dim in dims] == ["batch", channels, "4*n0", "4*n1"]
        return
    with pytest.raises(Exception, match=r"divisible by 4|Guard failed.*% 4|4"):
        FORMATS[kind].read(content)(image)


def test_torchscript_opens_with_monai(source):
    from monai.data import load_net_with_metadata

    texts = {"metadata.json": '{"version": "1.2.3"}', "inference.json": "{}"}
    content = FORMATS["torchscript"].write(source.network, source, texts)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert not [name for name in archive.namelist() if "debug" in name]
        assert archive.testzip() is None
    network, metadata, others = load_net_with_metadata(io.BytesIO(content), more_extra_files=("inference.json",))
    assert metadata == {"version": "1.2.3"}
    assert json.loads(others["inference.json"]) == {}
    assert network(torch.rand(1, 2, 8, 8)).shape == (1, 1, 8, 8)


@pytest.mark.parametrize("kind", MORE_KINDS)
@pytest.mark.parametrize("shape", [("4*n", "4*n", "4*n"), (8, 12), ("*", "*")], ids=str)
def test_volumes_fixed_and_free_sizes(kind, shape, tmp_path):
    skip_without(kind)
    step = 1 if "*" in shape else 4
    source = read_source(make_bundle(tmp_path / "toy", shape, step, package=f"toy_networks_{step}"))
    runner = FORMATS[kind].read(FORMATS[kind].write(source.network, source, {}))
    for image in (torch.rand(1, 2, *(axis.least for axis in source.axes)), torch.rand(3, 2, *sizes(source))):
        with torch.no_grad():
            assert (runner(image) - source.network(image)).abs().max() < 1e-6


def sizes(source) -> list[int]:
    return [axis.example(2 + index) for index, axis in enumerate(source.axes)]


@pytest.mark.parametrize("kind", MORE_KINDS)
def test_half_precision_keeps_the_form_of_input_and_output(kind, source):
    skip_without(kind)
    network = half_inside(source.network)
    assert source.network.down.weight.dtype == torch.float32
    content = FORMATS[kind].write(network, source, {})
    image = torch.rand(3, 2, 8, 16)
    found = FORMATS[kind].read(content)(image)
    with torch.no_grad():
        expected = source.network(image)
    assert found.dtype == torch.float32
    assert 0 < (found - expected).abs().max() < 2**-8
    half_size = sum(value.numel() for value in network.state_dict().values()) * 2
    assert half_size * 2 == sum(value.numel() * value.element_size() for value in source.network.state_dict().values())


class Unscriptable(nn.Module):
    def forward(self, *images: torch.Tensor) -> torch.Tensor:
        return images[0] * 2


class Peeking(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image * 2 if image.sum() > 0 else image


def test_a_network_that_a_format_cannot_express_is_named(source, counted):
    with pytest.raises(InputError, match="TorchScript cannot express this network: .*take --format torch_export"):
        FORMATS["torchscript"].write(Unscriptable(), source, {})
    with pytest.raises(InputError, match=r"torch.export cannot express this network"):
        FORMATS["torch_export"].write(Peeking(), source, {})
    counted("faulty inputs", 2)


def test_without_the_packages_for_onnx_the_error_names_them(source, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'ONNX needs onnx, onnxscript, onnxruntime: pip install "ganglion\[onnx\]"'):
        export_formats.write_onnx(source.network, source, {})
