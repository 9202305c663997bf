"""What file names tell, on the names that real data sets use."""

import pytest

from ganglion.data.naming import canonical_contrast, contrast_of, parse, safe_subject, siblings, subject_of
from ganglion.errors import InputError


@pytest.mark.parametrize(
    ("name", "contrast", "subject"),
    [
        ("sub-07_T1w.nii.gz", "T1", "sub-07"),
        ("BraTS20_Training_001_t1.nii.gz", "T1", "BraTS20_Training_001"),
        ("BraTS20_Training_001_t1ce.nii.gz", "T1ce", "BraTS20_Training_001"),
        ("BraTS20_Training_001_flair.nii", "FLAIR", "BraTS20_Training_001"),
        ("BraTS-GLI-00005-000-t1n.nii.gz", "T1", "BraTS-GLI-00005-000"),
        ("BraTS-GLI-00005-000-t1c.nii.gz", "T1ce", "BraTS-GLI-00005-000"),
        ("BraTS-GLI-00005-000-t2w.nii.gz", "T2", "BraTS-GLI-00005-000"),
        ("BraTS-GLI-00005-000-t2f.nii.gz", "FLAIR", "BraTS-GLI-00005-000"),
        ("VSD.Brain.XX.O.MR_T1c.54514.mha", "T1ce", "VSD-Brain-XX-O-MR"),
        ("VSD.Brain.XX.O.MR_Flair.54512.mha", "FLAIR", "VSD-Brain-XX-O-MR"),
        ("sub-01_ce-gadolinium_T1w.nii.gz", "T1ce", "sub-01_ce-gadolinium"),
        ("sub-01_T1gd_brain.nii.gz", "T1ce", "sub-01"),
        ("sub-01_T2-FLAIR.nii.gz", "FLAIR", "sub-01"),
        ("sub-01_T1-IR.nii.gz", "T1-IR", "sub-01"),
        ("T2study_9_T1.mgz", "T1", "T2study_9"),
    ],
)
def test_contrast_and_subject_of_real_names(name, contrast, subject):
    assert contrast_of(name) == contrast
    assert subject_of(name) == subject


@pytest.mark.parametrize(
    ("name", "kind", "before"),
    [
        ("sub-07_lesion.nii.gz", "label", "sub-07"),
        ("sub-TCGA-FG-6692_tumour-auto.nii.gz", "label", "sub-TCGA-FG-6692"),
        ("BraTS20_Training_001_seg.nii.gz", "label", "BraTS20_Training_001"),
        ("BraTS-GLI-00005-000-seg.nii.gz", "label", "BraTS-GLI-00005-000"),
        ("VSD.Brain_3more.XX.O.OT.54517.mha", "label", "VSD.Brain_3more.XX.O"),
        ("sub-01_T1w_seg.nii.gz", "label", "sub-01"),
        ("W39_1998.09.19_Segm.nii", "label", "W39_1998.09.19"),
        ("sub-07_brainmask.nii.gz", "other", "sub-07"),
        ("sub-07_brain-mask.nii.gz", "other", "sub-07"),
        ("tumour-study-1_T1.nii.gz", "image", "tumour-study-1"),
        ("sub-07_tissue-auto.nii.gz", "other", "sub-07_tissue-auto"),
        ("BRATS_001.nii.gz", "other", "BRATS_001"),
        ("sub-T1w2_b.nii.gz", "other", "sub-T1w2_b"),
    ],
)
def test_kind_of_file(name, kind, before):
    assert (parse(name).kind, parse(name).before) == (kind, before)


def test_subject_falls_back_to_the_folder_and_is_safe():
    assert subject_of("study/patient 7/T1.nii.gz") == "patient-7"
    assert safe_subject("../../etc/passwd") == "etc-passwd"
    assert safe_subject("...") == "subject"


@pytest.mark.parametrize(
    ("given", "canonical"), [("t1w", "T1"), ("T1Gd", "T1ce"), ("t2f", "FLAIR"), ("flair", "FLAIR"), ("PD", "PD")]
)
def test_one_spelling_for_each_contrast(given, canonical):
    assert canonical_contrast(given) == canonical


def touch(folder, *names):
    for name in names:
        (folder / name).touch()


def test_siblings_are_found_in_order_and_strangers_left_alone(tmp_path):
    touch(
        tmp_path,
        "s1_T1.nii.gz",
        "s1_t1ce.nii",
        "s1_T2w.nii.gz",
        "s1_FLAIR.nii.gz",
        "s1_FLAIR_old.nii.gz",
        "s2_T1.nii.gz",
    )
    found = siblings(tmp_path / "s1_T2w.nii.gz")
    assert [path.name for path in found] == ["s1_T1.nii.gz", "s1_t1ce.nii", "s1_T2w.nii.gz", "s1_FLAIR.nii.gz"]


def test_siblings_keep_what_follows_the_contrast(tmp_path):
    touch(tmp_path, "s1_T1_brain.nii.gz", "s1_FLAIR_brain.nii.gz", "s1_FLAIR.nii.gz")
    found = siblings(tmp_path / "s1_T1_brain.nii.gz", ("FLAIR", "T1"))
    assert [path.name for path in found] == ["s1_FLAIR_brain.nii.gz", "s1_T1_brain.nii.gz"]


def test_missing_sibling_is_named(tmp_path):
    touch(tmp_path, "s1_T1.nii.gz", "s1_T2.nii.gz", "s1_FLAIR.nii.gz")
    with pytest.raises(InputError, match=r"s1_T1\.nii\.gz: found contrast T1ce missing .*Put one s1_T1ce\.nii\.gz"):
        siblings(tmp_path / "s1_T1.nii.gz")


def test_doubled_sibling_is_refused(tmp_path):
    touch(tmp_path, "s1_T1.nii.gz", "s1_T2.nii.gz", "s1_T2w.nii.gz")
    with pytest.raises(InputError, match="contrast T2 twice"):
        siblings(tmp_path / "s1_T1.nii.gz", ("T1", "T2"))


def test_name_without_contrast_has_no_siblings(tmp_path):
    touch(tmp_path, "scan.nii.gz")
    with pytest.raises(InputError, match=r"name tells no contrast.*scan_T1\.nii\.gz"):
        siblings(tmp_path / "scan.nii.gz")
