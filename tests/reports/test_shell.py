import shlex

import pytest

from ganglion.reports.shell import command_line, without_folders, without_folders_within


@pytest.mark.parametrize(
    "word", ["plain", "a b", "it's", 'say "x"', "['a', 'b']", "{'a': '$HOME'}", "back\\slash's", ""]
)
def test_a_shell_reads_the_words_back(word):
    assert shlex.split(command_line(["python", word, "end"])) == ["python", word, "end"]


def test_literals_stay_readable():
    assert command_line(["--files", "['a','b']"]) == "--files \"['a','b']\""


def test_absolute_paths_lose_their_folders():
    assert without_folders("--a /home/somebody/y.json --b run/z '/q/r/s'") == "--a .../y.json --b run/z '.../s'"
    assert without_folders("1/2 and a/b/c stay") == "1/2 and a/b/c stay"
    assert without_folders("--a '/home/somebody else/x y/z.nii' end") == "--a '.../z.nii' end"
    assert without_folders("{'a': '/home/somebody else/a.pt', 'b': 'c/d.pt'}") == "{'a': '.../a.pt', 'b': 'c/d.pt'}"
    assert without_folders(r"at C:\Users\somebody\scans\x.nii") == r"at .../x.nii"


def test_what_is_joined_onto_something_is_no_whole_path():
    expression = "$@bundle_root + '/models/reference/critic.pt'"
    assert without_folders(expression) == expression


def test_folders_go_from_within_lists_and_dictionaries():
    value = {
        "a": ["/home/somebody else/data/x", 3, None],
        "/home/somebody/b": True,
        "c": r"D:\some body\x.nii",
        "d": "~/x/y",
    }
    assert without_folders_within(value) == {"a": [".../x", 3, None], ".../b": True, "c": ".../x.nii", "d": ".../y"}
