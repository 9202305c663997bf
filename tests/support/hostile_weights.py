"""Files of weights that would do something when they are read, as to create the file CANARY, or are broken."""

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

MAGIC = 0x1950A86A20F9469CFC6C


class Payload:
    """Pickles into a call."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def touch(canary: str) -> Payload:
    import os

    return Payload(os.system, f"touch {canary}")


@dataclass(frozen=True)
class Case:
    """One file.

    Attributes:
        name: path inside the bundle.
        make: gives its bytes for the place of the canary.
        fires: whether Python's own reader of pickles, given the file's first bytes, creates the canary.
    """

    name: str
    make: Callable[[str], bytes]
    fires: bool = False


def archive(entries: Mapping[str, bytes], top: str = "model/") -> bytes:
    """A zip as torch writes it: stored, one folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in entries.items():
            file.writestr(zipfile.ZipInfo(top + name, (1980, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()


def torch_zip(pickled: bytes, **more: bytes) -> bytes:
    return archive({"data.pkl": pickled, "byteorder": b"little", "version": b"3\n", **more})


def script_zip(code: str) -> bytes:
    """A TorchScript archive with other code."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Sequential(torch.nn.ReLU())), buffer)
    with zipfile.ZipFile(buffer) as file:
        entries = {entry: file.read(entry) for entry in file.namelist()}
    top = next(iter(entries)).partition("/")[0] + "/"
    place = next(name for name in entries if name.endswith(".py"))
    entries[place] += f"\n  def more(self, x: Tensor) -> Tensor:\n    {code}\n    return x\n".encode()
    return archive({name.removeprefix(top): content for name, content in entries.items()}, top)


def legacy(canary: str, place: int) -> bytes:
    """What torch wrote before its zips, with the payload as one of its five pickles."""
    parts = [MAGIC, 1001, {"little_endian": True}, {"weight": 1}, []]
    parts[place] = touch(canary)
    return b"".join(pickle.dumps(part, protocol=2) for part in parts)


def program(inputs: bytes) -> bytes:
    """A torch.export program whose sample inputs are a file of torch's again."""
    entries = {"archive_format": b"pt2", "models/model.json": b"{}", "data/sample_inputs/model.pt": inputs}
    return archive(entries)


def numpy_file(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def safetensors(header: object, data: bytes = b"\0" * 8) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(begin: int, end: int, kind: str = "F32", shape: tuple[int, ...] = (1,)) -> dict[str, object]:
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


def opcodes(canary: str, *parts: bytes) -> bytes:
    return b"".join(parts).replace(b"CANARY", canary.encode())


def assembled(canary: str) -> bytes:
    """The name of the function travels through the memo, and its parts are texts of their own."""
    return opcodes(
        canary,
        b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x30\x30h\x00h\x01\x93\x8c\x00\x94\x30",
        text(canary),
        b"\x85R.",
    )


def text(canary: str) -> bytes:
    command = f"touch {canary}".encode()
    return b"X" + struct.pack("<I", len(command)) + command


def function_with_state(_: str) -> bytes:
    """Sets an attribute on a function that everybody uses, which weights have no reason to do."""
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00xK\x01sb."


def computed_call(_: str) -> bytes:
    """Calls what a call has returned."""
    return b"\x80\x02ccollections\nOrderedDict\n)R)R."


def whole_network(_: str) -> bytes:
    buffer = io.BytesIO()
    torch.save(torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1)), buffer)
    return buffer.getvalue()


def two_faces(canary: str) -> bytes:
    """A pickle to torch, which looks at the first bytes, and a sound zip to those who look at the last ones."""
    harmless = io.BytesIO()
    torch.save({"weight": torch.zeros(1)}, harmless)
    return pickle.dumps(touch(canary)) + harmless.getvalue()


def second_zip(canary: str) -> bytes:
    """A torch zip whose pickle a second entry of the same name replaces."""
    return torch_zip(pickle.dumps({})) + torch_zip(pickle.dumps(touch(canary)))


CASES = {
    "pickle": Case("models/model.pt", lambda canary: pickle.dumps(touch(canary)), True),
    "pickle, oldest form": Case("models/model.pkl", lambda canary: pickle.dumps(touch(canary), protocol=0), True),
    "pickle, second form": Case("models/model.pth", lambda canary: pickle.dumps(touch(canary), protocol=2), True),
    "INST": Case("models/a.ckpt", lambda canary: opcodes(canary, b"(S'touch CANARY'\nios\nsystem\n."), True),
    "OBJ": Case(
        "models/a.pt",
        lambda canary: opcodes(canary, b"(cos\nsystem\n", text(canary), b"o."),
        True,
    ),
    "assembled name": Case("models/a.pt", assembled, True),
    "eval": Case(
        "models/a.pt",
        lambda canary: pickle.dumps(Payload(eval, f"__import__('os').system('touch {canary}')")),
        True,
    ),
    "getattr": Case("models/a.pt", lambda canary: pickle.dumps(Payload(getattr, touch(canary), "real")), True),
    "payload among tensors": Case(
        "models/model.pt", lambda canary: torch_zip(pickle.dumps({"weight": [1, 2], "note": touch(canary)}))
    ),
    "other folder in the zip": Case(
        "models/model.pt", lambda canary: archive({"data.pkl": pickle.dumps(touch(canary))}, "other/")
    ),
    "pickle beside data.pkl": Case(
        "models/model.pt",
        lambda canary: archive({"data.pkl": pickle.dumps({}), "constants.pkl": pickle.dumps(touch(canary))}),
    ),
    "pickle under an unknown name": Case(
        "models/model.pt",
        lambda canary: archive({"data.pkl": pickle.dumps({}), "more.bin": pickle.dumps(touch(canary))}),
    ),
    "legacy, third pickle": Case("models/model.pt", lambda canary: legacy(canary, 2)),
    "legacy, fourth pickle": Case("models/model.pt", lambda canary: legacy(canary, 3)),
    "legacy, last pickle": Case("models/model.pt", lambda canary: legacy(canary, 4)),
    "behind a harmless pickle": Case(
        "models/a.pkl", lambda canary: pickle.dumps({"a": 1}) + pickle.dumps(touch(canary))
    ),
    "two faces": Case("models/model.pt", two_faces, True),
    "zip after a zip": Case("models/model.pt", second_zip),
    "whole network": Case("models/model.pt", whole_network),
    "state of a function": Case("models/a.pt", function_with_state),
    "call of a result": Case("models/a.pt", computed_call),
    "extension registry": Case("models/a.pt", lambda _: b"\x80\x02\x82\x01."),
    "cut short": Case("models/a.pt", lambda canary: pickle.dumps(touch(canary))[:-9]),
    "inputs of an exported program": Case(
        "models/model.pt2", lambda canary: program(torch_zip(pickle.dumps(touch(canary))))
    ),
    "weight of an exported program": Case(
        "models/model.pt2",
        lambda canary: archive(
            {"archive_format": b"pt2", "data/weights/weight_0": torch_zip(pickle.dumps(touch(canary)))}
        ),
    ),
    "machine code in an exported program": Case(
        "models/model.pt2", lambda _: archive({"archive_format": b"pt2", "data/aotinductor/model/a.so": b"\x7fELF"})
    ),
    "TorchScript saves a file": Case("models/model.ts", lambda canary: script_zip(f'torch.save(x, "{canary}")')),
    "TorchScript maps a file": Case(
        "models/model.ts", lambda canary: script_zip(f'ops.aten.from_file("{canary}", True, 1)')
    ),
    "TorchScript calls a library": Case("models/model.ts", lambda _: script_zip("ops.evil.run(x)")),
    "TorchScript's debug pickle": Case(
        "models/model.ts",
        lambda canary: archive(
            {"data.pkl": pickle.dumps({}), "code/a.py": b"", "code/a.py.debug_pkl": pickle.dumps(touch(canary))}
        ),
    ),
    "array of objects": Case("models/a.npy", lambda canary: numpy_file(np.array([touch(canary)], dtype=object))),
    "array of objects in a zip": Case(
        "models/a.npz", lambda canary: archive({"a.npy": numpy_file(np.array([touch(canary)], dtype=object))}, "")
    ),
    "pickle called an array": Case("models/a.npy", lambda canary: pickle.dumps(touch(canary)), True),
    "pickle called text": Case("docs/notes.txt", lambda canary: pickle.dumps(touch(canary)), True),
    "pickle without an ending": Case("models/weights", lambda canary: pickle.dumps(touch(canary)), True),
    "joblib": Case("models/a.joblib", lambda canary: pickle.dumps(touch(canary)), True),
    "former weights": Case("models/model.pt.previous", lambda canary: pickle.dumps(touch(canary)), True),
    "program called weights": Case("models/model.pt", lambda _: b"\x7fELF" + b"\0" * 99),
    "safetensors: longer header than file": Case("models/a.safetensors", lambda _: struct.pack("<Q", 2**60) + b"{}"),
    "safetensors: overlap": Case(
        "models/a.safetensors", lambda _: safetensors({"a": tensor(0, 4), "b": tensor(2, 6), "c": tensor(6, 8)})
    ),
    "safetensors: hidden bytes": Case("models/a.safetensors", lambda _: safetensors({"a": tensor(0, 4)})),
    "safetensors: other size": Case("models/a.safetensors", lambda _: safetensors({"a": tensor(0, 8)})),
    "safetensors: unknown type": Case("models/a.safetensors", lambda _: safetensors({"a": tensor(0, 8, "OBJ")})),
    "safetensors: a pickle": Case("models/a.safetensors", lambda canary: pickle.dumps(touch(canary)), True),
    "ONNX: tensors elsewhere": Case(
        "models/model.onnx", lambda _: b"\x08\x07:\x0a\x0a\x08location\x12\x0f../../etc/passwd"
    ),
}
