"""A `dataset.json` from somebody else reaches no file outside its folder, by whatever spelling."""

import json
import re

import pytest

from ganglion.data import check_dataset, inference_items, load_items
from ganglion.errors import InputError

CONTRASTS = ("T1", "T1ce", "T2", "FLAIR")
# what stands in the file -> what the message says of it
ESCAPES = {
    "../../etc/passwd": "which leaves the data folder",
    "a/../../secret.nii": "which leaves the data folder",
    "a/b/../../../secret.nii": "which leaves the data folder",
    "./.././secret.nii": "which leaves the data folder",
    "..": "which leaves the data folder",
    "/etc/passwd": "which leaves the data folder",
    "//server/share/secret.nii": "which leaves the data folder",
    "C:/secret.nii": "which leaves the data folder",
    "C:secret.nii": "which leaves the data folder",
    "\\secret.nii": "which leaves the data folder",
    "\\\\server\\share\\secret.nii": "which leaves the data folder",
    "..\\secret.nii": "which leaves the data folder",
    "a\\..\\..\\secret.nii": "which leaves the data folder",
    "a/..\\..\\secret.nii": "which leaves the data folder",
    "~/secret.nii": "an address or a home folder",
    "~root/secret.nii": "an address or a home folder",
    "file:///etc/passwd": "an address or a home folder",
    "FILE:/etc/passwd": "an address or a home folder",
    "https://example.org/secret.nii": "an address or a home folder",
    "a/a_T1.nii.gz\0.png": "relative path of printable characters",
    "a/a_T1\n.nii.gz": "relative path of printable characters",
    "a/\ud800.nii.gz": "relative path of printable characters",
    "": "relative path of printable characters|image ''",
    "a/" * 600 + "x.nii": "a path of 1205 characters",
}


@pytest.mark.parametrize("path", ESCAPES, ids=lambda path: repr(path)[:30])
def test_a_path_that_leaves_the_folder_is_refused(path, dataset, counted):
    folder = dataset()
    content = json.loads((folder / "dataset.json").read_text())
    content["test"][0]["image"][2] = path
    (folder / "dataset.json").write_text(json.dumps(content))
    (finding,) = check_dataset(folder)
    assert finding.file == str(folder / "dataset.json")
    assert re.search(ESCAPES[path], str(finding))
    assert finding.expected
    assert finding.mend
    with pytest.raises(InputError) as error:
        inference_items(folder, "test")
    assert str(error.value) == str(finding)
    assert len(load_items(folder, "training")) == 2  # the other lists are not harmed
    counted("path escapes")
    counted("faulty inputs")


def test_a_path_that_only_looks_odd_is_taken_as_it_stands(dataset):
    """`%2e%2e` and `$HOME` are names of files here, not ways out: nothing expands them."""
    folder = dataset()
    for path in ("%2e%2e/secret.nii", "$HOME/secret.nii", "a/...nii", "a b/c.nii", "ses-1:2.nii"):
        content = json.loads((folder / "dataset.json").read_text())
        content["test"][0]["image"][2] = path
        (folder / "dataset.json").write_text(json.dumps(content))
        (finding,) = check_dataset(folder)
        assert (finding.file, finding.found) == (str(folder / path), "no file")


def test_dots_behind_a_link_do_not_follow_it(dataset, tmp_path, counted):
    """`out/../secret.nii` is `secret.nii` in the folder, although the system would look beside where `out` leads."""
    folder = dataset()
    (tmp_path / "other" / "deep").mkdir(parents=True)
    (tmp_path / "other" / "secret.nii.gz").write_bytes((folder / "a" / "a_T1.nii.gz").read_bytes())
    (folder / "out").symlink_to(tmp_path / "other" / "deep")
    content = json.loads((folder / "dataset.json").read_text())
    content["test"][0]["image"][2] = "out/../secret.nii.gz"
    (folder / "dataset.json").write_text(json.dumps(content))
    (finding,) = check_dataset(folder)
    assert (finding.file, finding.found) == (str(folder / "secret.nii.gz"), "no file")
    counted("path escapes")


@pytest.mark.parametrize("what", ["file", "folder", "chain"])
def test_a_link_out_of_the_folder_is_told_with_where_it_leads(what, dataset, tmp_path, counted):
    """Links are how `convert` refers to images, so they are followed; nobody makes one by a text file alone."""
    folder = dataset()
    outside = tmp_path / "outside"
    (folder / "d").rename(outside)
    if what == "folder":
        (folder / "d").symlink_to(outside)
    else:
        (folder / "d").mkdir()
        for file in outside.iterdir():
            target = file
            if what == "chain":
                target = folder / f"step_{file.name}"
                target.symlink_to(file)
            (folder / "d" / file.name).symlink_to(target)
    (finding,) = check_dataset(folder)
    assert (finding.level, finding.kind) == ("note", "links")
    assert str(outside) in finding.found
    counted("path escapes")
