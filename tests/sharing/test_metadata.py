"""The schema that is shipped takes and refuses what MONAI's does."""

import copy
import json

import pytest

from ganglion.sharing.metadata import SCHEMA_FILE, metadata_findings, read_version

TENSOR = {
    "type": "image",
    "format": "f",
    "num_channels": 1,
    "spatial_shape": ["*", 8],
    "dtype": "d",
    "value_range": [0],
}
GOOD = {
    "schema": "s",
    "version": "0.1.0",
    "changelog": {"0.1.0": "first"},
    "monai_version": "1.6.1",
    "pytorch_version": "2.13.0",
    "numpy_version": "2.4.6",
    "required_packages_version": {},
    "task": "t",
    "description": "d",
    "authors": "a",
    "copyright": "c",
    "network_data_format": {"inputs": {"image": TENSOR}, "outputs": {"pred": TENSOR}},
}
OPTIONAL = {"changelog"}


def spoilt(place: str, value: object = None, drop: bool = False) -> dict:
    content = copy.deepcopy(GOOD)
    inner = content
    *parents, last = place.split("#")
    for name in parents:
        inner = inner[name]
    if drop:
        del inner[last]
    else:
        inner[last] = value
    return content


def test_good_metadata_pass():
    assert metadata_findings(GOOD) == []


@pytest.mark.parametrize("key", sorted(GOOD.keys() - OPTIONAL))
def test_what_monai_requires_is_required(key):
    assert any(key in finding.found for finding in metadata_findings(spoilt(key, drop=True)))


@pytest.mark.parametrize("key", sorted(TENSOR))
def test_every_part_of_a_tensor_is_required(key):
    assert metadata_findings(spoilt(f"network_data_format#inputs#image#{key}", drop=True))


@pytest.mark.parametrize(
    ("place", "value", "fits"),
    [
        ("references", ["a"], True),
        ("references", "a", False),
        ("authors", ["a"], False),
        ("supported_apps", [], False),
        ("eval_metrics", {"dice": 1}, True),
        ("network_data_format#inputs#image#num_channels", "4", False),
        ("network_data_format#inputs#image#num_channels", 4.5, False),
        ("network_data_format#inputs#image#value_range", ["a"], False),
        ("network_data_format#inputs#image#spatial_shape", [1.5], False),
        ("network_data_format#inputs#image#is_patch_data", "yes", False),
        ("network_data_format#inputs#timestep", 7, True),
        ("network_data_format#inputs#timestep", None, False),
        ("network_data_format#outputs", [], False),
        ("critic_data_format", {"inputs": {}, "outputs": {}}, True),
        ("critic_data_format", {"inputs": {}}, False),
        ("something_else", 1, True),
    ],
)
def test_types_are_those_of_monai(place, value, fits):
    assert (metadata_findings(spoilt(place, value)) == []) is fits


def test_metadata_of_another_kind_are_refused():
    assert metadata_findings([])[0].file == "configs/metadata.json"


@pytest.mark.parametrize("text", ["1.0", "1.0.0.0", "v1.0.0", "1.0.x", "01.0.0", "1.0.0-rc1", ""])
def test_versions_are_three_numbers(text):
    assert read_version(text) is None
    assert read_version("1.10.2") == (1, 10, 2) > read_version("1.9.9")


def test_the_newest_is_by_number_not_by_alphabet():
    versions = {"0.2.0": "b", "0.10.0": "c", "0.1.0": "a"}
    assert metadata_findings({**GOOD, "changelog": versions, "version": "0.10.0"}) == []
    assert metadata_findings({**GOOD, "changelog": versions, "version": "0.2.0"}) != []


def test_the_schema_is_one():
    from jsonschema import Draft201909Validator

    Draft201909Validator.check_schema(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def test_a_bundles_metadata_pass_monais_own_check_with_the_shipped_schema(bundle, monkeypatch):
    """MONAI would fetch the schema; with the file in its place it does not."""
    from monai.bundle import verify_metadata

    verify_metadata(meta_file=str(bundle / "configs" / "metadata.json"), filepath=str(SCHEMA_FILE))
