"""DICOM folders as hospitals and archives give them, built from simulated gliomas: contrasts, names, no leaks."""

import gzip
import json
import sys

import numpy as np
import pytest

from ganglion.data import LoadContrastsd, check_dataset, dicom_series, load_items
from ganglion.data.convert import convert
from ganglion.data.convert.dicom import contrast_of_series
from ganglion.data.dicom_series import Series, Slice
from ganglion.errors import InputError

pydicom = pytest.importorskip("pydicom")

DESCRIPTIONS = {"T1": "t1_se_tra", "T1ce": "t1_se_tra +C", "T2": "T2 TSE AX", "FLAIR": "t2_tirm_tra_dark-fluid"}


@pytest.fixture
def study(tmp_path, write_series, simulated, turned):
    """`study(patient, number, contrasts, ...)` writes one examination in the tree of an archive, a folder a series."""

    def write(patient="P-4711", number=1, contrasts=DESCRIPTIONS, codes="LPS", **options):
        images, _, affine = simulated("brats", number)
        folder = tmp_path / "archive" / f"MUSTERMANN^{patient}" / f"2024-01-{number:02d}"
        for series, (contrast, said) in enumerate(dict(contrasts).items(), start=1):
            data, grid = turned(images[contrast.split("#")[0]], affine, codes)
            where = folder / f"{series}.000000-{series:05d}"
            write_series(where, data, grid, said, patient=patient, study=number, series=series, **options)
        return tmp_path / "archive"

    return write


def test_an_archive(study, tmp_path, simulated, turned, write_series, counted):
    """Two patients, a localizer in the study, files whose names tell nothing; images in Ganglion's order."""
    study("P-1", 1)
    source = study("P-2", 2, names="IMG{:03d}")
    write_series(source / "scout", np.ones((8, 8, 3), np.int16), np.diag([-9, -9, 9, 1.0]), "localizer", "P-1", 1, 9)
    (source / "DICOMDIR").write_bytes(b"an index")
    done = convert("dicom", source, tmp_path / "dst")
    assert done.contrasts == ("T1", "T1ce", "T2", "FLAIR")
    assert {name: count for name, count in done.counts.items() if count} == {"unlabeled": 2}
    assert check_dataset(tmp_path / "dst") == []
    items = load_items(tmp_path / "dst", "unlabeled", labels=False)
    assert [item["subject"] for item in items] == ["sub-001", "sub-002"]
    for number, item in enumerate(items, start=1):
        out = LoadContrastsd()(item)["image"]
        images, _, affine = simulated("brats", number)
        expected = [turned(images[contrast], affine, "LPS") for contrast in done.contrasts]
        np.testing.assert_array_equal(out.numpy(), np.stack([data for data, _ in expected]))
        np.testing.assert_allclose(out.affine, expected[0][1], atol=1e-4)
    counted("converted layouts")


def test_nothing_of_the_header_gets_out(study, tmp_path):
    source = study("SECRET-ID-77")
    convert("dicom", source, tmp_path / "dst")
    written = [path for path in (tmp_path / "dst").rglob("*") if path.is_file()]
    assert len(written) == 5
    names = [path.relative_to(tmp_path / "dst").as_posix() for path in written]
    contents = [gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in written]
    for secret in ("SECRET", "Mustermann", "MUSTERMANN", "19640812", "20240101", "1.2.826", "t1_se_tra", "archive"):
        assert not [name for name in names if secret in name]
        assert not [name for name, content in zip(names, contents, strict=True) if secret.encode() in content]


def test_examinations_of_one_patient_stay_together(study, tmp_path):
    """Numbered by date, whatever their folders are called."""
    for number in (3, 1, 2):
        source = study("P-1", number, contrasts={"T1": "T1"})
    study("P-2", 5, contrasts={"T1": "T1"})
    convert("dicom", source, tmp_path / "dst")
    subjects = [item["subject"] for item in load_items(tmp_path / "dst", "unlabeled", labels=False)]
    assert subjects == ["sub-001_ses-1", "sub-001_ses-2", "sub-001_ses-3", "sub-002"]


def test_names_from_a_table(study, tmp_path, counted):
    study("P-1", 1, contrasts={"T1": "T1"})
    source, table = study("P-2", 2, contrasts={"T1": "T1"}), tmp_path / "key.csv"
    convert("dicom", source, tmp_path / "a", subjects=table)
    assert table.read_text().split() == ["patient,subject", "P-1,sub-001", "P-2,sub-002"]
    assert table.stat().st_mode & 0o077 == 0
    table.write_text("patient,subject\nP-2,glioma-07\nP-1,glioma 09\n")
    convert("dicom", source, tmp_path / "b", subjects=table)
    items = load_items(tmp_path / "b", "unlabeled", labels=False)
    assert [item["subject"] for item in items] == ["glioma-07", "glioma-09"]
    for content, message in (
        ("patient,subject\nP-1,a\n", "no row for 1 patients of SRC, expected one each"),
        ("patient,subject\nP-1,a\nP-2,a\n", "one subject's name for two patients"),
        ("id;name\nP-1;a\n", "no column patient or subject"),
    ):
        table.write_text(content)
        with pytest.raises(InputError, match=message) as error:
            convert("dicom", source, tmp_path / "c", subjects=table)
        assert "P-2" not in str(error.value).replace("MUSTERMANN^P-2", "")
        counted("faulty inputs")
    with pytest.raises(InputError, match="a table of patients in the data set"):
        convert("dicom", source, tmp_path / "c", subjects=tmp_path / "c" / "key.csv")
    assert not (tmp_path / "c" / "key.csv").exists()


def test_two_series_of_a_contrast_ask_for_a_choice(study, tmp_path, counted):
    source = study(contrasts={"T1": "T1 AX", "T1#2": "T1 SAG", "FLAIR": "FLAIR AX"})
    with pytest.raises(InputError, match=r"2 files of contrast T1 \('T1 AX' \(26 files\), 'T1 SAG'.*--map.*'FLAIR AX'"):
        convert("dicom", source, tmp_path / "dst")
    counted("faulty inputs")
    done = convert("dicom", source, tmp_path / "dst", contrast_map="T1=t1 ax")
    assert done.contrasts == ("T1",)
    assert convert("dicom", source, tmp_path / "b", contrast_map="T1=*SAG", contrasts="FLAIR,T1").contrasts[1] == "T1"


def test_descriptions_that_tell_nothing_are_listed(study, tmp_path, counted):
    source = study(contrasts={"T1": "series one", "FLAIR": "protocol B, 3 mm"})
    with pytest.raises(InputError, match=r"tells its contrast.*there: 'series one' \(26 files\), 'protocol B, 3 mm'"):
        convert("dicom", source, tmp_path / "dst")
    counted("faulty inputs")
    done = convert("dicom", source, tmp_path / "dst", contrast_map={"FLAIR": "protocol b*", "T1w": "Series One"})
    assert done.contrasts == ("FLAIR", "T1")


def test_all_headers_are_judged_before_a_pixel_is_read(study, tmp_path, monkeypatch, counted):
    """The fault lies in the last series of the last patient; nothing was decoded or written."""
    study("P-1", 1)
    source = study("P-2", 2)
    last = sorted(source.rglob("IM*"))[-1]
    last.unlink()

    def decode(*_):
        raise AssertionError("a pixel was read")

    monkeypatch.setattr(dicom_series, "_pixels", decode)
    with pytest.raises(InputError, match="1 missing slices"):
        convert("dicom", source, tmp_path / "dst")
    assert not (tmp_path / "dst").exists()
    counted("faulty inputs")


def test_other_grids_and_frames_of_reference(tmp_path, write_series, simulated, turned):
    """A sagittal FLAIR is put on T1's grid on request; another frame of reference is told."""
    images, _, affine = simulated("brats")
    t1, grid = turned(images["T1"], affine, "LPS")
    flair, sagittal = turned(images["FLAIR"], affine, "PIR")

    def other_frame(one, number):
        one.FrameOfReferenceUID = "1.2.3"
        return one

    write_series(tmp_path / "src" / "a", t1, grid, "T1")
    write_series(tmp_path / "src" / "b", flair, sagittal, "FLAIR", series=2, change=other_frame)
    done = convert("dicom", tmp_path / "src", tmp_path / "dst", resample_to="first")
    assert "sub-001: FLAIR has another frame of reference than T1: register them" in done.summary()
    assert "sub-001_FLAIR.nii.gz: resampled to the grid of sub-001_T1.nii.gz" in done.summary()
    assert check_dataset(tmp_path / "dst") == []
    out = LoadContrastsd(contrasts=("T1", "FLAIR"))(load_items(tmp_path / "dst", "unlabeled", labels=False)[0])
    np.testing.assert_allclose(out["image"][1].numpy(), turned(images["FLAIR"], affine, "LPS")[0], atol=1e-2)


def test_notes_on_what_is_left_out(study, tmp_path):
    def stated(one, number):
        one.ImagesInAcquisition = 30
        return one

    study("P-1", 1, contrasts={"T1": "T1", "T2": "T2"}, change=stated)
    source = study("P-2", 2, contrasts={"T1": "T1"})
    study("P-3", 3, contrasts={"T1": "DWI b1000"})
    done = convert("dicom", source, tmp_path / "dst")
    assert done.contrasts == ("T1",)
    assert "T2 was left out, since 1 subjects lack it: sub-002" in done.summary()
    assert "1 studies without any known contrast were left out" in done.summary()
    assert "sub-001: the header of T1 speaks of 30 images, 26 are there" in done.summary()
    content = json.loads((tmp_path / "dst" / "dataset.json").read_text())
    assert [entry["subject"] for entry in content["unlabeled"]] == ["sub-001", "sub-002"]


@pytest.mark.parametrize(
    ("said", "agent", "contrast"),
    [
        ("t1_mprage_sag_p2_iso", "", "T1"),
        ("AX T1 SE", "", "T1"),
        ("3D_T1w", "", "T1"),
        ("Ax T1 FSPGR+C", "", "T1ce"),
        ("T1 POST GAD", "", "T1ce"),
        ("t1_se_tra_KM", "", "T1ce"),
        ("AX T1", "Dotarem", "T1ce"),
        ("AX T1 PRE", "Dotarem", "T1"),
        ("T1 without contrast", "", "T1"),
        ("T1 nativ", "", "T1"),
        ("T1 post non fat sat", "", "T1ce"),
        ("T1 non-contrast", "", "T1"),
        ("T2 FLAIR", "Gadovist", "FLAIR"),
        ("t2_space_dark-fluid_sag", "", "FLAIR"),
        ("FLAIR 3D", "", "FLAIR"),
        ("t2_tse_tra_512", "", "T2"),
        ("T1-IR", "", "T1-IR"),
        ("T1 FLAIR", "", None),
        ("T1 and T2 map", "", None),
        ("ep2d_diff_3scan_trace_ADC", "", None),
        ("t2*_fl2d", "", None),
        ("SWI_Images", "", None),
        ("localizer T1", "", None),
        ("T1 MPR cor", "", None),
        ("", "", None),
    ],
)
def test_contrast_of_a_description(tmp_path, said, agent, contrast):
    header = pydicom.Dataset()
    header.SeriesDescription, header.ContrastBolusAgent = said, agent
    assert contrast_of_series(Series([Slice(tmp_path, header)])) == contrast


def test_a_broken_study_can_be_left_out(study, tmp_path):
    """By naming the others: only what is taken is judged."""
    study("P-1", 1, contrasts={"T1": "T1"})
    source = study("P-2", 2, contrasts={"T1": "T1"})
    sorted(source.rglob("IM*"))[-3].unlink()
    with pytest.raises(InputError, match="missing slices"):
        convert("dicom", source, tmp_path / "dst")
    done = convert("dicom", source, tmp_path / "dst", sections={"unlabeled": "sub-001"})
    assert done.counts["unlabeled"] == 1
    assert check_dataset(tmp_path / "dst") == []


def test_without_pydicom_the_error_says_how_to_get_it(study, tmp_path, monkeypatch):
    source = study(contrasts={"T1": "T1"})
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InputError, match=r"no pydicom to read it, expected pydicom installed\. Run: pip install"):
        convert("dicom", source, tmp_path / "dst")
