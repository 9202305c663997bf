from ganglion.reports.provenance import (
    command_of,
    describe_data,
    is_simulated,
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
