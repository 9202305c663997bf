"""All numbers of drawn slices in one file, and a segmenter's features."""

import json

import pytest
import torch
from monai.networks.nets import BasicUNet

from ganglion.engines import Sampler
from ganglion.engines.generation_scores import CompareSamples, SegmenterFeatures, agreement
from ganglion.errors import InputError
from ganglion.networks import JointGenerator
from ganglion.networks.stylegan2_synthesis import SIZES


@pytest.fixture
def generator(monkeypatch):
    monkeypatch.setitem(SIZES, "toy", (256, 16, 2))
    return JointGenerator(size="toy", resolution=32)


@pytest.fixture
def segmenter():
    return BasicUNet(2, 4, 4, features=(4, 4, 4, 4, 6, 4))


def slices(joints):
    return [{"image": joint[:4].clamp(-1, 1), "label": joint[4:].argmax(0)[None]} for joint in joints]


def test_features_are_means_of_a_layer_and_labels_those_of_the_network(segmenter):
    images = torch.rand(5, 4, 32, 32) * 2 - 1
    features, codes = SegmenterFeatures(segmenter, None, batch_size=2)(images)
    seen = []
    hook = segmenter.down_4.register_forward_hook(lambda module, given, made: seen.append(made))
    logits = segmenter((images + 1) / 2)
    hook.remove()
    assert torch.allclose(features, seen[0].mean(dim=(2, 3)), atol=1e-5)
    assert torch.equal(codes, logits.argmax(dim=1))
    with pytest.raises(InputError, match="layer is 'top'"):
        SegmenterFeatures(segmenter, None, "top")


def test_copies_of_the_training_slices_are_told(generator, segmenter, tmp_path):
    sampler = Sampler(generator)
    training, held_out = slices(sampler.images(8)), slices(Sampler(generator, seed=9).images(8))
    features = SegmenterFeatures(segmenter, None)
    result = CompareSamples(sampler, training, held_out, tmp_path, 8, features=features).run()
    assert result == json.loads((tmp_path / "generation.json").read_text())
    assert result["memorisation"]["nearest_is_training"] == 1
    assert result["memorisation"]["distance_to_training"] < 1e-2
    assert result["sliced_wasserstein"] == result["sliced_wasserstein_of_real"]
    assert result["features"]["frechet"] == pytest.approx(result["features"]["frechet_of_real"], abs=1e-6)
    assert result["labels"]["drawn"].keys() == result["labels"]["real"].keys()
    assert (tmp_path / "neighbours.png").is_file()


def test_agreement_by_hand():
    codes, found = torch.zeros(1, 4, 4).long(), torch.zeros(1, 4, 4).long()
    codes[0, 0, :2], found[0, 0, 1:3] = 1, 3
    result = agreement(codes, found)
    assert result["whole tumour"] == result["tumour core"] == 0.5
    assert (result["enhancing"], result["oedema"]) == (0.0, None)


def test_too_few_slices_are_named(generator, tmp_path):
    sampler = Sampler(generator)
    with pytest.raises(InputError, match="found 3 real slices, expected 8"):
        CompareSamples(sampler, slices(sampler.images(3)), [], tmp_path, 8).run()
    with pytest.raises(InputError, match="count is 2"):
        CompareSamples(sampler, [], [], tmp_path, 2)
