"""Headers judged before voxels are read; every fault names its file."""

import gzip
import time

import nibabel as nib
import numpy as np
import pytest

from ganglion.data.volumes import nonfinite_text, open_volume, read_voxels, require_same_grid
from ganglion.errors import InputError


def test_reads_voxels_and_grid(tmp_path, save):
    affine = np.array([[0, 0, 2.0, 3], [-1, 0, 0, 4], [0, 1.5, 0, 5], [0, 0, 0, 1]])
    data = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    volume = open_volume(save(tmp_path / "a.nii.gz", data, affine))
    assert (volume.shape, volume.channels) == ((3, 4, 5), 1)
    np.testing.assert_array_equal(volume.affine, affine)
    assert read_voxels(volume).dtype == np.float32
    np.testing.assert_array_equal(read_voxels(volume), data)


def test_slope_and_intercept_are_applied(tmp_path):
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    image.header.set_slope_inter(0.5, -3)
    raw = image.to_bytes()
    (tmp_path / "a.nii").write_bytes(raw)
    stored = np.frombuffer(raw[352:], dtype=np.int16).reshape(2, 3, 4, order="F")
    slope, inter = nib.Nifti1Header(raw[:348]).get_slope_inter()
    assert slope not in (None, 1.0)
    np.testing.assert_allclose(read_voxels(open_volume(tmp_path / "a.nii")), stored * slope + inter, rtol=1e-6)


@pytest.mark.parametrize(("shape", "channels"), [((3, 4, 5, 2), 2), ((3, 4, 5, 1), 1), ((3, 4, 5, 1, 2), 2)])
def test_channels_of_a_4d_file(tmp_path, save, shape, channels):
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    volume = open_volume(save(tmp_path / "a.nii.gz", data))
    assert (volume.shape, volume.channels) == ((3, 4, 5), channels)
    np.testing.assert_array_equal(read_voxels(volume).reshape(shape), data)


def test_mha_is_read_in_ras(tmp_path):
    """The same picture written by itk as .mha and as NIfTI (whose RAS form nibabel reads) must be one."""
    itk = pytest.importorskip("itk")
    image = itk.image_from_array(np.random.default_rng(0).integers(0, 999, (5, 4, 3)).astype(np.int16))
    image.SetSpacing([1.0, 2.0, 3.0])
    image.SetOrigin([10.0, -20.0, 30.0])
    turned = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    image.SetDirection(itk.matrix_from_array(turned))
    itk.imwrite(image, str(tmp_path / "a.mha"))
    itk.imwrite(image, str(tmp_path / "b.mha"), compression=True)
    itk.imwrite(image, str(tmp_path / "a.nii"))
    nifti = open_volume(tmp_path / "a.nii")
    for name in ("a.mha", "b.mha"):
        volume = open_volume(tmp_path / name)
        require_same_grid(nifti, volume)
        np.testing.assert_array_equal(read_voxels(volume), read_voxels(nifti))


def test_truncated_mha_is_named(tmp_path):
    itk = pytest.importorskip("itk")
    itk.imwrite(itk.image_from_array(np.ones((9, 9, 9), dtype=np.float32)), str(tmp_path / "a.mha"))
    raw = (tmp_path / "a.mha").read_bytes()
    (tmp_path / "a.mha").write_bytes(raw[:-500])
    with pytest.raises(InputError, match=r"a\.mha: found a truncated file"):
        open_volume(tmp_path / "a.mha")


def test_mha_with_voxels_elsewhere_is_refused(tmp_path):
    text = (
        "ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = ../../etc/passwd\n"
    )
    (tmp_path / "a.mha").write_text(text)
    with pytest.raises(InputError, match="voxels in another file"):
        open_volume(tmp_path / "a.mha")


def test_missing_empty_and_unknown_files(tmp_path):
    (tmp_path / "empty.nii.gz").touch()
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "link.nii.gz").symlink_to(tmp_path / "gone.nii.gz")
    for name, message in [
        ("no.nii.gz", "no file"),
        ("empty.nii.gz", "empty file"),
        ("a.png", "unknown kind of file"),
        ("link.nii.gz", "link to a file that is gone"),
    ]:
        with pytest.raises(InputError, match=rf"{name}: found .*{message}"):
            open_volume(tmp_path / name)


@pytest.mark.parametrize("content", [b"garbage" * 100, gzip.compress(b"garbage" * 100), b"\x1f\x8b broken"])
def test_garbage_is_named(tmp_path, content):
    (tmp_path / "bad.nii.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.nii\.gz: found an unreadable or truncated file"):
        open_volume(tmp_path / "bad.nii.gz")


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_truncated_file_is_named(tmp_path, save, ending):
    path = save(tmp_path / f"cut{ending}", np.random.default_rng(0).normal(size=(20, 20, 20)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"cut\.nii.*truncated"):
        read_voxels(open_volume(path))


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_header_bomb_is_refused_from_the_header(tmp_path, ending):
    header = nib.Nifti1Header()
    header.set_data_shape((32000, 32000, 32000))
    header.set_data_dtype(np.float32)
    header.set_sform(np.eye(4), code=1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    raw = header.binaryblock + bytes(104)
    path = tmp_path / f"bomb{ending}"
    path.write_bytes(gzip.compress(raw) if ending == ".nii.gz" else raw)
    start = time.perf_counter()
    with pytest.raises(InputError, match=r"bomb.*claims 32000x32000x32000 voxels"):
        open_volume(path)
    assert time.perf_counter() - start < 1


def test_gzip_file_smaller_than_deflate_allows_is_refused(tmp_path, save):
    path = save(tmp_path / "a.nii.gz", np.zeros((10, 10, 10), dtype=np.uint8))
    image = nib.load(path)
    image.header.set_data_shape((400, 400, 400))
    image.header["vox_offset"] = 352
    path.write_bytes(gzip.compress(image.header.binaryblock + bytes(104)))
    with pytest.raises(InputError, match=r"truncated file or false header \(400x400x400"):
        open_volume(path)


def test_complex_and_coloured_files_are_refused(tmp_path, save):
    rgb = np.zeros((3, 3, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(InputError, match=r"c\.nii: found complex voxels"):
        open_volume(save(tmp_path / "c.nii", np.ones((3, 3, 3), dtype=np.complex64)))
    with pytest.raises(InputError, match=r"rgb\.nii: found RGB"):
        open_volume(save(tmp_path / "rgb.nii", rgb))


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (2, 3, 4, 5, 6)])
def test_other_dimensions(tmp_path, save, shape):
    path = save(tmp_path / "a.nii", np.ones(shape, dtype=np.float32))
    if len(shape) == 3:
        assert open_volume(path).shape == shape
    else:
        with pytest.raises(InputError, match="found shape .* expected a 3-D volume"):
            open_volume(path)


def test_zero_affine_is_refused(tmp_path, save):
    path = save(tmp_path / "a.nii", np.ones((3, 3, 3), dtype=np.float32))
    image = nib.load(path)
    image.header["srow_x"] = image.header["srow_y"] = image.header["srow_z"] = 0
    image.header["sform_code"], image.header["qform_code"], image.header["vox_offset"] = 1, 0, 352
    path.write_bytes(image.header.binaryblock + path.read_bytes()[348:])
    with pytest.raises(InputError, match="zero or degenerate affine"):
        open_volume(path)


def test_grids_agree_but_for_rounding(tmp_path, save):
    near, far = np.eye(4), np.eye(4)
    near[0, 3], far[0, 3] = 0.01, 0.5
    first = open_volume(save(tmp_path / "a.nii"))
    require_same_grid(first, open_volume(save(tmp_path / "b.nii", affine=near)))
    with pytest.raises(
        InputError, match=r"c\.nii: found another grid than that of a\.nii \(6x7x5.*0\.5.*expected 6x7x5"
    ):
        require_same_grid(first, open_volume(save(tmp_path / "c.nii", affine=far)))
    with pytest.raises(InputError, match=r"d\.nii: found another grid .*\(6x7x4"):
        require_same_grid(first, open_volume(save(tmp_path / "d.nii", np.ones((6, 7, 4), dtype=np.float32))))


def test_nonfinite_voxels_are_counted_and_placed():
    data = np.ones((3, 3, 3), dtype=np.float32)
    assert nonfinite_text(data) is None
    data[1, 2, 0], data[2, 0, 1] = np.nan, np.inf
    assert nonfinite_text(data) == "2 NaN, Inf voxels, the first at index (1, 2, 0)"
