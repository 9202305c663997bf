"""The rules of a command line, on commands of the test's own."""

import errno

import pytest

from ganglion import command_line
from ganglion.errors import DivergedError, InputError, StorageError


class Group:
    """A group."""

    def __init__(self, calls):
        @command_line.command
        def look(directory: str, *, strict: bool = False) -> None:
            """Look into a folder."""
            calls.append((directory, strict))

        self.look = look


class Commands:
    """A program for tests."""

    def __init__(self):
        self.calls = []
        self.group = Group(self.calls)

    def make(self):
        raise NotImplementedError


@pytest.fixture
def program():
    commands = Commands()

    def add(name, action):
        setattr(commands, name, command_line.command(action))

    def make(kind: str, directory: str, *, count: int = 1, spacing: float = 1.0) -> None:
        """Make something.

        Args:
            kind: which one
            directory: where
            count: how many
            spacing: millimetres
        """
        commands.calls.append((kind, directory, count, spacing))

    def send(text: str, *, to_whom: str, copies: tuple[int, ...] = (1, 2), secret: bool = False) -> None:
        """Send a text to somebody who waits for it.

        It does not come back, and
        nobody answers.

        Args:
            text: what to say, which may
                take two lines
            to_whom: a name
            copies: how many, each time
            secret: whisper

        Examples:
            prog send hello --to_whom you
        """

    add("make", make)
    add("send", send)
    commands.add = add
    return commands


def run(program, *words):
    return command_line.run(program, "prog", words)


def test_arguments_are_read_by_type(program):
    assert run(program, "make", "a", "001", "--count", "3", "--spacing=2") == 0
    assert run(program, "make", "1e3", "1", "--count=2") == 0
    assert run(program, "group", "look", "[1]", "--strict") == 0
    assert program.calls == [("a", "001", 3, 2.0), ("1e3", "1", 2, 1.0), ("[1]", True)]
    assert isinstance(program.calls[0][3], float)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mak"], "unknown command mak; did you mean make?; see `prog --help`"),
        (["group", "loook"], "unknown command loook; did you mean look?; see `prog group --help`"),
        (["--count", "3"], "unknown argument --count; see `prog --help`"),
        (["make", "a", "b", "--cuont", "3"], "unknown argument --cuont; did you mean --count?; see `prog make --help`"),
        (["make", "--cuont=3"], "unknown argument --cuont; did you mean --count?; see `prog make --help`"),
        (["make", "a", "b", "--quiet"], "unknown argument --quiet; see `prog make --help`"),
        (["make", "a", "b", "c"], "unknown argument c; see `prog make --help`"),
        (["make", "a"], "missing argument DIRECTORY; see `prog make --help`"),
        (["send", "a"], "missing option --to_whom; see `prog send --help`"),
        (["make", "a", "b", "--", "--trace"], "'--' is not understood here"),
        (["make", "a", "b", "--count", "many"], "count must be a whole number, found 'many'"),
        (["make", "a", "b", "--spacing", "wide"], "spacing must be a number, found 'wide'"),
        (["group", "look", "a", "--strict=7"], "--strict is a switch and takes no value, found '7'"),
        (["_private"], "unknown command _private"),
    ],
)
def test_what_is_not_understood_is_named_in_one_line_and_nothing_runs(program, capsys, words, message):
    assert run(program, *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert program.calls == []


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (InputError("dataset.json: found 3, expected 4"), 2, "error: dataset.json: found 3, expected 4\n"),
        (DivergedError("phase critic, term loss"), 3, "error: phase critic, term loss\n"),
        (StorageError("disk full"), 4, "error: disk full\n"),
        (OSError(errno.ENOSPC, "No space left on device", "model.pt"), 4, "No space left on device: model.pt"),
        (OSError(errno.EROFS, "Read-only file system", "run"), 4, "Read-only file system: run"),
        (KeyError("pred"), 1, "error: KeyError: 'pred'\nThis is a fault of the program; --debug shows where.\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_errors_end_in_one_line_and_their_exit_code(program, capsys, error, code, text):
    def fail() -> None:
        raise error

    program.add("fail", fail)
    assert run(program, "fail") == code
    err = capsys.readouterr().err
    assert text in err
    assert "Traceback" not in err


def test_the_useful_error_is_found_below_what_wraps_it(program, capsys):
    def fail() -> None:
        try:
            raise InputError("sub-001_T1.nii.gz: truncated")
        except InputError as error:
            raise RuntimeError("applying transform <object>") from error

    program.add("fail", fail)
    assert run(program, "fail") == 2
    assert capsys.readouterr().err == "error: sub-001_T1.nii.gz: truncated\n"


def test_a_long_message_is_cut_to_three_lines(program, capsys):
    def fail() -> None:
        raise InputError("\n".join("abcdef"))

    program.add("fail", fail)
    run(program, "fail")
    assert capsys.readouterr().err == "error: a\nb\nc\n"


@pytest.mark.parametrize("way", ["flag", "variable"])
def test_debug_shows_the_traceback(program, capsys, monkeypatch, way):
    def fail() -> None:
        raise InputError("broken")

    program.add("fail", fail)
    if way == "variable":
        monkeypatch.setenv("GANGLION_DEBUG", "1")
    assert run(program, "fail", *(["--debug"] if way == "flag" else [])) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("error: broken\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            [],
            ["prog - A program for tests.", "COMMANDS", "    group look  Look into", "    make        Make"],
        ),
        (["--help"], ["A program for tests."]),
        (["group"], ["A group.", "look", "Look into a folder."]),
        (["make", "--help"], ["prog make KIND DIRECTORY [options]", "--count N", "how many (default: 1)"]),
        (["make", "a", "b", "-h"], ["prog make KIND DIRECTORY [options]"]),
    ],
)
def test_help(program, capsys, words, expected):
    assert run(program, *words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for text in expected:
        assert text in out
    assert "FIRE_METADATA" not in out
    assert program.calls == []


def test_a_help_page_as_a_whole(program, capsys):
    assert run(program, "send", "--help") == 0
    assert (
        capsys.readouterr().out
        == """prog send - Send a text to somebody who waits for it.

USAGE
    prog send TEXT --to_whom TO_WHOM [options]

It does not come back, and nobody answers.

ARGUMENTS
    TEXT  what to say, which may take two lines

OPTIONS
    --to_whom TO_WHOM  a name (must be given)
    --copies A,B       how many, each time (default: 1,2)
    --secret           whisper

EXAMPLES
    prog send hello --to_whom you
"""
    )


def test_help_does_not_change_how_arguments_are_read(program):
    run(program, "make", "--help")
    assert run(program, "make", "a", "1") == 0
    assert program.calls == [("a", "1", 1, 1.0)]
