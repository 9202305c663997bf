"""Ways to write a network down: TorchScript, ONNX and torch.export, each with a way to read it back.

All of them take a batch and sizes other than those of the example, and none keeps what torch notes down about the
source: file names, lines of code, times.
"""

from __future__ import annotations

import io
import json
import logging
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.export import ExportedProgram

    from .export_source import Source

    Runner = Callable[[torch.Tensor], torch.Tensor]

_OPSET = 20  # the newest that torch's converter writes without a conversion afterwards
_DETAILS = ("doc_string", "metadata_props")  # of ONNX: texts about the source, not needed to run


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        suffix: how its files end.
        write: makes the file's content from a network, its source, and texts by name to carry along.
        read: makes a function of a tensor from the file's content, on the CPU.
    """

    suffix: str
    write: Callable[[nn.Module, Source, Mapping[str, str]], bytes]
    read: Callable[[bytes], Runner]


def write_torchscript(network: nn.Module, source: Source, texts: Mapping[str, str]) -> bytes:
    """Scripts a network; the texts lie where MONAI and its deploy SDK look for them."""
    import torch

    buffer = io.BytesIO()  # a name of a file would be noted inside
    with _quiet():
        try:
            scripted = torch.jit.script(network)
        except Exception as error:
            raise _refused("TorchScript cannot express this network", error, "torch_export") from error
        torch.jit.save(scripted, buffer, _extra_files={name: text.encode() for name, text in texts.items()})
    return _without_debug(buffer.getvalue())


def read_torchscript(content: bytes) -> Runner:
    """Loads what `write_torchscript` made."""
    import torch

    with _quiet():
        runner: Runner = torch.jit.load(io.BytesIO(content), map_location="cpu")
    return runner


def write_program(network: nn.Module, source: Source, texts: Mapping[str, str]) -> bytes:
    """Writes a torch.export program, which refuses sizes that the metadata do not allow."""
    import torch

    buffer = io.BytesIO()
    with _quiet():
        torch.export.save(_program(network, source), buffer, extra_files=dict(texts))
    return buffer.getvalue()


def read_program(content: bytes) -> Runner:
    """Loads what `write_program` made."""
    import torch

    with _quiet():
        runner: Runner = torch.export.load(io.BytesIO(content)).module()
    return runner


def write_onnx(network: nn.Module, source: Source, texts: Mapping[str, str]) -> bytes:
    """Writes one ONNX file with the weights inside; its axes are named after the metadata."""
    import torch

    _need_onnx()
    program = _program(with_exact_norms(network), source)
    with _quiet():
        options: dict[str, Any] = {"input_names": [source.input_name], "output_names": [source.output_name]}
        options |= {"dynamo": True, "external_data": False, "verbose": False, "opset_version": _OPSET}
        converted = torch.onnx.export(program, (), **options)
    if converted is None:
        raise InputError("torch wrote no ONNX program; take --format torchscript or torch_export")
    model = converted.model_proto
    _remove_details(model)
    _name_axes(model, source)
    for name, text in texts.items():
        model.metadata_props.add(key=name, value=text)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def read_onnx(content: bytes) -> Runner:
    """Loads what `write_onnx` made into ONNX Runtime."""
    import torch

    _need_onnx()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (name,) = (value.name for value in session.get_inputs())
    return lambda image: torch.from_numpy(session.run(None, {name: image.numpy()})[0])


FORMATS = {
    "torchscript": Format(".ts", write_torchscript, read_torchscript),
    "onnx": Format(".onnx", write_onnx, read_onnx),
    "torch_export": Format(".pt2", write_program, read_program),
}


def with_exact_norms(network: nn.Module) -> nn.Module:
    """A copy of a network whose instance norms are computed so that ONNX Runtime computes them exactly enough.

    It sums a plane in one go, which leaves a mean of three digits; where a channel hardly varies, as around a head, the
    answer was 3e-3 off.
    """
    import copy

    from torch import nn

    def mean(image: torch.Tensor) -> torch.Tensor:
        for axis in range(2, image.dim()):  # a sum of 50,000 numbers at once is 3 digits short there
            image = image.mean(dim=axis, keepdim=True)
        return image

    class ExactNorm(nn.Module):
        def __init__(self, norm: nn.modules.instancenorm._InstanceNorm) -> None:
            super().__init__()
            self.norm = norm

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            axes = list(range(2, image.dim()))
            centred = image - mean(image)
            centred = centred - mean(centred)  # what rounding left of it
            result = centred * (mean(centred.square()) + self.norm.eps).rsqrt()
            if not self.norm.affine:
                return result
            shape = [1, -1] + [1] * len(axes)
            return result * self.norm.weight.reshape(shape) + self.norm.bias.reshape(shape)

    def replace(module: nn.Module) -> nn.Module:
        for name, child in module.named_children():
            if isinstance(child, nn.modules.instancenorm._InstanceNorm) and not child.track_running_stats:
                setattr(module, name, ExactNorm(child))
            else:
                setattr(module, name, replace(child))
        return module

    return replace(copy.deepcopy(network))


def half_inside(network: nn.Module) -> nn.Module:
    """A copy of a network that computes in float16 between a float32 input and a float32 output.

    So whoever takes the file feeds and reads the same arrays as with the checkpoint.
    """
    import copy

    from torch import nn

    class HalfInside(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.network(image.half()).float()

    return HalfInside(copy.deepcopy(network).half()).eval()


def _program(network: nn.Module, source: Source) -> ExportedProgram:
    """Traces a network for every batch and every size that its metadata allow, and forgets where its code lies."""
    import torch
    from torch.export import Dim

    # Sizes that differ from each other and from the channels: torch.export would take equal ones for the same.
    sizes = [axis.example(2 + i) for i, axis in enumerate(source.axes)]
    example = torch.zeros(2, source.channels, *sizes)
    free: dict[int, Any] = {0: Dim("batch", min=1)}
    for i, axis in enumerate(source.axes):
        if not axis.fixed:
            count = Dim(f"n{i}", min=axis.least // axis.step)
            free[i + 2] = axis.step * count if axis.step > 1 else count
    with _quiet():
        try:
            program = torch.export.export(network, (example,), dynamic_shapes=(free,))
        except Exception as error:
            raise _refused("torch.export cannot express this network for its spatial_shape", error, None) from error
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)
    program.example_inputs = None
    return program


def _without_debug(content: bytes) -> bytes:
    """A TorchScript archive without the entries that name source files; what remains is stored as it was."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as whole, zipfile.ZipFile(buffer, "w") as kept:
        for entry in whole.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                kept.writestr(zipfile.ZipInfo(entry.filename), whole.read(entry))
    return buffer.getvalue()


def _remove_details(message: Any) -> None:
    """Clears every text about the source in an ONNX model."""
    for part, value in message.ListFields():
        if part.name in _DETAILS:
            message.ClearField(part.name)
        elif part.message_type is not None:
            for inner in [value] if hasattr(value, "ListFields") else value:
                _remove_details(inner)


def _name_axes(model: Any, source: Source) -> None:
    """Calls the free axes batch, 16*n0, 16*n1, ... in place of the names that torch has drawn."""
    drawn = [dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim]
    names = {}
    for index, text in enumerate(drawn):
        for symbol in re.findall(r"[a-z]\w*", text):
            names[symbol] = "batch" if index == 0 else f"n{index - 2}"
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = re.sub(r"[a-z]\w*", lambda match: names.get(match[0], match[0]), dim.dim_param)


def _need_onnx() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise InputError(f'ONNX needs {", ".join(missing)}: pip install "ganglion[onnx]"')


def _refused(what: str, error: Exception, other: str | None) -> InputError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    mend = f"; take --format {other}" if other else "; state in metadata.json the sizes that the network takes"
    return InputError(f"{what}: {json.dumps((lines or [type(error).__name__])[0])}{mend}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps torch's notes to its own developers away from the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.onnx._internal.exporter._registration")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
