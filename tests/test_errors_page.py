"""The page of errors quotes messages as the source has them."""

import re
from pathlib import Path

import messages

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
QUOTED = [
    (double or single).strip() for double, single in re.findall(r"^\| (?:``(.+?) ``|`([^`]+)`) \|", PAGE, flags=re.M)
]


def test_every_quoted_message_is_one_of_the_source():
    known = {message.text for message in messages.of_package(ROOT / "common" / "ganglion")}
    assert len(QUOTED) > 50
    assert [text for text in QUOTED if text not in known] == []


def test_every_row_quotes_a_message_and_says_what_to_do():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| message", "| ---"))]
    assert len(rows) == len(QUOTED) == len(set(QUOTED))
    assert [row for row in rows if len(row.rstrip(" |").rsplit(" | ", 1)[-1]) < 4] == []


def test_messages_of_a_made_up_module(tmp_path):
    source = """
HOW = "Do it again."
LIMIT = 3
def f(path, n):
    mend = f"Correct it. {HOW}"
    if n:
        raise FileError(path, f"{n} files", "one", mend)
    raise InputError(
        f"{path}: found {n}, expected a number up to {LIMIT}; "
        "correct it"
    )
"""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "module.py").write_text(source)
    assert [(message.module, message.text) for message in messages.of_package(tmp_path)] == [
        ("inner.module", "…: found … files, expected one. Correct it. Do it again."),
        ("inner.module", "…: found …, expected a number up to …; correct it"),
    ]
