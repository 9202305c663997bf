"""Each damaged file is named, with what was found, expected and mends it, by the check and by loading alike."""

import gzip
import json
import os
import re
import subprocess
import sys
import tracemalloc
import zlib

import nibabel as nib
import numpy as np
import pytest

from ganglion.data import LoadContrastsd, check_dataset, load_items
from ganglion.data.volumes import open_volume, read_voxels
from ganglion.errors import InputError

from .broken_files import DAMAGED, DAMAGED_PAIRS, DATA, GZ, MGZ, MHA, MHAZ, NII, gz, nifti, put, write_pair


@pytest.fixture
def subject(tmp_path):
    """`subject(file)` writes a data set of two subjects; the file is the second image of the first one."""

    def write(name):
        folder = tmp_path / "set"
        folder.mkdir(exist_ok=True)
        entries = []
        for subject, second in (("a", name), ("b", "b_T2.nii")):
            for seed, file in enumerate((f"{subject}_T1.nii", f"{subject}_T2.nii")):
                data = np.random.default_rng([ord(subject), seed]).integers(1, 99, DATA.shape).astype(np.int16)
                (folder / file).write_bytes(nifti(data))
            entries.append({"subject": subject, "image": [f"{subject}_T1.nii", second]})
        content = {"channel_names": {"0": "T1", "1": "T2"}, "unlabeled": entries}
        (folder / "dataset.json").write_text(json.dumps(content))
        return folder

    return write


def require_named(folder, name, found, counted):
    """The check names the file alone and goes on; loading says the very same line."""
    (finding,) = check_dataset(folder)
    assert finding.level == "error"
    assert finding.file.endswith(f"/{name}")
    assert finding.found
    assert finding.expected
    assert finding.mend.endswith(".")
    line = str(finding)
    assert "\n" not in line
    assert re.search(found, line), line
    good, bad = load_items(folder, "unlabeled", labels=False)[::-1]
    assert LoadContrastsd(contrasts=("T1", "T2"))(good)["image"].shape == (2, *DATA.shape)
    with pytest.raises(InputError) as error:
        LoadContrastsd(contrasts=("T1", "T2"))(bad)
    assert str(error.value) == line
    counted("faulty inputs")
    counted("corrupt files")


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_file_is_named(damage, subject, counted):
    name, raw, found = DAMAGED[damage]
    folder = subject(name)
    (folder / name).write_bytes(raw)
    require_named(folder, name, found, counted)


@pytest.mark.parametrize("damage", DAMAGED_PAIRS)
def test_damaged_pair_is_named(damage, subject, counted):
    ending, harm, found = DAMAGED_PAIRS[damage]
    listed = "x.img" if ending == ".hdr" and harm is None else "x.hdr"
    folder = subject(listed)
    write_pair(folder / "x.hdr", nib.Nifti1Pair)
    half = (folder / "x.hdr").with_suffix(ending)
    if harm is None:
        half.unlink()
    else:
        half.write_bytes(harm(half.read_bytes()))
    named = "x.img" if "cut image" in damage or "too long" in damage else listed
    require_named(folder, named, found, counted)


def test_things_that_are_no_files_are_named(subject, tmp_path, counted):
    folder = subject("x.nii")
    path = folder / "x.nii"
    for make, found in (
        (path.mkdir, "found a folder"),
        (lambda: os.mkfifo(path), "found a device or pipe"),
        (lambda: path.symlink_to("/dev/zero"), "found a device or pipe"),
        (lambda: path.symlink_to(path), "found a link that leads nowhere|a link to a file that is gone"),
    ):
        make()
        (finding,) = [finding for finding in check_dataset(folder) if finding.level == "error"]
        assert re.search(found, str(finding)), str(finding)
        assert finding.file.endswith("/x.nii")
        path.rmdir() if path.is_dir() else path.unlink()
        counted("faulty inputs")


def test_the_undamaged_files_are_read_alike(tmp_path):
    """What is damaged above is whole before: every format gives the same voxels."""
    for name, raw in (("a.nii", NII), ("a.nii.gz", GZ), ("a.mha", MHA), ("b.mha", MHAZ), ("a.mgz", MGZ)):
        (tmp_path / name).write_bytes(raw)
        volume = open_volume(tmp_path / name)
        np.testing.assert_array_equal(read_voxels(volume), DATA)
        if name != "a.mgz":
            np.testing.assert_allclose(volume.affine, np.diag([1.0, 1.5, 2.0, 1.0]))
    for kind in (nib.AnalyzeImage, nib.Nifti1Pair):
        write_pair(tmp_path / "p.hdr", kind)
        for half in ("p.hdr", "p.img"):
            np.testing.assert_array_equal(read_voxels(open_volume(tmp_path / half)), DATA)
        assert open_volume(tmp_path / "p.hdr").oriented is (kind is nib.Nifti1Pair)


def test_nibabels_remarks_are_not_repeated(tmp_path, caplog):
    """It remarks on what it sets right in a header; a progress bar and one-line errors have no room for that."""
    (tmp_path / "a.nii").write_bytes(put(put(NII, 80, "<f", -1.0), 252, "<h", 999))
    np.testing.assert_array_equal(read_voxels(open_volume(tmp_path / "a.nii")), DATA)
    assert caplog.text == ""
    nib.load(tmp_path / "a.nii")
    assert "qform_code 999 not valid" in caplog.text


@pytest.mark.parametrize(
    ("name", "raw", "length"),
    [
        ("a.nii", NII, 352),
        ("two.nii", nifti(kind=nib.Nifti2Image), 544),
        ("a.nii.gz", GZ, len(GZ)),
        ("a.mha", MHA, len(MHA) - DATA.nbytes),
        ("packed.mha", MHAZ, len(MHAZ)),
        ("a.mgz", MGZ, len(MGZ)),
    ],
)
def test_whatever_byte_is_changed_there_is_an_image_or_one_line(name, raw, length, tmp_path):
    draw = np.random.default_rng(0)
    refused = []
    for _ in range(60):
        harmed = bytearray(raw)
        for place in draw.integers(0, length, draw.integers(1, 3)):
            harmed[place] = draw.integers(256)
        (tmp_path / name).write_bytes(harmed)
        try:
            voxels = read_voxels(open_volume(tmp_path / name))
            assert voxels.ndim in (3, 4)
            assert voxels.dtype == np.float32
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 2
    assert all(str(tmp_path / name) in line and "\n" not in line for line in refused)


_MEASURE = """
import sys, time
from pathlib import Path
from ganglion.data.volumes import open_volume
from ganglion.errors import InputError
def most():  # kB at the peak; ru_maxrss would count the parent, whose memory a vfork shares
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
for name in sys.argv[1:]:
    before, start = most(), time.perf_counter()
    try:
        open_volume(name)
    except InputError as error:
        print(time.perf_counter() - start, most(), before, error)
"""


def huge(name):
    """Files that claim 32000 cubed, or hold much more than they say."""
    claim = put(put(NII[:352], 42, "<3h", 32000, 32000, 32000), 70, "<h", 16)
    head = b"NDims = 3\nDimSize = 32000 32000 32000\nElementType = MET_FLOAT\nCompressedData = True\n"
    return {
        "bomb.nii": claim + bytes(100),
        "bomb.nii.gz": gz(claim + bytes(100)),
        "bomb.mha": head + b"ElementDataFile = LOCAL\n" + gz(bytes(9)),
        "bomb.mgz": gz(put(gzip.decompress(MGZ)[:300], 4, ">3i", 32000, 32000, 32000)),
        "extension.nii.gz": gz(put(put(NII[:352], 108, "<f", 2e9), 348, "<i", 1) + bytes(10**7)),
    }[name]


def test_false_claims_are_refused_in_a_second_and_little_memory(tmp_path, counted):
    names = ["bomb.nii", "bomb.nii.gz", "bomb.mha", "bomb.mgz", "extension.nii.gz"]
    for name in names:
        (tmp_path / name).write_bytes(huge(name))
    files = [str(tmp_path / name) for name in names]
    done = subprocess.run([sys.executable, "-c", _MEASURE, *files], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(names)
    for name, line in zip(names, lines, strict=True):
        spent, peak, before, text = line.split(" ", 3)
        assert f"{name}: found " in text
        assert "32000x32000x32000" in text or "vox_offset" in text
        assert float(spent) < 1
        assert int(peak) < 500 * 1024  # kB, the imports included
        assert int(peak) - int(before) < 50 * 1024
        counted("faulty inputs")


def test_a_gzip_file_is_unpacked_no_further_than_it_says(tmp_path, counted):
    """64 MB of zeros behind a small image: 64 kB more are unpacked, then it is refused."""
    path = tmp_path / "a.nii.gz"
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    path.write_bytes(packer.compress(NII) + b"".join(packer.compress(bytes(2**20)) for _ in range(64)) + packer.flush())
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="more than 65536 bytes after"):
            read_voxels(open_volume(path))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    counted("faulty inputs")


def test_a_users_limit_of_voxels(subject):
    folder = subject("a_T2.nii")
    assert check_dataset(folder) == []
    found = check_dataset(folder, max_voxels=1000)
    assert len(found) == 4
    assert "a header that claims 12x11x10 voxels, expected at most 1000" in str(found[0])
    with pytest.raises(InputError, match="at most 1000"):
        LoadContrastsd(contrasts=("T1", "T2"), max_voxels=1000)(load_items(folder, "unlabeled", labels=False)[0])
