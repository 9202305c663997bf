"""Tiny volumes and data sets that the data tests write; trees as challenges and scanners give them."""

import functools
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

SHAPE = (6, 7, 5)
CONTRASTS = ("T1", "T1ce", "T2", "FLAIR")


@pytest.fixture
def save():
    """`save(path, data=None, affine=None, seed=0)` writes a NIfTI volume; random positive voxels by default."""

    def write(path, data=None, affine=None, seed=0):
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if data is None:
            data = np.random.default_rng(seed).uniform(1, 100, SHAPE).astype(np.float32)
        nib.save(nib.Nifti1Image(data, np.eye(4) if affine is None else affine), path)
        return path

    return write


@pytest.fixture
def label():
    """A label map with the codes 0, 1, 2, 3 on the grid of `save`."""
    data = np.zeros(SHAPE, dtype=np.uint8)
    data[1:5, 1:5, 1:4] = 2
    data[2:4, 2:4, 1:3] = 1
    data[2, 2, 2] = 3
    return data


@pytest.fixture
def dataset(tmp_path, save, label):
    """`dataset(**changes)` writes a flawless data set of four subjects; changes go into its JSON."""

    def write(**changes):
        folder = tmp_path / "data"
        names = {"training": ["a", "b"], "validation": ["c"], "test": ["d"], "unlabeled": []}
        content = {"channel_names": {str(i): c for i, c in enumerate(CONTRASTS)}, "labels": {"background": 0}}
        content["labels"].update({"core": 1, "oedema": 2, "enhancing": 3})
        for seed, subject in enumerate("abcd"):
            for i, contrast in enumerate(CONTRASTS):
                save(folder / subject / f"{subject}_{contrast}.nii.gz", seed=10 * seed + i)
            save(folder / subject / f"{subject}_label.nii.gz", label)
        for section, subjects in names.items():
            content[section] = [
                {
                    "subject": s,
                    "image": [f"{s}/{s}_{c}.nii.gz" for c in CONTRASTS],
                    "label": f"{s}/{s}_label.nii.gz",
                }
                for s in subjects
            ]
        content.update(changes)
        (folder / "dataset.json").write_text(json.dumps(content))
        return folder

    return write


@functools.cache
def _subject(cohort):
    from ganglion.data.phantom.cohorts import COHORTS

    return COHORTS[cohort].simulate(np.random.SeedSequence([0, COHORTS[cohort].code, 0]), 6.0)


@pytest.fixture(scope="session")
def simulated():
    """`simulated(cohort, number)` gives images by contrast, label and affine; numbers differ by a shift along x."""

    def subject(cohort, number=0):
        images, label, affine = _subject(cohort)
        images = {contrast: np.roll(image, number, axis=0) for contrast, image in images.items()}
        return images, np.roll(label, number, axis=0), affine

    return subject


ROOT_UID = "1.2.826.0.1.3680043.10.1447"
MR = "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture
def write_series():
    """`write_series(folder, data, affine, description, ...)` writes a DICOM series as a scanner would.

    `data` is (column, row, slice), `affine` maps its indices to millimetres in RAS. Files are named in an order that
    is not that of the slices. `change(dataset, number)` may change or drop a slice's data set (by returning None).
    """
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import ExplicitVRLittleEndian

    def write(folder, data, affine, description, patient="P-4711", study=1, series=1, change=None, names="IM{:05d}"):
        folder.mkdir(parents=True, exist_ok=True)
        lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        order = np.random.default_rng(series).permutation(data.shape[2])
        for number in range(data.shape[2]):
            uid = f"{ROOT_UID}.{study}.{series}"
            one = pydicom.Dataset()
            one.file_meta = pydicom.dataset.FileMetaDataset()
            one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            one.SOPClassUID, one.SOPInstanceUID = MR, f"{uid}.{number + 1}"
            one.Modality, one.SeriesDescription, one.SeriesNumber = "MR", description, series
            one.PatientName, one.PatientID, one.PatientBirthDate = "Mustermann^Erika", patient, "19640812"
            one.StudyInstanceUID, one.SeriesInstanceUID = f"{ROOT_UID}.{study}", uid
            one.StudyDate, one.StudyTime = f"202401{study:02d}", "093000"
            one.FrameOfReferenceUID, one.InstanceNumber = f"{ROOT_UID}.{study}.0", number + 1
            one.ImagePositionPatient = [f"{v:.6f}" for v in lps[:3, 3] + number * lps[:3, 2]]
            one.ImageOrientationPatient = [f"{v:.8f}" for v in (lps[:3, :2] / spacing[:2]).T.ravel()]
            one.PixelSpacing, one.SliceThickness = [spacing[1], spacing[0]], spacing[2]
            one.SpacingBetweenSlices = spacing[2]
            one.Columns, one.Rows = data.shape[:2]
            one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
            one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
            one.PixelData = np.ascontiguousarray(data[:, :, number].T, dtype="<i2").tobytes()
            one = change(one, number) if change else one
            if one is not None:
                one.save_as(folder / names.format(order[number]), enforce_file_format=True)
        return folder

    return write


@pytest.fixture(scope="session")
def turned():
    """`turned(data, affine, codes, angles)`: axes in the order that `codes` names, then rotated about x and z."""

    def turn(data, affine, codes, angles=(0, 0)):
        from scipy.spatial.transform import Rotation

        source = nib.io_orientation(affine)
        change = nib.orientations.ornt_transform(source, nib.orientations.axcodes2ornt(codes))
        data, affine = (
            nib.apply_orientation(data, change),
            affine @ nib.orientations.inv_ornt_aff(change, data.shape),
        )
        rotation = np.eye(4)
        rotation[:3, :3] = Rotation.from_euler("xz", angles, degrees=True).as_matrix()
        return np.ascontiguousarray(data), rotation @ affine

    return turn


# Axes along columns, rows and slices, and angles; slices run along the normal, as sorted by position.
DICOM_ORIENTATIONS = {
    "axial": ("LPS", (0, 0)),
    "axial, prone": ("RAS", (0, 0)),
    "axial, feet first": ("RPI", (0, 0)),
    "sagittal": ("PIR", (0, 0)),
    "coronal": ("LIP", (0, 0)),
    "coronal, upside down": ("RSP", (0, 0)),
    "axial, tilted": ("LPS", (17, 0)),
    "sagittal, tilted twice": ("PIR", (20, 12)),
}


@pytest.fixture(params=DICOM_ORIENTATIONS)
def orientation(request):
    """Each of eight orientations of a DICOM series: codes of its axes, and angles."""
    return DICOM_ORIENTATIONS[request.param]
