"""A label map as DICOM segmentation: every voxel at its place, read frame by frame from the file's own geometry."""

import sys

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial import cKDTree

from ganglion.cli import main
from ganglion.data import load_items
from ganglion.data.dicom_seg import LABEL_SETS, write_dicom_seg
from ganglion.errors import InputError

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")


@pytest.fixture
def case(tmp_path, write_series, simulated, turned):
    """`case(codes, angles)`: the DICOM folder of a simulated glioma, and its label map as inference gives it."""

    def make(codes="LPS", angles=(0, 0), flip=None):
        images, label, affine = simulated("brats")
        t1, grid = turned(images["T1"], affine, codes, angles)
        label, _ = turned(label, affine, codes, angles)
        folder = write_series(tmp_path / "dicom" / "t1", t1, grid, "AX T1", series=3)
        prediction = nib.Nifti1Image(label.astype(np.uint8), grid)
        if flip:
            prediction = nib.as_closest_canonical(prediction)
        nib.save(prediction, tmp_path / "pred.nii.gz")
        return folder, tmp_path / "pred.nii.gz"

    return make


def places(path):
    """Code -> places (mm, RAS) of its voxels in a NIfTI file."""
    image = nib.load(path)
    label = np.asarray(image.dataobj)
    return {code: nib.affines.apply_affine(image.affine, np.argwhere(label == code)) for code in (1, 2, 3)}


def places_of_seg(path):
    """The same from a segmentation, by each frame's own position and orientation (DICOM PS3.3 C.7.6.2.1.1)."""
    seg = pydicom.dcmread(path)
    frames = np.atleast_3d(seg.pixel_array.reshape(-1, seg.Rows, seg.Columns))
    shared = seg.SharedFunctionalGroupsSequence[0]
    row, column = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    between_rows, between_columns = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    found = {code: [] for code in (1, 2, 3)}
    for frame, group in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        at = np.argwhere(frame)
        lps = origin + at[:, 1:] * between_columns * row + at[:, :1] * between_rows * column
        found[group.SegmentIdentificationSequence[0].ReferencedSegmentNumber].append(lps * (-1, -1, 1))
    return {code: np.concatenate(points) for code, points in found.items()}


def assert_same_places(found, expected):
    """As many voxels of each code, each within 0.01 mm of one that is expected."""
    for code, points in expected.items():
        assert len(points) == len(found[code]) > 0
        assert cKDTree(points).query(found[code])[0].max() < 1e-2
        assert cKDTree(found[code]).query(points)[0].max() < 1e-2


@pytest.mark.parametrize("flip", [False, True])
def test_geometry_in_eight_orientations(case, tmp_path, orientation, counted, flip):
    """Whichever way the series lies, and whether the prediction's axes are the series' own or turned to RAS."""
    folder, prediction = case(*orientation, flip=flip)
    done = write_dicom_seg(prediction, folder.parent, tmp_path / "out" / "seg.dcm", "tumour")
    expected = places(prediction)
    assert_same_places(places_of_seg(done.path), expected)
    assert list(done.segments.values()) == [len(expected[code]) for code in (1, 2, 3)]
    if not flip:
        counted("SEG orientations")


def test_content_is_what_an_archive_needs(case, tmp_path):
    folder, prediction = case()
    done = write_dicom_seg(prediction, folder, tmp_path / "seg.dcm", "tumour")
    seg = pydicom.dcmread(done.path)
    source = pydicom.dcmread(next(folder.iterdir()))
    for tag in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert seg.get(tag) == source.get(tag)
    assert (seg.Modality, seg.SegmentationType) == ("SEG", "BINARY")
    assert seg.SeriesInstanceUID != source.SeriesInstanceUID
    assert [one.SegmentLabel for one in seg.SegmentSequence] == list(LABEL_SETS["tumour"].values())
    codes = [one.SegmentedPropertyTypeCodeSequence[0].CodeValue for one in seg.SegmentSequence]
    assert codes == ["6574001", "79654002", "C113842"]
    assert {one.SegmentAlgorithmType for one in seg.SegmentSequence} == {"AUTOMATIC"}
    referenced = {
        group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        for group in seg.PerFrameFunctionalGroupsSequence
    }
    assert referenced <= {pydicom.dcmread(path).SOPInstanceUID for path in folder.iterdir()}
    assert "on series 'AX T1'" in done.summary()


def test_of_several_series_the_one_with_the_grid(case, tmp_path, write_series, simulated):
    """Another grid does not fit; of two that do, the first by number, or the one that is asked for."""
    folder, prediction = case()
    t1 = nib.load(prediction)
    write_series(folder.parent / "sag", np.ones((8, 9, 4), np.int16), np.diag([-3, -3, 5, 1.0]), "SAG T2", series=1)
    write_series(folder.parent / "scout", np.ones((8, 9, 1), np.int16), np.diag([-3, -3, 5, 1.0]), "scout", series=2)
    write_series(folder.parent / "flair", np.ones(t1.shape, np.int16), t1.affine, "AX FLAIR", series=4)
    assert write_dicom_seg(prediction, folder.parent, tmp_path / "a.dcm", "tumour").series.startswith("'AX T1'")
    done = write_dicom_seg(prediction, folder.parent, tmp_path / "b.dcm", "tumour", series="*flair*")
    assert done.series.startswith("'AX FLAIR'")
    with pytest.raises(InputError, match=r"which no series has \('SAG T2' \(4 files\): 8x9x4"):
        write_dicom_seg(prediction, folder.parent, tmp_path / "c.dcm", "tumour", series="sag*")


def test_headers_that_were_anonymised(tmp_path, case, write_series):
    """Tags that have to be there but may be empty are often gone."""

    def strip(one, number):
        for tag in ("PatientName", "PatientBirthDate", "StudyTime", "StudyDate"):
            delattr(one, tag)
        return one

    _, prediction = case()
    image = nib.load(prediction)
    folder = write_series(tmp_path / "bare", np.ones(image.shape, np.int16), image.affine, "T1", change=strip)
    assert write_dicom_seg(prediction, folder, tmp_path / "seg.dcm", "tumour").path.is_file()


def test_names_of_segments(case, tmp_path):
    folder, prediction = case()
    label = np.asarray(nib.load(prediction).dataobj)
    done = write_dicom_seg(prediction, folder, tmp_path / "a.dcm", "1:dead,2:swollen,3:bright")
    assert done.segments == {"dead": (label == 1).sum(), "swollen": (label == 2).sum(), "bright": (label == 3).sum()}
    nib.save(nib.Nifti1Image((label > 0).astype(np.uint8), nib.load(prediction).affine), tmp_path / "whole.nii.gz")
    done = write_dicom_seg(tmp_path / "whole.nii.gz", folder, tmp_path / "b.dcm", "whole-tumour")
    assert done.segments == {"whole tumour": (label > 0).sum()}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("whole-tumour", "codes 2, 3 that the labels do not name, expected "),
        ("glioma", "labels: found 'glioma', expected whole-tumour, tumour, tissue, or codes"),
        ("1:a,2:a,3:c", "each name once"),
        ("0:background,1:a,2:b,3:c", "each code above 0"),
        ("", "labels: found ''"),
    ],
)
def test_labels_that_do_not_fit(case, tmp_path, counted, labels, message):
    folder, prediction = case()
    with pytest.raises(InputError, match=message):
        write_dicom_seg(prediction, folder, tmp_path / "seg.dcm", labels)
    assert not (tmp_path / "seg.dcm").exists()
    counted("faulty inputs")


def test_nothing_marked_and_files_in_the_way(case, tmp_path, counted):
    folder, prediction = case()
    image = nib.load(prediction)
    nib.save(nib.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), tmp_path / "empty.nii.gz")
    with pytest.raises(InputError, match="no voxel with a label"):
        write_dicom_seg(tmp_path / "empty.nii.gz", folder, tmp_path / "seg.dcm", "tumour")
    counted("faulty inputs")
    (tmp_path / "seg.dcm").write_text("mine")
    with pytest.raises(InputError, match="a file in the way"):
        write_dicom_seg(prediction, folder, tmp_path / "seg.dcm", "tumour")
    assert (tmp_path / "seg.dcm").read_text() == "mine"
    assert write_dicom_seg(prediction, folder, tmp_path / "seg.dcm", "tumour", overwrite=True).path.stat().st_size > 999


def test_from_the_archive_and_back_by_command(tmp_path, case, capsys):
    """DICOM to NIfTI, a label map on that very grid, and back into DICOM beside the scans."""
    folder, prediction = case("PIR", (20, 12))
    assert main(["data", "convert", "dicom", str(folder), str(tmp_path / "data")]) == 0
    scan = nib.load(load_items(tmp_path / "data", "unlabeled", labels=False)[0]["image"][0])
    nib.save(nib.Nifti1Image(np.asarray(nib.load(prediction).dataobj), scan.affine), tmp_path / "label.nii.gz")
    words = ["data", "dicomseg", str(tmp_path / "label.nii.gz"), str(folder), str(tmp_path / "seg.dcm")]
    assert main([*words, "--labels", "tumour"]) == 0
    assert "seg.dcm: necrotic and non-enhancing core" in capsys.readouterr().out
    assert_same_places(places_of_seg(tmp_path / "seg.dcm"), places(tmp_path / "label.nii.gz"))
    assert main([*words, "--labels", "tumour"]) == 2
    assert "found a file in the way" in capsys.readouterr().err


def test_without_highdicom_the_error_says_how_to_get_it(case, tmp_path, monkeypatch):
    folder, prediction = case()
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(InputError, match="no highdicom to write it, expected highdicom installed"):
        write_dicom_seg(prediction, folder, tmp_path / "seg.dcm", "tumour")
