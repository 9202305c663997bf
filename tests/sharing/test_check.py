"""A bundle whose parts disagree does not leave the house: each fault alone, named in one line."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

from ganglion.errors import InputError
from ganglion.sharing.check import check_bundle
from ganglion.sharing.findings import Refused


def edit_json(file: Path, **changes):
    content = json.loads(file.read_text())
    content.update(changes)
    file.write_text(json.dumps(content))


def metadata(root: Path, **changes):
    edit_json(root / "configs" / "metadata.json", **changes)


def version_ahead(root):
    metadata(root, version="9.0.0")


def version_behind(root):
    changelog = json.loads((root / "configs" / "metadata.json").read_text())["changelog"]
    metadata(root, changelog={**changelog, "0.10.0": "more", "0.9.0": "less"})


def version_of_two_numbers(root):
    metadata(root, version="1.0", changelog={"1.0": "first"})


def changelog_missing(root):
    content = json.loads((root / "configs" / "metadata.json").read_text())
    del content["changelog"]
    (root / "configs" / "metadata.json").write_text(json.dumps(content))


def key_missing(root):
    content = json.loads((root / "configs" / "metadata.json").read_text())
    del content["required_packages_version"]
    (root / "configs" / "metadata.json").write_text(json.dumps(content))


def authors_in_a_list(root):
    metadata(root, authors=["A", "B"])


def channels(root, number):
    content = json.loads((root / "configs" / "metadata.json").read_text())
    content["network_data_format"]["inputs"]["image"]["num_channels"] = number
    (root / "configs" / "metadata.json").write_text(json.dumps(content))


def channels_as_text(root):
    channels(root, "4")


def channels_of_another_network(root):
    channels(root, 7)


def no_licence(root):
    (root / "LICENSE").unlink()


def no_data_licence(root):
    (root / "docs" / "data_license.txt").unlink()


def no_weights(root):
    (root / "models" / "model.pt").unlink()


def weights_of_another_width(root):
    path = root / "models" / "model.pt"
    state = torch.load(path, weights_only=True)
    torch.save({name: value[..., :1] if value.ndim else value for name, value in state.items()}, path)


def weights_short_of_one_entry(root):
    path = root / "models" / "model.pt"
    state = torch.load(path, weights_only=True)
    state.popitem()
    torch.save(state, path)


def weights_that_hold_code(root):
    torch.save({"network": torch.nn.Linear(1, 1)}, root / "models" / "model.pt")


def weights_cut_short(root):
    path = root / "models" / "model.pt"
    path.write_bytes(path.read_bytes()[:-100])


def weights_beside_the_bundles_own(root):
    shutil.copy(root / "models" / "model.pt", root / "models" / "d.pt")


def weights_that_no_config_names(root):
    (root / "models" / "spare").mkdir()
    shutil.copy(root / "models" / "model.pt", root / "models" / "spare" / "model.pt")


def config_wants_missing_weights(root):
    edit_json(root / "configs" / "train.json", weights="$@bundle_root + '/models/none/model.pt'")


def config_wants_weights_outside(root):
    edit_json(root / "configs" / "train.json", weights="/somewhere/model.pt")


def config_of_another_network(root):
    config = json.loads((root / "configs" / "train.json").read_text())
    target = {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 1, "kernel_size": 3}
    edit_json(root / "configs" / "train.json", network_def=target)
    assert config["network_def"] != target


def config_names_what_the_library_lacks(root):
    edit_json(root / "configs" / "inference.json", extra={"_target_": "ganglion.networks.Nobody"})


def config_names_another_library(root):
    edit_json(root / "configs" / "inference.json", extra={"_target_": "ganglion_0_0_1.networks.Segmenter"})


def config_with_a_key_twice(root):
    path = root / "configs" / "train.json"
    path.write_text(path.read_text().replace('"epochs"', '"seed": 1, "epochs"', 1))


def config_that_is_no_json(root):
    (root / "configs" / "inference.json").write_text("{")


def document_names_missing_weights(root):
    path = root / "docs" / "README.md"
    path.write_text(path.read_text() + "\nSee `models/t2/model.pt`.\n")


def a_scan_of_somebody(root):
    (root / "docs" / "smith_john.nii.gz").write_bytes(b"")


def a_note_of_somebody(root):
    (root / "notes.txt").write_text("")


def a_link(root):
    (root / "docs" / "more.md").symlink_to(root / "docs" / "README.md")


FAULTS = {
    version_ahead: "metadata.json: version: found 9.0.0. The newest entry of the changelog is",
    version_behind: "The newest entry of the changelog is 0.10.0",
    version_of_two_numbers: "metadata.json: version: found '1.0'. Expected three numbers",
    changelog_missing: "metadata.json: changelog: found no entry",
    key_missing: "metadata.json: found 'required_packages_version' is a required property",
    authors_in_a_list: "metadata.json: authors: found ['A', 'B'] is not of type 'string'",
    channels_as_text: "metadata.json: network_data_format#inputs#image",
    channels_of_another_network: "metadata.json: network_data_format: found",
    no_licence: "LICENSE: found no such file",
    no_data_licence: "docs/data_license.txt: found no such file",
    no_weights: "models/model.pt: found no such file",
    weights_of_another_width: "weights: found models/model.pt: does not fit network_def",
    weights_short_of_one_entry: "weights: found models/model.pt: does not fit network_def",
    weights_that_hold_code: "weights: found models/model.pt: cannot be read as weights",
    weights_cut_short: "weights: found models/model.pt: cannot be read as weights",
    weights_beside_the_bundles_own: "models/d.pt: found weights beside models/model.pt",
    weights_that_no_config_names: "models/spare/model.pt: found weights that no config names",
    config_wants_missing_weights: "train.json: weights: found no such file, models/none/model.pt",
    config_wants_weights_outside: "train.json: weights: found no path inside the bundle",
    config_of_another_network: "train.json: weights: found models/model.pt: does not fit network_def",
    config_names_what_the_library_lacks: "inference.json: extra#_target_: found ganglion.networks.Nobody",
    config_names_another_library: "inference.json: extra#_target_: found ganglion_0_0_1.networks",
    config_with_a_key_twice: "train.json: found no JSON (the key 'seed' twice)",
    config_that_is_no_json: "inference.json: found no JSON",
    document_names_missing_weights: "docs/README.md: found models/t2/model.pt",
    a_scan_of_somebody: "docs/smith_john.nii.gz: found a file that is no part of a bundle",
    a_note_of_somebody: "notes.txt: found a file that is no part of a bundle",
    a_link: "docs/more.md: found a link",
}


@pytest.mark.parametrize("spoil", FAULTS, ids=lambda spoil: spoil.__name__)
def test_a_bundle_that_disagrees_with_itself_is_refused(spoil, bundle_copy, counted):
    spoil(bundle_copy)
    with pytest.raises(Refused) as refused:
        check_bundle(str(bundle_copy))
    lines = str(refused.value).splitlines()[1:]
    assert len(lines) == len(refused.value.findings)
    assert any(FAULTS[spoil] in line for line in lines), lines
    counted("bundles refused")


def test_configs_are_scanned_before_any_of_them_is_evaluated(bundle_copy, tmp_path):
    edit_json(bundle_copy / "configs" / "train.json", weights=f"$open({str(tmp_path / 'evil')!r}, 'w').name")
    with pytest.raises(Refused, match="train.json: weights"):
        check_bundle(str(bundle_copy))
    assert not (tmp_path / "evil").exists()


def test_a_bundle_that_agrees_is_taken(bundle_copy):
    contents, found = check_bundle(str(bundle_copy))
    assert "models/model.pt" in contents.weights
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])


def test_what_a_training_leaves_stays_at_home(bundle_copy):
    before = check_bundle(str(bundle_copy))[0].files
    for name in ("runs/reference/log.txt", "eval/a.nii.gz", "data/sub-001/t1.nii.gz", "models/model.pt.previous"):
        (bundle_copy / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle_copy / name).write_bytes(b"")
    for name in (".DS_Store", "SHA256SUMS", "models/model.safetensors", "docs/zip.md", "models/model.ts", "mlruns.db"):
        (bundle_copy / name).write_bytes(b"")
    assert check_bundle(str(bundle_copy))[0].files == before


def test_a_folder_that_is_no_bundle_is_named(tmp_path):
    with pytest.raises(InputError, match=r"found no configs/metadata\.json"):
        check_bundle(str(tmp_path))
