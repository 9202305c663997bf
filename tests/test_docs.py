"""Links inside the documents lead somewhere, and the commands that they show exist."""

import re
from pathlib import Path

import pytest

from ganglion.cli import Commands

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "bundles").glob("*/docs/*.md"),
]


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_resolve(page):
    broken = []
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"(https?|mailto):", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


def test_every_page_is_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or not page.is_file():
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+\.md)", page.read_text(encoding="utf-8"))
        waiting += [(page.parent / link).resolve() for link in links if not link.startswith("http")]
    assert [page.relative_to(ROOT).as_posix() for page in PAGES if page.resolve() not in reached] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_and_their_options_exist(page):
    """Each `ganglion ...` in code names a command, and each of its `--options` is one of the command's."""
    unknown = []
    for words in re.findall(r"(?:`|^ *|&& |-m )ganglion ((?!=)[a-z][^`\n#]*)", page.read_text(encoding="utf-8"), re.M):
        target, names = Commands(), words.split()
        while names and not names[0].startswith("-") and hasattr(target, names[0]):
            target = getattr(target, names.pop(0))
        if not callable(target):
            unknown.append(words)
            continue
        known = {*target.__annotations__, "help", "debug"}
        options = {name.lstrip("-").split("=")[0].replace("-", "_") for name in names if name.startswith("--")}
        unknown += [f"{words}: --{option}" for option in options - known]
    assert unknown == []
