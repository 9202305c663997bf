"""DICOM series: the order and place of slices, held against ITK's reader; what makes no volume is refused."""

import numpy as np
import pytest

from ganglion.data.dicom_series import read_series
from ganglion.errors import InputError

pydicom = pytest.importorskip("pydicom")

AFFINE = np.diag([-2.0, -1.5, 4.0, 1.0])
AFFINE[:3, 3] = (30.0, 25.0, -10.0)


def voxels(seed=0, shape=(7, 6, 5)):
    return np.random.default_rng(seed).integers(-40, 900, shape).astype(np.int16)


def read_by_itk(folder):
    """Voxels (column, row, slice) and affine in RAS as ITK and GDCM read them."""
    itk = pytest.importorskip("itk")
    names = itk.GDCMSeriesFileNames.New()
    names.SetDirectory(str(folder))
    image = itk.imread(list(names.GetFileNames(names.GetSeriesUIDs()[0])), itk.SS)
    affine = np.eye(4)
    affine[:3, :3] = itk.array_from_matrix(image.GetDirection()) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return itk.array_from_image(image).T, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def test_eight_orientations_as_itk_reads_them(tmp_path, write_series, turned, orientation):
    data, affine = turned(voxels(), AFFINE, *orientation)
    folder = write_series(tmp_path / "s", data, affine, "T1")
    (series,) = read_series(folder)
    np.testing.assert_array_equal(series.stack.voxels(), data)
    np.testing.assert_allclose(series.stack.affine, affine, atol=1e-4)
    theirs, their_affine = read_by_itk(folder)
    np.testing.assert_array_equal(series.stack.voxels(), theirs)
    np.testing.assert_allclose(series.stack.affine, their_affine, atol=1e-4)


def test_rescaled_slice_by_slice(tmp_path, write_series):
    def change(one, number):
        one.RescaleSlope, one.RescaleIntercept = 0.5 * (number + 1), number
        return one

    (series,) = read_series(write_series(tmp_path / "s", voxels(), AFFINE, "T1", change=change))
    slopes = np.arange(1, 6)
    np.testing.assert_allclose(series.stack.voxels(), voxels() * 0.5 * slopes + slopes - 1)


@pytest.mark.parametrize("packing", ["RLELossless", "JPEGLSLossless"])
def test_packed_pixels(tmp_path, write_series, packing):
    """As archives keep them."""
    pytest.importorskip("jpeg_ls")
    syntax = getattr(pydicom.uid, packing)

    def pack(one, number):
        one.compress(syntax, generate_instance_uid=False)
        return one

    positive = np.abs(voxels(shape=(16, 12, 4)))
    (series,) = read_series(write_series(tmp_path / "s", positive, AFFINE, "T1", change=pack))
    np.testing.assert_array_equal(series.stack.voxels(), positive)


def test_headers_hold_nothing_that_names_a_patient(tmp_path, write_series):
    (series,) = read_series(write_series(tmp_path / "s", voxels(), AFFINE, "T1"))
    assert "PatientName" not in series.slices[0].header
    assert "PatientBirthDate" not in series.slices[0].header
    assert "PixelData" not in series.slices[0].header


def test_other_files_are_passed_over(tmp_path, write_series):
    def computed(one, number):
        one.Modality = "CT"
        return one

    write_series(tmp_path / "a", voxels(), AFFINE, "T1", series=1)
    write_series(tmp_path / "b", voxels(), AFFINE, "head", series=2, change=computed)
    (tmp_path / "a" / "notes.txt").write_text("T1")
    (tmp_path / "a" / ".hidden.dcm").write_bytes(b"x")
    write_series(tmp_path / "c", voxels(1), AFFINE, "FLAIR", series=3)
    assert [series.description for series in read_series(tmp_path)] == ["T1", "FLAIR"]
    assert [series.description for series in read_series(tmp_path, leave_out=tmp_path / "a")] == ["FLAIR"]
    assert [series.description for series in read_series(tmp_path, modality="CT")] == ["head"]
    with pytest.raises(InputError, match="no DICOM file of modality PT"):
        read_series(tmp_path, modality="PT")


def drop(which):
    return lambda one, number: None if number in which else one


def setting(which, **tags):
    """Sets tags of some slices (all for None); a callable value gets the old one."""

    def change(one, number):
        if which is None or number in which:
            for tag, value in tags.items():
                setattr(one, tag, value(one.get(tag)) if callable(value) else value)
        return one

    return change


def shifted(one, number):
    one.ImagePositionPatient = [one.ImagePositionPatient[0], one.ImagePositionPatient[1] + number, 4 * number]
    return one


def without(tag):
    def change(one, number):
        delattr(one, tag)
        return one

    return change


def packed(one, number):
    one.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLosslessSV1
    one.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xd9"])
    one["PixelData"].is_undefined_length = True
    return one


FAULTS = {
    "a slice is missing": (drop({2}), r"1 missing slices \(the first gap of 8\.00 mm after slice 2"),
    "all but two are missing": (drop({1, 2, 3}), r"slices 16\.00 mm apart, where the header says 4 mm"),
    "every other is missing": (drop({1, 3}), r"slices 8\.00 mm apart, where the header says 4 mm"),
    "a slice is there twice": (
        setting({3}, ImagePositionPatient=["-30", "-25", "-2"]),
        "1 slices at a position that another has",
    ),
    "all at one place": (setting(None, ImagePositionPatient=[0, 0, 0]), "4 slices at a position that another has"),
    "two sizes": (setting({1}, Columns=6, Rows=7), r"mixed images \(2 values of Rows: 6, 7\)"),
    "two echoes": (setting({0, 1}, EchoTime=85), r"mixed images \(2 values of EchoTime"),
    "two frames of reference": (setting({0}, FrameOfReferenceUID="1.2.3"), r"mixed .*FrameOfReferenceUID\) in"),
    "two kinds of image": (setting({0}, SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), "mixed .*SOPClassUID"),
    "not parallel": (
        setting({4}, ImageOrientationPatient=[1, 0, 0, 0, 0.9962, 0.0872]),
        "slices that are not parallel",
    ),
    "no right angle": (setting(None, ImageOrientationPatient=[1, 0, 0, 0.6, 0.8, 0]), "no pair of unit vectors"),
    "a localizer": (setting({1}, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), r"not parallel \(a localizer\?\)"),
    "multi-frame": (setting(None, NumberOfFrames=2), r"a multi-frame \(enhanced\) image .*dcm2niix"),
    "enhanced": (setting(None, SOPClassUID="1.2.840.10008.5.1.4.1.1.4.1"), "a multi-frame"),
    "coloured": (setting(None, SamplesPerPixel=3, PhotometricInterpretation="RGB"), "coloured or inverted pixels"),
    "inverted": (setting(None, PhotometricInterpretation="MONOCHROME1"), "coloured or inverted pixels"),
    "one slice": (drop({0, 1, 2, 3}), "one slice in series"),
    "tilted gantry": (shifted, "slices shifted sideways"),
    "uneven distances": (
        setting({2}, ImagePositionPatient=lambda old: [*old[:2], old[2] + 0.9]),
        r"slice distances from 3\.10 to 4\.90 mm",
    ),
    "no position": (without("ImagePositionPatient"), "no ImagePositionPatient"),
    "no orientation": (without("ImageOrientationPatient"), "no ImageOrientationPatient"),
    "no spacing": (without("PixelSpacing"), "no PixelSpacing"),
    "zero spacing": (setting(None, PixelSpacing=[0, 0]), "PixelSpacing of 0"),
    "no rows": (without("Rows"), "no Rows"),
    "too many voxels": (setting(None, Rows=65535, Columns=65535), "65535x65535x5 voxels in"),
    "packed as nothing here unpacks": (packed, "pixels packed as JPEG Lossless"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_makes_no_volume_is_refused_by_its_headers(fault, tmp_path, write_series, counted):
    change, message = FAULTS[fault]
    if (
        fault == "packed as nothing here unpacks"
        and pydicom.pixels.get_decoder(pydicom.uid.JPEGLosslessSV1).is_available
    ):
        pytest.skip("this packing can be read here")
    (series,) = read_series(write_series(tmp_path / "s", voxels(), AFFINE, "AX T1", change=change))
    with pytest.raises(InputError, match=message) as error:
        _ = series.stack
    assert "Mustermann" not in str(error.value)
    assert "\n" not in str(error.value)
    counted("faulty inputs")


@pytest.mark.parametrize("fault", ["garbage", "empty", "cut in the header", "cut in the pixels"])
def test_corrupt_files_are_named(fault, tmp_path, write_series, counted):
    folder = write_series(tmp_path / "s", voxels(), AFFINE, "T1", names="IM{:05d}.dcm")
    file = folder / "IM00002.dcm"
    content = file.read_bytes()
    cuts = {"garbage": b"no DICOM" * 40, "empty": b"", "cut in the header": content[:500]}
    file.write_bytes(cuts.get(fault, content[:-30]))
    with pytest.raises(InputError, match=r"IM00002\.dcm: found "):
        read_series(folder)[0].stack.voxels()
    counted("faulty inputs")
    counted("corrupt files")
