"""`ganglion data check` as a user meets it: text, JSON, mended copy and exit code."""

import json

import numpy as np
import pytest

from ganglion.cli import main
from ganglion.data import check_dataset
from ganglion.data.doctor import look_after, write_findings
from ganglion.data.findings import KINDS, Finding
from ganglion.errors import InputError


@pytest.fixture
def faulty(dataset, save, label):
    """A data set with a label in BraTS codes, a missing file, and a label on another grid."""
    folder = dataset()
    save(folder / "a" / "a_label.nii.gz", np.where(label == 3, 4, label).astype(np.uint8))
    (folder / "b" / "b_T2.nii.gz").unlink()
    half = np.diag([0.5, 0.5, 0.5, 1.0])
    half[:3, 3] = -0.25
    save(folder / "c" / "c_label.nii.gz", label.repeat(2, 0).repeat(2, 1).repeat(2, 2), half)
    return folder


def test_findings_as_json(faulty, tmp_path, capsys):
    file = tmp_path / "reports" / "found.json"
    assert main(["data", "check", str(faulty), "--json", str(file)]) == 2
    content = json.loads(file.read_text())
    assert {key: content[key] for key in ("schema", "data_set", "usable", "counts")} == {
        "schema": 1,
        "data_set": "data",
        "usable": False,
        "counts": {"error": 2, "warning": 0, "note": 1},
    }
    assert [(f["level"], f["kind"], f["file"]) for f in content["findings"]] == [
        ("note", "codes", "a/a_label.nii.gz"),
        ("error", "missing", "b/b_T2.nii.gz"),
        ("error", "grid", "c/c_label.nii.gz"),
    ]
    assert all(f["found"] and f["expected"] and f["mend"] and f["kind"] in KINDS for f in content["findings"])
    assert "mending" not in content
    assert [path.name for path in file.parent.iterdir()] == ["found.json"]
    assert "2 errors, 0 warnings, 1 note" in capsys.readouterr().out


def test_a_mended_copy_and_its_exit_code(faulty, tmp_path, capsys):
    file, copy = tmp_path / "found.json", tmp_path / "copy"
    assert main(["data", "check", str(faulty), "--fix", str(copy), "--json", str(file)]) == 2  # b is lost
    mending = json.loads(file.read_text())["mending"]
    assert (mending["folder"], mending["complete"]) == ("copy", False)
    assert (mending["kept"], mending["left_out"]) == (["a", "c", "d"], ["b"])
    assert [(deed["kind"], deed["mended"]) for deed in mending["deeds"]] == [
        ("codes", True),
        ("missing", False),
        ("grid", True),
    ]
    out = capsys.readouterr().out
    assert "2 of 3 mended" in out
    assert "This copy passes the check." in out
    assert main(["data", "check", str(copy)]) == 0
    assert main(["data", "check", str(faulty), "--fix", str(copy)]) == 2
    assert "found a file or a folder that is not empty" in capsys.readouterr().err


def test_exit_code_0_when_all_was_mended(faulty, tmp_path, save):
    save(faulty / "b" / "b_T2.nii.gz", seed=50)
    assert main(["data", "check", str(faulty)]) == 2
    assert main(["data", "check", str(faulty), "--fix", str(tmp_path / "copy"), "--copy"]) == 0
    assert check_dataset(tmp_path / "copy") == []


def test_limit_of_voxels(faulty, capsys):
    assert main(["data", "check", str(faulty), "--max-voxels", "100"]) == 2
    assert "a header that claims 6x7x5 voxels, expected at most 100" in capsys.readouterr().out
    assert main(["data", "check", str(faulty), "--max_voxels", "0"]) == 2
    assert "max_voxels: found 0, expected a whole number from 1" in capsys.readouterr().err


def test_options_that_do_not_go_together(faulty, tmp_path):
    with pytest.raises(InputError, match="give its folder too"):
        look_after(faulty, copy=True)
    with pytest.raises(InputError, match="found a folder, expected a file"):
        look_after(faulty, json_file=tmp_path)


def test_no_data_set_is_a_finding_too(tmp_path, capsys):
    file = tmp_path / "found.json"
    for folder in (tmp_path / "none", tmp_path):
        assert main(["data", "check", str(folder), "--json", str(file), "--fix", str(tmp_path.parent / "new")]) == 2
        (finding,) = json.loads(file.read_text())["findings"]
        assert finding["kind"] == "dataset"
        assert not (tmp_path.parent / "new").exists()


def test_json_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "found.json"
    write_findings(file, tmp_path, [])
    before = file.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_findings(file, tmp_path, [Finding("a", "b", "c", "d")])
    assert file.read_bytes() == before
