"""Hostile files of weights: each is found, and nothing of it is unpickled."""

import io
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hostile_weights import CASES

from ganglion.sharing.scan import scan
from ganglion.sharing.scanning.weight_files import judge_weights


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_file_is_found_and_not_read(case, tmp_path, watched, counted):
    canary = tmp_path / "canary"
    path = tmp_path / "bundle" / CASES[case].name
    path.parent.mkdir(parents=True)
    path.write_bytes(CASES[case].make(str(canary)))
    with watched:
        findings = scan(tmp_path / "bundle")
    assert {finding.file for finding in findings} == {CASES[case].name}
    assert all(finding.found and finding.why for finding in findings)
    assert not canary.exists()
    counted("hostile weight files")


def test_there_are_as_many_as_promised():
    assert len(CASES) >= 12


@pytest.mark.parametrize("case", [name for name, case in CASES.items() if case.fires])
def test_it_would_have_run(case, tmp_path):
    """The case is no straw man: a reader of pickles runs it."""
    content = CASES[case].make(str(tmp_path / "canary"))
    try:
        pickle.Unpickler(io.BytesIO(content)).load()
    finally:
        assert (tmp_path / "canary").exists()


def saved(content: object, legacy: bool = False) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def state() -> dict[str, object]:
    """A checkpoint with what a training saves."""
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.zeros(1, 1, 4, 4)).sum().backward()
    optimizer.step()
    generator = np.random.RandomState(0).get_state()
    return {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "generator": generator}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    "content",
    [
        OrderedDict(a=torch.zeros(2, 3), b=torch.nn.Parameter(torch.ones(2)), c=torch.zeros(1).bfloat16()),
        {"a": torch.zeros(2).half(), "b": torch.tensor(3), "c": torch.zeros(2, dtype=torch.complex64)},
        {"size": torch.Size([1, 2]), "device": torch.device("cpu"), "type": torch.float32, "names": {"a", "b"}},
        state(),
    ],
    ids=["state dict", "kinds of tensors", "what is no tensor", "checkpoint"],
)
def test_plain_weights_raise_no_alarm(content, legacy):
    assert judge_weights("model.pt", saved(content, legacy)) == []


def test_other_plain_files_raise_no_alarm(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    script = torch.jit.script(torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.ReLU()))
    torch.jit.save(script, tmp_path / "model.ts")
    program = torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),))
    torch.export.save(program, tmp_path / "model.pt2")
    np.save(tmp_path / "table.npy", np.zeros((2, 3)))
    np.save(tmp_path / "words.npy", np.array([("a", 1.0)], dtype=[("name", "U4"), ("value", "f8")]))
    safetensors.save_file({"a": torch.zeros(2, 3), "b": torch.zeros(0)}, tmp_path / "a.safetensors", {"note": "x"})
    assert scan(tmp_path) == []
