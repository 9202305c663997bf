"""The commands themselves: what they do, print and return."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ganglion import __version__
from ganglion.cli import Commands, main


def leaves(group=None, path=()):
    group = Commands() if group is None else group
    for name in dir(group):
        member = getattr(group, name)
        if name.startswith("_"):
            continue
        if callable(member):
            yield (*path, name)
        else:
            yield from leaves(member, (*path, name))


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_info_names_versions_and_devices(capsys):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert re.search(rf"^version +{re.escape(__version__)}$", out, re.M)
    assert re.search(r"^torch +\d+\.\d+", out, re.M)
    assert re.search(r"^gpus +\S", out, re.M)


def test_info_as_json_lists_bundles_and_their_weights(capsys):
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == 1
    assert found["versions"]["version"] == __version__
    assert found["devices"]["cpu_threads"] >= 1
    bundles = {bundle["name"]: bundle for bundle in found["bundles"]}
    root = Path(__file__).parents[1] / "bundles"
    assert sorted(bundles) == sorted(path.parents[1].name for path in root.glob("*/configs/metadata.json"))
    weights = bundles["segan_transfer"]["weights"][0]
    file = root / "segan_transfer" / "models" / "model.pt"
    assert weights["file"] == "models/model.pt"
    assert weights["bytes"] == file.stat().st_size
    assert weights["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert "table1" in bundles["segan_transfer"]["tables"]


@pytest.mark.parametrize("words", sorted(leaves()), ids=" ".join)
def test_help_explains_every_argument(capsys, words):
    assert main([*words, "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"ganglion {' '.join(words)} - ")
    assert max(map(len, out.splitlines())) <= 100
    assert re.findall(r"^    (?:--\w+|[A-Z]+)(?: [A-Z_,]+)?(?: \(.*)?$", out, re.M) == []
    examples = out.split("\nEXAMPLES\n")[1].strip().splitlines()
    assert all(line.strip().startswith(f"ganglion {' '.join(words)}") for line in examples)
    options = set(re.findall(r"^    (--\w+)", out, re.M))
    assert {word for line in examples for word in line.split() if word.startswith("--")} <= options


def test_phantom_then_check(tmp_path, capsys):
    folder = tmp_path / "001"
    words = ["phantom", "brats", str(folder), "--subjects", "3", "--spacing", "6", "--splits", "1,1,1", "--seed", "4"]
    assert main(words) == 0
    assert f"data check {folder}" in capsys.readouterr().out
    assert main(["data", "check", str(folder)]) == 0
    assert "0 errors" in capsys.readouterr().out
    image = folder / "sub-002" / "sub-002_FLAIR.nii.gz"
    image.write_bytes(image.read_bytes()[:2000])
    assert main(["data", "check", str(folder)]) == 2
    out = capsys.readouterr().out
    assert "sub-002_FLAIR.nii.gz" in out
    assert "cannot be used" in out


def test_convert_refers_to_scans_where_they_are(brats_cohort, tmp_path, capsys):
    folder = tmp_path / "mine"
    words = ["data", "convert", "folder", str(brats_cohort), str(folder), "--contrasts", "FLAIR,T1"]
    words += [
        "--training",
        "sub-001,sub-002",
        "--test",
        "sub-003",
        "--label-name",
        "label",
        "--label_map",
        "0:0,1:3,2:2,3:1",
    ]
    assert main(words) == 0
    assert f"data check {folder}" in capsys.readouterr().out
    content = json.loads((folder / "dataset.json").read_text())
    assert content["channel_names"] == {"0": "FLAIR", "1": "T1"}
    assert [[item["subject"] for item in content[name]] for name in ("training", "validation", "test")] == [
        ["sub-001", "sub-002"],
        [],
        ["sub-003"],
    ]
    assert content["label_map"] == {"0": 0, "1": 3, "2": 2, "3": 1}
    assert main(["data", "check", str(folder)]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data", "convert", "folder", "HERE", "DIR", "--label_map", "4:three"], "label_map: found"),
        (["data", "convert", "folder", "HERE", "DIR", "--fractions", "a,b"], "fractions must be numbers with commas"),
        (["data", "convert", "cars", "HERE", "DIR"], "layout 'cars' is not known"),
        (["demo", "--subjects", "1", "--out", "DIR"], "subjects 1"),
        (["phantom", "brats", "DIR"], "subjects"),
        (["phantom", "brain", "DIR", "--subjects", "2"], "unknown cohort 'brain'"),
        (["phantom", "brats", "DIR", "--subjects", "two"], "subjects must be a whole number, found 'two'"),
        (["phantom", "brats", "DIR", "--subjects", "2", "--splits", "1;1"], "splits must be whole numbers with commas"),
        (["phantom", "brats", "DIR", "--subjects", "2", "--sede", "1"], "unknown argument --sede"),
        (["data", "chekc", "DIR"], "unknown command chekc"),
        (["pahntom"], "unknown command pahntom"),
    ],
)
def test_mistakes_end_in_one_line_and_leave_nothing(tmp_path, capsys, words, message):
    folder = tmp_path / "out"
    assert main([{"DIR": str(folder), "HERE": str(tmp_path)}.get(word, word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not folder.exists()


def test_as_a_program():
    """Both ways to start it, exit codes included; the help needs no pager and loads nothing heavy."""
    code = "import sys\nfrom ganglion.cli import main\nassert main(['--help']) == 0\nsys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
    wrong = subprocess.run([sys.executable, "-m", "ganglion", "nope"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert wrong.stderr == "error: unknown command nope; see `ganglion --help`\n"


def test_a_reader_that_stops_reading_is_no_error():
    words = [sys.executable, "-m", "ganglion", "phantom", "--help"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reading:
        reading.stdout.close()
        assert reading.stderr.read() == b""
        assert reading.wait(timeout=60) == 141
