"""MONAI's federated client, two sites and three rounds: what travels, what arrives, what each site scores."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from found_bundles import swept
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems
from monai.fl.utils.exchange_object import ExchangeObject

QUICK = {"val_interval": 1, "tensorboard": False, "volumes_per_batch": 2, "slices_per_volume": 2, "width": 4}
QUICK |= {"patches_per_epoch": 8, "coarse_epochs": 1, "coarse_width": 2, "refiner_width": 2}
QUICK |= {"generator_width": 2, "discriminator_width": 2}
QUICK |= {"slices_per_epoch": 8, "batch_size": 4, "features": [4] * 6}
ADVERSARIES = ("critic", "discriminator")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:executing the bundle config")]
SHARES = {"deployed": [], "all": ["configs/federated_all.json"]}


# A network that labels and is trained without an adversary has nothing else to share.
SHARED = [one for one in swept(*SHARES) if all((one.values[0][0] / file).exists() for file in SHARES[one.values[0][1]])]


@pytest.fixture(params=SHARED)
def shared(request):
    return request.param


@pytest.fixture
def bundle(shared):
    return shared[0]


@pytest.fixture
def sites(shared, bundle, tmp_path, cohort_of):
    """Two clients, each with a copy of the bundle and subjects of its own."""
    made = []
    for number in (0, 1):
        root = tmp_path / f"site{number}" / bundle.name
        shutil.copytree(bundle, root, ignore=shutil.ignore_patterns("runs", "eval", "data"))
        known = json.loads((root / "configs" / "train.json").read_text())
        options = {key: value for key, value in QUICK.items() if key in known}
        options |= {"dataset_dir": str(half(cohort_of(bundle), number, tmp_path)), "bundle_root": str(root)}
        algo = MonaiAlgo(
            bundle_root=str(root),
            send_weight_diff=False,
            config_train_filename=["configs/train.json", *SHARES[shared[1]]],
            config_evaluate_filename=["configs/train.json", "configs/evaluate.json", *SHARES[shared[1]]],
            train_kwargs=dict(options),
            eval_kwargs=dict(options),
        )
        algo.initialize(extra={ExtraItems.CLIENT_NAME: f"site{number}"})
        made.append(algo)
    yield made
    for algo in made:
        algo.finalize()


def half(cohort, number, folder):
    """A data set that refers to every second subject of the cohort's training list."""
    target = folder / f"data{number}"
    shutil.copytree(cohort, target)
    listed = json.loads((target / "dataset.json").read_text())
    listed["training"] = listed["training"][number::2]
    listed["numTraining"] = len(listed["training"])
    (target / "dataset.json").write_text(json.dumps(listed))
    return target


def copies(site, names):
    """Weights of a site's networks as they are now."""
    states = {name: site.trainer.networks[name].state_dict() for name in names}
    return {name: {key: value.clone() for key, value in state.items()} for name, state in states.items()}


def equal(one, other):
    return all(torch.equal(torch.as_tensor(one[key]), torch.as_tensor(other[key])) for key in other)


def test_two_sites_train_one_network_in_three_rounds(sites):
    weights = {key: value.clone() for key, value in sites[0].trainer.network.state_dict().items()}
    adversaries = sorted(set(ADVERSARIES) & set(sites[0].trainer.networks))
    critics = [copies(site, adversaries) for site in sites]
    everything = any(key.partition(".")[0] in adversaries for key in weights)
    for number in range(3):
        sent = []
        for site in sites:
            site.train(ExchangeObject(weights=weights))
            assert site.trainer.state.epoch == number + 1
            sent.append(site.get_weights().weights)
        assert set(sent[0]) == set(weights)
        assert not equal(sent[0], sent[1])  # each site learned from subjects of its own
        weights = {key: sum(torch.as_tensor(each[key]).float() for each in sent) / 2 for key in weights}
        weights = {key: value.to(torch.as_tensor(sent[0][key]).dtype) for key, value in weights.items()}
        for site in sites:
            found = site.evaluate(ExchangeObject(weights=weights)).metrics
            assert 0 <= found["dice"] <= 1
            assert equal(site.evaluator.network.state_dict(), weights)
    for site, before in zip(sites, critics, strict=True):
        assert not [name for name in adversaries if equal(site.trainer.networks[name].state_dict(), before[name])]
        site.train(ExchangeObject(weights=weights))
    # What travels is the deployed network, or the critics with it: then they have met, else they have not.
    names = {key.partition(".")[0] for key in weights}
    assert bool(names & set(adversaries)) == everything
    assert set(sites[0].trainer.network.state_dict()) == set(weights)


def test_deployed_weights_are_written_plain_whatever_travels(sites):
    site = sites[0]
    weights = {key: value.clone() for key, value in site.trainer.network.state_dict().items()}
    site.train(ExchangeObject(weights=weights))
    written = torch.load(Path(site.bundle_root) / "models" / "model.pt", weights_only=True)
    assert set(written) == set(site.trainer.networks["segmenter"].state_dict())
