"""Builds the site: `python docs/site/build_site.py FOLDER`. It needs the extra `docs` and no network.

The pages stay where they are in the repository. They are copied as they lie, so that each link between them holds,
into a temporary folder, together with pages that are made of the source: the API by its docstrings, the command line
by its help, every message by the errors in the code. MkDocs then builds the site, in which a broken link is an error.
"""

import contextlib
import io
import json
import logging
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import check_site
import messages
import yaml
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from ganglion.cli import Commands
from ganglion.command_line import run

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGE = ROOT / "common" / "ganglion"
LINK = re.compile(r"\]\(([^)\s#]+)")
LAYOUTS = ("brats", "brats2015", "msd", "iseg", "mrbrains", "bids", "dicom", "folder")
ASSETS = ("site.css", "favicon.svg", "iframe-worker.js")
HIDDEN = ("sharing/scanning",)  # parts of one page whose inner modules are of no use from outside


def repository_pages() -> list[Path]:
    """Every document of the repository, its notebooks included."""
    patterns = ("*.md", "docs/**/*.md", "docs/notebooks/*.ipynb", "bundles/*/docs/**/*.md")
    return sorted({path for pattern in patterns for path in ROOT.glob(pattern)})


def stage(folder: Path) -> None:
    """Copy the documents and each file that they link to; make the pages that come from the source."""
    for page in repository_pages():
        target = folder / page.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = page.read_text(encoding="utf-8")
        if page.suffix == ".ipynb":
            target.with_suffix(".md").write_text(notebook_page(json.loads(text)), encoding="utf-8")
            shutil.copyfile(page, target)
            continue
        target.write_text(text.replace(".ipynb)", ".md)"), encoding="utf-8")
        for name in LINK.findall(re.sub(r"```.*?```", "", text, flags=re.S)):
            linked = (page.parent / name).resolve()
            if linked.suffix not in (".md", ".ipynb") and linked.is_file() and linked.is_relative_to(ROOT):
                copy = folder / linked.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(linked, copy)
    for name in ASSETS:
        (folder / "docs" / "site").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(HERE / name, folder / "docs" / "site" / name)
    for name, text in generated_pages():
        target = folder / "reference" / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")


def notebook_page(notebook: dict[str, Any]) -> str:
    """A notebook as a page: its words as they are, its code as blocks."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
    return "\n\n".join(parts) + "\n"


def generated_pages() -> Iterator[tuple[str, str]]:
    """Name and text of each page that is made of the source."""
    yield "command_line.md", command_line_page()
    yield "messages.md", messages_page()
    for name, modules in packages():
        title = f"# ganglion.{name}\n" if name != "ganglion" else "# ganglion\n"
        blocks = [f"::: {module}\n" for module in modules]
        yield f"{name}.md", "\n".join([title, *blocks])


def packages() -> list[tuple[str, list[str]]]:
    """Each package by its dotted name without the first word, with its public modules."""
    found: dict[str, list[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        inner = "/".join(parts[:-1])
        if parts[-1].startswith("_") or inner.startswith(HIDDEN):
            continue
        found.setdefault(".".join(parts[:-1]) or "ganglion", []).append(".".join(("ganglion", *parts)))
    return sorted(found.items(), key=lambda item: (item[0] != "ganglion", item[0]))


def command_line_page() -> str:
    """The help of every command."""
    page = ["# The command line\n", "What `ganglion --help` and the help of each command say.\n"]
    for words in [[], *command_words(Commands())]:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            run(Commands(), "ganglion", [*words, "--help"])
        page.append(f"## {' '.join(['ganglion', *words])}\n\n```text\n{said.getvalue().rstrip()}\n```\n")
    return "\n".join(page)


def command_words(group: object, path: tuple[str, ...] = ()) -> Iterator[list[str]]:
    """The words of each command of a group, those of its groups included."""
    for name in sorted(name for name in dir(group) if not name.startswith("_")):
        member = getattr(group, name)
        if callable(member):
            yield [*path, name]
        else:
            yield from command_words(member, (*path, name))


def messages_page() -> str:
    """Every message that the code can end with, by module."""
    page = [
        "# Every message\n",
        "All that an error can say, as the code has it; `…` stands for a name, a path or a number.",
        "[Errors](../docs/errors.md) has the frequent ones with their remedies.\n",
    ]
    module = None
    for message in messages.of_package(PACKAGE):
        if message.module != module:
            module = message.module
            page.append(f"\n## {module}\n")
        page.append(f"- `{message.text}`")
    return "\n".join(page) + "\n"


def navigation(nav: list[Any]) -> list[Any]:
    """The settings' navigation with what depends on the repository filled in."""
    filled: list[Any] = []
    for entry in nav:
        if isinstance(entry, dict):
            (title, below), *_ = entry.items()
            filled.append({title: navigation(below) if isinstance(below, list) else below})
        else:
            filled += {"LAYOUTS": layouts, "METHODS": methods, "DECISIONS": decisions, "REFERENCE": reference}.get(
                entry, lambda entry=entry: [entry]
            )()
    return filled


def layouts() -> list[Any]:
    """A page for each layout of own data."""
    return [{"Layouts": [f"docs/layouts/{name}.md" for name in LAYOUTS]}]


def methods() -> list[Any]:
    """A section for each bundle: the method's page, its model card, cards of variants."""
    sections = []
    for metadata in sorted(ROOT.glob("bundles/*/configs/metadata.json")):
        bundle = metadata.parents[1]
        page = ROOT / "docs" / f"{bundle.name}.md"
        title = page.read_text(encoding="utf-8").splitlines()[0].lstrip("# ").split(":")[0]
        cards = sorted((bundle / "docs").rglob("*.md"), key=lambda card: (card.name != "README.md", card))
        inner: list[Any] = [page.relative_to(ROOT).as_posix()]
        for card in cards:
            name = "Model card" if card.name == "README.md" else f"Model card, {card.stem}"
            inner.append({name: card.relative_to(ROOT).as_posix()})
        sections.append({title: inner})
    return sections


def decisions() -> list[Any]:
    """The notes in order."""
    return [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]


def reference() -> list[Any]:
    """The pages that are made of the source."""
    first: list[Any] = ["reference/command_line.md", "reference/messages.md"]
    return first + [f"reference/{name}.md" for name, _ in packages()]


def build_site(target: Path) -> list[str]:
    """Build the site into a folder and say what is wrong with it, a line for each fault.

    Raises:
        mkdocs.exceptions.Abort: if MkDocs warned of anything.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve() / "pages"
        stage(folder)
        settings = yaml.safe_load((HERE / "mkdocs.yml").read_text(encoding="utf-8"))
        settings["nav"] = navigation(settings["nav"])
        settings["plugins"][-1]["mkdocstrings"]["handlers"]["python"]["paths"] = [str(PACKAGE.parent)]
        file = folder.parent / "mkdocs.yml"
        file.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
        build(load_config(str(file), docs_dir=str(folder), site_dir=str(target.resolve()), strict=True))
    trim(target)
    return check_site.faults(target.resolve())


def trim(site: Path) -> None:
    """Take out what is of no use on a disk: the server's page for what is not found, maps to the theme's sources."""
    for path in [site / "404.html", site / "sitemap.xml", site / "sitemap.xml.gz", *site.rglob("*.map")]:
        path.unlink(missing_ok=True)
    shutil.rmtree(site / "assets" / "javascripts" / "lunr")  # the search's other languages


def main(arguments: list[str]) -> int:
    """Build into the folder that is named, say where the site lies or what is wrong with it."""
    target = Path(arguments[0] if arguments else ROOT / "build" / "site")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        faults = build_site(target)
    except Abort as error:
        faults = [str(error)]
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults" if faults else f"Open {target / 'index.html'} in a browser; it needs no server.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
