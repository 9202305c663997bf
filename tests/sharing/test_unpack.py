"""What unpacking refuses in the content of a zip that is well built, and what trust changes."""

import hashlib
import io
import json
import zipfile

import pytest

from ganglion.cli import main
from ganglion.errors import InputError, StorageError, find_user_error
from ganglion.sharing import unpack as module
from ganglion.sharing.archive import Limits
from ganglion.sharing.findings import Refused, SharingFinding
from ganglion.sharing.pack import write_zip
from ganglion.sharing.sums import SUMS_FILE, format_sums
from ganglion.sharing.unpack import unpack

CONFIG = json.dumps({"network_def": {"_target_": "monai.networks.nets.UNet"}}).encode()
FILES = {
    "LICENSE": b"licence",
    "configs/metadata.json": b"{}",
    "configs/inference.json": CONFIG,
    "docs/README.md": b"a",
}
HOSTILE_CONFIG = json.dumps({"run": "$__import__('os').system('touch evil')"}).encode()


@pytest.fixture
def toy(tmp_path):
    """Writes a zip of files, with their sums unless others are given; returns the path and the zip's sha256."""

    def write(files=FILES, sums=None):
        buffer = io.BytesIO()
        sums = format_sums(files).encode() if sums is None else sums
        whole = {**files, SUMS_FILE: sums} if sums else files
        write_zip(buffer, {f"toy/{name}": data for name, data in whole.items()})
        path = tmp_path / "toy.zip"
        path.write_bytes(buffer.getvalue())
        return path, hashlib.sha256(buffer.getvalue()).hexdigest()

    return write


def left(tmp_path):
    return sorted(path.name for path in tmp_path.rglob("*") if path.name != "toy.zip")


def test_a_round_trip_gives_the_same_files(toy, tmp_path):
    path, digest = toy()
    done = unpack(path, tmp_path / "new")
    assert {name: (done.folder / name).read_bytes() for name in FILES} == FILES
    assert (done.sha256, done.accepted, done.files) == (digest, (), len(FILES) + 1)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["toy"]


@pytest.mark.parametrize(
    ("files", "sums_of", "says"),
    [
        (FILES, {**FILES, "docs/more.md": b"b"}, "docs/more.md: found no such file"),
        ({**FILES, "docs/more.md": b"b"}, FILES, "docs/more.md: found a file that SHA256SUMS does not list"),
        ({**FILES, "docs/README.md": b"b"}, FILES, "docs/README.md: found other bytes"),
    ],
    ids=["missing", "surplus", "changed"],
)
@pytest.mark.parametrize("trusted", [False, True])
def test_sums_that_disagree_are_refused_trusted_or_not(files, sums_of, says, trusted, toy, tmp_path):
    path, digest = toy(files, format_sums(sums_of).encode())
    with pytest.raises(Refused, match=says):
        unpack(path, tmp_path / "new", digest if trusted else None)
    assert left(tmp_path) == []


@pytest.mark.parametrize("line", ["short  LICENSE\n", f"{'0' * 64}  LICENSE\n" * 2, f"{'0' * 64} ?LICENSE\n"])
def test_sums_that_are_no_sums_are_refused(line, toy, tmp_path):
    path, _ = toy(sums=line.encode())
    with pytest.raises(Refused, match="SHA256SUMS: found the line"):
        unpack(path, tmp_path / "new")
    assert left(tmp_path) == []


def test_findings_are_refused_unless_the_zip_itself_is_trusted(toy, tmp_path, capsys):
    path, digest = toy({**FILES, "configs/inference.json": HOSTILE_CONFIG})
    with pytest.raises(Refused, match="configs/inference.json: run"):
        unpack(path, tmp_path / "new")
    assert left(tmp_path) == []
    with pytest.raises(InputError, match="not the zip you trust"):
        unpack(path, tmp_path / "new", "0" * 64)
    assert left(tmp_path) == []
    done = unpack(path, tmp_path / "new", digest.upper())
    assert {finding.file for finding in done.accepted} == {"configs/inference.json"}
    assert "accepted: configs/inference.json" in str(done)
    assert not (tmp_path / "evil").exists()


def test_a_zip_without_sums_needs_trust(toy, tmp_path):
    path, digest = toy(sums=b"")
    with pytest.raises(Refused, match="SHA256SUMS: found no such file"):
        unpack(path, tmp_path / "new")
    assert unpack(path, tmp_path / "new", digest).accepted[0].file == SUMS_FILE


def test_nothing_that_is_there_is_overwritten(toy, tmp_path):
    path, _ = toy()
    mine = tmp_path / "new" / "toy" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(InputError, match="expected a free place"):
        unpack(path, tmp_path / "new")
    assert left(tmp_path) == ["mine.txt", "new", "toy"]


def test_a_link_in_the_place_of_the_bundle_is_not_followed(toy, tmp_path):
    path, _ = toy()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "toy").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="expected a free place"):
        unpack(path, tmp_path / "new")
    assert left(tmp_path) == ["new", "toy"]


@pytest.mark.parametrize("target", ["toy.zip", "toy.zip/below"])
def test_a_file_in_the_place_of_the_folder_is_named(target, toy, tmp_path):
    path, _ = toy()
    with pytest.raises(InputError, match="found a file in its way"):
        unpack(path, tmp_path / target)
    assert path.is_file()


def test_a_zip_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        unpack(tmp_path / "none.zip", tmp_path / "new")
    assert left(tmp_path) == []


def test_a_full_disk_leaves_nothing(toy, tmp_path, monkeypatch):
    def full(archive, entry):
        yield b"some"
        raise OSError(28, "No space left on device", "toy")

    path, _ = toy()
    monkeypatch.setattr(module, "read_entry", full)
    with pytest.raises(OSError, match="No space") as error:
        unpack(path, tmp_path / "new")
    assert isinstance(find_user_error(error.value), StorageError)
    assert left(tmp_path) == []


def test_an_interrupt_leaves_nothing(toy, tmp_path, monkeypatch):
    def interrupted(folder):
        raise KeyboardInterrupt

    path, _ = toy()
    monkeypatch.setattr(module, "_scan", interrupted)
    with pytest.raises(KeyboardInterrupt):
        unpack(path, tmp_path / "new")
    assert left(tmp_path) == []


def test_a_bomb_is_never_written_further_than_it_announced(toy, tmp_path, monkeypatch):
    """A stream that does not end is cut off at the entry's size, whatever zipfile would do."""

    class Endless(io.BytesIO):
        def read(self, size=-1):
            return b"x" * 100

    path, _ = toy()
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda self, entry: Endless())
    with pytest.raises(Refused, match="more bytes than announced"):
        unpack(path, tmp_path / "new")
    assert left(tmp_path) == []


def test_limits_are_those_that_are_given(toy, tmp_path):
    path, _ = toy()
    with pytest.raises(Refused, match="At most 2 entries"):
        unpack(path, tmp_path / "new", limits=Limits(entries=2))


def test_every_reason_is_one_line_on_the_screen_and_the_exit_code_is_2(toy, tmp_path, capsys):
    files = {**FILES, **{f"configs/{number}.json": HOSTILE_CONFIG for number in range(5)}}
    path, digest = toy(files)
    assert main(["unpack", str(path), str(tmp_path / "new")]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[0].startswith(f"error: {path} is not unpacked: ")
    assert sum(line.startswith("configs/") for line in lines) >= 5
    assert main(["unpack", str(path), str(tmp_path / "new"), "--trust", digest]) == 0
    assert digest in capsys.readouterr().out


def test_a_long_list_is_cut():
    findings = [SharingFinding(str(number), "", "x", "y") for number in range(500)]
    assert len(str(Refused("zip", findings)).splitlines()) == Refused.max_lines - 1
