"""Weights to start from: all fit, or one line names the file and the first entry that does not."""

import pytest
import torch
from torch import nn

from ganglion.engines.handlers import LoadWeights
from ganglion.errors import InputError


def network(width=3):
    return nn.Sequential(nn.Linear(2, width), nn.Linear(width, 1))


def test_weights_are_loaded_when_attached(tmp_path):
    source, target = network(), network()
    torch.save(source.state_dict(), tmp_path / "model.pt")
    LoadWeights(tmp_path / "model.pt", target).attach(None)
    assert all(torch.equal(a, b) for a, b in zip(source.parameters(), target.parameters(), strict=True))


def test_files_by_name_leave_the_others(tmp_path):
    source, nets = network(), {"segmenter": network(), "critic": network()}
    before = [p.clone() for p in nets["critic"].parameters()]
    torch.save(source.state_dict(), tmp_path / "model.pt")
    LoadWeights({"segmenter": str(tmp_path / "model.pt"), "critic": None}, nets).attach(None)
    assert torch.equal(nets["segmenter"][0].weight, source[0].weight)
    assert all(torch.equal(a, b) for a, b in zip(before, nets["critic"].parameters(), strict=True))
    LoadWeights(None, nets).attach(None)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            lambda: network(4).state_dict(),
            r"model.pt: does not fit network: '0.weight' has shape \(4, 2\), expected \(3, 2\)",
        ),
        (lambda: {"0.weight": torch.zeros(3, 2)}, r"'0.bias' is missing \(3 of 4 entries\)"),
        (lambda: {**network().state_dict(), "extra": torch.zeros(1)}, r"'extra' is not part of this network"),
        (lambda: {"trainer": {}, "best": {}}, "whole checkpoint: take networks"),
        (lambda: [1, 2], "holds a list, expected a state dict"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, weights, message):
    torch.save(weights(), tmp_path / "model.pt")
    with pytest.raises(InputError, match=message) as caught:
        LoadWeights(tmp_path / "model.pt", network()).attach(None)
    assert "\n" not in str(caught.value)


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(InputError, match="absent.pt: no such file"):
        LoadWeights(tmp_path / "absent.pt", network()).attach(None)
    (tmp_path / "model.pt").write_bytes(b"not weights")
    with pytest.raises(InputError, match="model.pt: cannot be read as weights"):
        LoadWeights(tmp_path / "model.pt", network()).attach(None)


def test_names_must_be_networks():
    with pytest.raises(InputError, match="no network is called 'critics'"):
        LoadWeights({"critics": "model.pt"}, {"critic": network()})
    with pytest.raises(InputError, match="name a file each"):
        LoadWeights("model.pt", {"critic": network(), "segmenter": network()})


def test_weights_that_are_not_finite_are_refused_before_they_spoil_a_training(tmp_path, counted):
    network = torch.nn.Linear(2, 1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    spoilt = {"weight": torch.tensor([[1.0, float("nan")]]), "bias": torch.zeros(1)}
    torch.save(spoilt, tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"model\.pt: 'weight' of network holds values that are not finite \(1 of 2"):
        LoadWeights(tmp_path / "model.pt", network).load()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    counted("training faults")
