"""A variant packed as a bundle of its own labels scans where the library is not installed, and stands for itself."""

import json

import nibabel as nib
import numpy as np
import pytest
from found_bundles import BUNDLES

from ganglion.errors import InputError
from ganglion.sharing.alone import variants_alone, write_alone
from ganglion.sharing.pack import pack
from ganglion.sharing.unpack import unpack

ALONE = [(bundle, variant) for bundle in BUNDLES for variant in variants_alone(bundle)]


def test_some_variant_stands_alone():
    assert ALONE


@pytest.fixture(scope="module", params=ALONE, ids=lambda pair: f"{pair[0].name}-{pair[1]}")
def pair(request):
    return request.param


def test_it_labels_what_the_overlay_labels(pair, hidden, cohort_of, tmp_path):
    bundle, variant = pair
    root = unpack(pack(bundle, tmp_path, variant=variant).path, tmp_path / "got").folder
    assert root.name == f"{bundle.name}_{variant}"
    options = {"dataset_dir": cohort_of(bundle), "seed": 3}
    alone = root / "configs" / "inference.json"
    hidden.monai("inference", alone, bundle_root=root, output_dir=tmp_path / "alone", **options)
    base = unpack(pack(bundle, tmp_path).path, tmp_path / "base").folder
    files = (base / "configs" / "inference.json", base / "configs" / "variants" / f"{variant}.json")
    hidden.monai("inference", *files, bundle_root=base, output_dir=tmp_path / "overlay", **options)
    labels = sorted((tmp_path / "overlay").glob("*_pred.nii.gz"))
    assert labels
    for label in labels:
        ours = nib.load(tmp_path / "alone" / label.name)
        assert np.array_equal(np.asarray(ours.dataobj), np.asarray(nib.load(label).dataobj))


def test_what_it_says_of_itself(pair, tmp_path):
    bundle, variant = pair
    root = write_alone(bundle, variant, tmp_path)
    metadata = json.loads((root / "configs" / "metadata.json").read_text())
    config = json.loads((root / "configs" / "inference.json").read_text())
    image = metadata["network_data_format"]["inputs"]["image"]
    assert list(image["channel_def"].values()) == config["contrasts"]
    assert image["num_channels"] == len(config["contrasts"])
    assert not any("#" in key or key == "_desc_" for key in metadata)
    assert metadata["version"] == json.loads((bundle / "configs" / "metadata.json").read_text())["version"]
    assert (root / "docs" / "README.md").read_bytes() == (bundle / "docs" / "variants" / f"{variant}.md").read_bytes()
    assert (root / "models" / "model.pt").read_bytes() == (bundle / "models" / variant / "model.pt").read_bytes()
    assert len(list((root / "models").glob("*.pt"))) == 1
    kept = {path.stem for path in (root / "configs" / "variants").glob("*.json")}
    assert "fine_tune" in kept
    assert not kept & {"t1", "flair", "paper", "small", "four_contrasts"}


def test_train_and_inference_read_as_people_wrote_them(pair, tmp_path):
    bundle, variant = pair
    root = write_alone(bundle, variant, tmp_path)
    for name in ("train", "inference"):
        ours = (root / "configs" / f"{name}.json").read_text().splitlines()
        theirs = (bundle / "configs" / f"{name}.json").read_text().splitlines()
        assert len(ours) == len(theirs)
        changed = [line for line, former in zip(ours, theirs, strict=True) if line != former]
        assert 3 <= len(changed) <= 6


def test_the_same_variant_gives_the_same_bytes(pair, tmp_path):
    bundle, variant = pair
    assert pack(bundle, tmp_path / "a", variant=variant).sha256 == pack(bundle, tmp_path / "b", variant=variant).sha256


@pytest.mark.parametrize("variant", ["t1", "nowhere"])
def test_a_variant_without_weights_or_card_is_refused(variant, tmp_path):
    bundle = next(path for path in BUNDLES if path.name == "segan_transfer")
    with pytest.raises(InputError, match=r"found no configs/.*expected a variant with weights.*there: flair"):
        pack(bundle, tmp_path, variant=variant)
    assert not list(tmp_path.iterdir())
