"""The zip: the same bytes whatever the surroundings, whole, and never two of one version."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import torch

from ganglion import __version__
from ganglion.errors import InputError
from ganglion.sharing import pack as module
from ganglion.sharing.check import check_bundle
from ganglion.sharing.contents import REQUIRED
from ganglion.sharing.findings import Refused, SharingFinding
from ganglion.sharing.pack import bundle_files, pack
from ganglion.sharing.scan import scan
from ganglion.sharing.sums import SUMS_FILE

OWN = f"ganglion_{__version__.replace('.', '_')}"


def test_the_zip_has_the_name_and_the_shape_that_monai_wants(packed, bundle):
    version = json.loads((bundle / "configs" / "metadata.json").read_text())["version"]
    assert packed.path.name == f"{bundle.name}_v{version}.zip"
    assert packed.sha256 == hashlib.sha256(packed.path.read_bytes()).hexdigest()
    with zipfile.ZipFile(packed.path) as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {name.split("/")[0] for name in names} == {bundle.name}
        assert {f"{bundle.name}/{name}" for name in REQUIRED} <= set(names)
        assert [n for n in names if n.count("/") == 2 and "/models/" in n and n.endswith(".pt")] == [
            f"{bundle.name}/models/model.pt"
        ]
        modes = {(i.external_attr >> 16, i.date_time, i.compress_type, i.create_system) for i in archive.infolist()}
    assert modes == {(0o100644, (1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, 3)}


def test_safetensors_hold_the_same_weights(packed, bundle, tmp_path):
    from safetensors.torch import load

    with zipfile.ZipFile(packed.path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".pt")]
        assert len(names) == len(list((bundle / "models").rglob("*.pt"))) >= 1
        for name in names:
            (tmp_path / "model.pt").write_bytes(archive.read(name))
            state = torch.load(tmp_path / "model.pt", weights_only=True)
            same = load(archive.read(name.removesuffix(".pt") + ".safetensors"))
            assert same.keys() == state.keys()
            assert all(torch.equal(same[key], value) and same[key].dtype == value.dtype for key, value in state.items())


def test_sums_are_those_that_coreutils_read(unpacked):
    program = shutil.which("sha256sum")
    if program is None:
        pytest.skip("no sha256sum")
    done = subprocess.run([program, "-c", "--strict", SUMS_FILE], cwd=unpacked, capture_output=True, text=True)
    assert done.returncode == 0
    files = [path for path in unpacked.rglob("*") if path.is_file()]
    assert done.stdout.count(": OK") == len(files) - 1


def test_every_file_of_the_zip_is_the_repositorys_but_for_names(unpacked, bundle):
    for path in sorted(bundle.rglob("*")):
        name = path.relative_to(bundle)
        if path.suffix in (".pt", ".md", ".txt", ".conf") and "runs" not in name.parts:
            assert (unpacked / name).read_bytes() == path.read_bytes(), name
        elif path.suffix == ".json" and name.parts[0] == "configs":
            assert (unpacked / name).read_text() == path.read_text().replace('"ganglion.', f'"{OWN}.'), name


def shuffle(root: Path) -> None:
    """Other times and rights of the files."""
    for number, path in enumerate(sorted(root.rglob("*"), reverse=True)):
        os.utime(path, (number * 1e6, number * 1e6))
        path.chmod(0o700)


def test_the_same_bundle_gives_the_same_bytes(bundle_copy, packed, tmp_path, monkeypatch):
    """From another folder, at another time, with files of other times and rights in another order."""
    shuffle(bundle_copy)
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda top: ((a, b.sort(reverse=True) or b, c[::-1]) for a, b, c in walk(top)))
    monkeypatch.setattr(time, "time", lambda: 2e9)
    umask = os.umask(0o077)
    try:
        again = pack(bundle_copy, tmp_path / "deep" / "er")
    finally:
        os.umask(umask)
    assert again.path.read_bytes() == packed.path.read_bytes()
    assert again.path.stat().st_mode & 0o777 == 0o644


@pytest.mark.slow
@pytest.mark.parametrize("surroundings", [{"LC_ALL": "C", "TZ": "Asia/Tokyo"}, {"LC_ALL": "tr_TR.UTF-8", "TZ": "UTC"}])
def test_another_process_gives_the_same_bytes(surroundings, bundle_copy, packed, tmp_path):
    """Through the command line, with another hash seed, locale and time zone."""
    shuffle(bundle_copy)
    env = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1", **surroundings}
    words = [sys.executable, "-m", "ganglion", "pack", str(bundle_copy), "--out", str(tmp_path)]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert packed.sha256 in done.stdout
    assert (tmp_path / packed.path.name).read_bytes() == packed.path.read_bytes()


def test_another_byte_gives_another_zip(bundle_copy, packed, tmp_path):
    (bundle_copy / "LICENSE").write_text((bundle_copy / "LICENSE").read_text() + "\n")
    assert pack(bundle_copy, tmp_path).sha256 != packed.sha256


@pytest.mark.slow
def test_a_zip_that_is_packed_again_from_where_it_was_unpacked_is_the_same(unpacked, packed, hidden):
    """By the library inside it, with ours out of reach: what was made anew is made the same."""
    hidden.folder = unpacked
    done = hidden.run("-m", OWN, "pack", ".", "--out", "..")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (unpacked.parent / packed.path.name).read_bytes() == packed.path.read_bytes()


def test_one_version_is_one_zip(bundle_copy, tmp_path):
    first = pack(bundle_copy, tmp_path)
    time.sleep(0.01)
    assert pack(bundle_copy, tmp_path).sha256 == first.sha256
    (bundle_copy / "LICENSE").write_text("changed\n")
    with pytest.raises(InputError, match="another zip of this version"):
        pack(bundle_copy, tmp_path)
    assert hashlib.sha256(first.path.read_bytes()).hexdigest() == first.sha256
    assert pack(bundle_copy, tmp_path, overwrite=True).sha256 != first.sha256
    assert [path.name for path in tmp_path.glob("*.zip")] == [first.path.name]
    assert not list(tmp_path.glob(".*"))


def test_what_a_scan_would_find_is_not_packed(bundle_copy, tmp_path, monkeypatch):
    found = [SharingFinding("configs/train.json", "run", "x", "y")]
    monkeypatch.setattr("ganglion.sharing.scan.scan", lambda path: found if path.suffix == ".zip" else [])
    with pytest.raises(Refused, match="configs/train.json: run"):
        pack(bundle_copy, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_config_that_cannot_be_pointed_to_the_zips_library_is_refused(bundle_copy):
    contents, _ = check_bundle(str(bundle_copy))
    path = bundle_copy / "configs" / "inference.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "words": ["ganglion.data.load_items"]}))
    with pytest.raises(Refused, match="words#0"):
        bundle_files(contents)


def test_packages_that_packing_needs_are_named(bundle, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "safetensors" else object())
    with pytest.raises(InputError, match="python -m pip install safetensors"):
        pack(bundle, tmp_path)


def test_nothing_of_the_machine_is_in_the_zip(packed):
    """Neither the folder of the repository nor the user's home."""
    root = str(Path(__file__).parents[2]).encode()
    with zipfile.ZipFile(packed.path) as archive:
        assert [name for name in archive.namelist() if root in archive.read(name)] == []


def test_tables_travel_and_are_read_in_the_zip(unpacked, bundle, hidden):
    """`reproduce` finds them there, by the library in the zip, with nothing of ours installed."""
    tables = sorted(path.name for path in (bundle / "tables").glob("*.json"))
    assert sorted(path.name for path in (unpacked / "tables").glob("*.json")) == tables
    hidden.folder = unpacked
    for table in tables:
        said = hidden.run("-m", OWN, "reproduce", f"./{Path(table).stem}", "--dry_run", "--seeds", "1")
        assert said.returncode == 0, said.stderr
        assert f"python -m {OWN} phantom" in said.stdout
    assert tables or bundle.name != "segan_transfer"


def test_a_table_that_holds_code_or_says_a_thing_twice_is_refused(bundle_copy, counted):
    table = bundle_copy / "tables" / "mine.json"
    table.parent.mkdir(exist_ok=True)
    table.write_text("{\"title\": \"$__import__('os').system('id')\"}")
    assert ("tables/mine.json", "title") in {(finding.file, finding.key) for finding in scan(bundle_copy)}
    with pytest.raises(Refused, match="tables/mine.json"):
        check_bundle(str(bundle_copy))
    table.write_text('{"title": "one", "title": "two"}')
    with pytest.raises(Refused, match=r"tables/mine.json.*the key 'title' twice"):
        check_bundle(str(bundle_copy))
    counted("bundles refused", 2)
