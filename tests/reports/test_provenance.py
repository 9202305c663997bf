import json

from ganglion.reports.provenance import (
    command_of,
    config_as_run,
    dataset_of,
    describe_data,
    is_simulated,
    run_versions,
    settings_of,
    warnings_of,
)


def test_fingerprint_follows_list_and_sizes(finished):
    data = finished / "data"
    before = describe_data(data)["fingerprint"]
    assert describe_data(data)["fingerprint"] == before
    with open(data / "sub-001" / "sub-001_T1.nii.gz", "ab") as file:
        file.write(b"x")
    grown = describe_data(data)["fingerprint"]
    (data / "dataset.json").write_text((data / "dataset.json").read_text() + "\n")
    assert len({before, grown, describe_data(data)["fingerprint"]}) == 3


def test_description(finished):
    described = describe_data(finished / "data")
    assert described["subjects"] == "test 5"
    assert described["seed of the split"] == "7"
    assert is_simulated(described)
    assert not is_simulated({"data set": "brats", "description": "real scans", "simulated": ""})
    assert is_simulated({"data set": "brats", "description": "", "simulated": "seed 0"})


def test_settings_are_plain_and_free_of_folders(finished):
    assert settings_of(finished / "run") == {"seed": "11", "epochs": "3", "dataset_dir": "data"}


def test_command_as_it_was_typed(finished):
    (line,) = command_of(finished / "run")
    assert line == "python -m monai.bundle run training --dataset_dir /home/somebody/data --a \"['b']\""
    assert command_of(finished / "data") == []


def test_warnings_once_and_without_folders(finished):
    assert warnings_of([finished / "run" / "log.txt"]) == ["3 voxels of .../sub-001.nii.gz were set to 0"]
    assert warnings_of([finished / "nowhere.txt"]) == []


def test_the_whole_configuration_without_folders(finished):
    shown = json.loads(config_as_run(finished / "run"))
    config = json.loads((finished / "run" / "config.json").read_text())
    assert shown["config"] == config["config"] | {"dataset_dir": ".../data"}
    assert shown["command"][-3:] == [".../data", "--a", "['b']"]
    assert config_as_run(finished / "data") == ""


def test_data_set_and_versions_of_a_run(finished):
    assert dataset_of(finished / "run") == "/home/somebody/data"
    assert dataset_of(finished / "data") == ""
    assert run_versions(finished / "run") == {}
    path = finished / "run" / "config.json"
    path.write_text(json.dumps({"versions": {"torch": "2"}, "config": {"dataset_dir": "$@root + '/data'"}}))
    assert dataset_of(finished / "run") == ""
    assert run_versions(finished / "run") == {"torch": "2"}
    path.write_text(json.dumps({"config": None}))  # a training that no bundle started
    assert dataset_of(finished / "run") == ""
    assert settings_of(finished / "run") == {}
