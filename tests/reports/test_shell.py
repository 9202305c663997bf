import shlex

import pytest

from ganglion.reports.shell import command_line, without_folders


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
