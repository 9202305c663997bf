"""Windows are blended as probabilities, and those without a head never reach the network."""

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInferer

from ganglion.engines import HeadPatchInferer
from ganglion.errors import InputError


def network(windows):
    """Logits of three classes that depend on each voxel alone."""
    return torch.cat([windows[:, :1], 2 * windows[:, :1] - 1, -windows[:, :1]], dim=1)


def head(seed=0):
    """A volume of -1 with a head of 8 voxels a side in one corner."""
    volume = torch.full((1, 2, 24, 24, 24), -1.0)
    generator = torch.Generator().manual_seed(seed)
    volume[:, :, :8, :8, :8] = torch.rand((1, 2, 8, 8, 8), generator=generator)
    return volume


def test_it_is_monais_own_inferer_of_the_probabilities():
    volume = torch.rand((1, 1, 20, 17, 16), generator=torch.Generator().manual_seed(1))
    ours = HeadPatchInferer((8, 8, 8), overlap=0.5)(volume, network)
    theirs = SlidingWindowInferer((8, 8, 8), 4, 0.5, "gaussian", cval=-1)(volume, lambda x: network(x).softmax(1))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(ours, network(volume).softmax(1))
    torch.testing.assert_close(ours.sum(dim=1), torch.ones(1, 20, 17, 16))


def test_a_tie_of_csf_and_wm_does_not_become_gm():
    """Half of the windows say 1, the others 3; GM between them never leads."""
    calls = []

    def undecided(windows):
        logits = torch.full((len(windows), 4, *windows.shape[2:]), -10.0)
        for row in logits:
            row[1 if len(calls) % 2 else 3] = 10.0
            calls.append(1)
        return logits

    labels = HeadPatchInferer((8, 8, 8), overlap=0.5)(torch.rand(1, 1, 16, 16, 16), undecided).argmax(dim=1)
    assert len(calls) > 8
    assert set(labels.unique().tolist()) <= {1, 3}


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_empty_windows_never_reach_the_network(batch):
    seen = []

    def watched(windows):
        seen.append(len(windows))
        assert batch == 64 or bool((windows != -1).flatten(1).any(1).all()) or len(windows) == 1
        return network(windows)

    result = HeadPatchInferer((8, 8, 8), sw_batch_size=batch, overlap=0.0)(head(), watched)
    torch.testing.assert_close(result[..., :8, :8, :8], network(head()[..., :8, :8, :8]).softmax(1))
    assert bool((result[:, 0, 8:] == 1).all())
    assert bool((result[:, 1:, 8:] == 0).all())
    if batch == 64:  # 27 windows, one of them filled
        assert seen == [1]


def test_a_volume_without_a_head_is_background():
    result = HeadPatchInferer((8, 8, 8))(torch.full((1, 2, 16, 16, 16), -1.0), network)
    assert result.shape == (1, 3, 16, 16, 16)
    assert bool((result[:, 0] == 1).all())


def test_smaller_than_the_window_and_given_probabilities():
    volume = MetaTensor(torch.rand(1, 1, 5, 9, 8), affine=torch.diag(torch.tensor([2.0, 2, 2, 1])))
    result = HeadPatchInferer((8, 8, 8), outputs="probabilities")(volume, lambda x: network(x).softmax(1))
    assert result.shape == (1, 3, 5, 9, 8)
    torch.testing.assert_close(torch.as_tensor(result).sum(dim=1), torch.ones(1, 5, 9, 8))
    assert result.affine[0, 0] == 2


def test_bf16_is_close():
    volume = head(2)
    conv = torch.nn.Conv3d(2, 4, 3, padding=1)
    with torch.no_grad():
        exact, rough = (HeadPatchInferer((8, 8, 8), precision=p)(volume, conv) for p in ("fp32", "bf16"))
    assert rough.dtype == torch.float32
    assert 0 < (exact - rough).abs().max() < 0.02


@pytest.mark.parametrize(("options", "words"), [({"precision": "fp8"}, "fp32, bf16"), ({"outputs": "x"}, "logits")])
def test_unknown_words_are_named(options, words):
    with pytest.raises(InputError, match=words):
        HeadPatchInferer((8, 8, 8), **options)
