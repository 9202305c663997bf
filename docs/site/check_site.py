"""What is wrong with a built site: links that lead nowhere, anything that a browser would fetch from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser loads by itself; a reader's click on a reference is none of it.
LOADING = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "use": "href"}
ADDRESS = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")
NAMES = ("http://www.w3.org/", "https://www.w3.org/")  # names of vocabularies, which nobody fetches


class Page(HTMLParser):
    """One page: its anchors, what it loads, where it links to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what one tag names."""
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        if tag in LOADING and LOADING[tag] in values:
            self.loads.append(values[LOADING[tag]])
        elif tag == "a" and "href" in values:
            self.links.append(values["href"])


def faults(site: Path) -> list[str]:
    """A line for each fault of a built site; none means that it works from a disk, without a network."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        where = path.relative_to(site)
        for address in page.loads:
            if urlsplit(address).scheme not in ("", "data") or address.startswith("//"):
                found.append(f"{where}: loads {address}")
            elif not urlsplit(address).scheme and not _file(path, address).is_file():
                found.append(f"{where}: loads {address}, which is not there")
        if path.name != "404.html":
            found += [f"{where}: {link} leads nowhere" for link in page.links if not _leads(path, link, pages)]
    for path in sorted([*site.rglob("*.css"), *site.rglob("*.js")]):
        for address in ADDRESS.findall(path.read_text(encoding="utf-8")):
            if not address.startswith(NAMES):
                found.append(f"{path.relative_to(site)}: loads {address}")
    return found


def _file(page: Path, address: str) -> Path:
    return (page.parent / unquote(urlsplit(address).path)).resolve()


def _leads(page: Path, link: str, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or link.startswith("//"):
        return True
    target = _file(page, link) if parts.path else page
    if target.is_dir():
        target = target / "index.html"
    known = pages.get(target)
    return target.is_file() and (not parts.fragment or known is None or unquote(parts.fragment) in known.anchors)
