"""Building blocks of a self-contained HTML page that follows the reader's light or dark setting.

Whatever a caller hands over as text is escaped here; only `Markup`, which these functions return, goes in as it is.
"""

from __future__ import annotations

import base64
import html
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..engines.handlers.checkpoint import write_atomically

STYLE = """
:root { color-scheme: light dark; --paper: #fbfbf9; --card: #ffffff; --ink: #1d2327; --soft: #5d676e; --line: #dcdfdd;
  --c0: #1f6fb2; --c1: #c2560c; --c2: #1b8a5a; --c3: #8150a8; --c4: #a3305c; --c5: #7a6a00; --warn: #7a4b00; --warnback: #fff3d6; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181b; --card: #1c2226; --ink: #e7eaec; --soft: #a2acb3; --line: #333b41;
  --c0: #6fb4ec; --c1: #f0945a; --c2: #5ecb9a; --c3: #c09be6; --c4: #ee88ad; --c5: #d4c04a; --warn: #ffd68a; --warnback: #3a2e14; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem; }
h3 { font-size: .95rem; margin: 0 0 .3rem; } p { margin: .4rem 0; max-width: 46rem; } .soft { color: var(--soft); font-size: .88rem; }
.badge { display: inline-block; background: var(--warnback); color: var(--warn); border-radius: .4rem; padding: .25rem .65rem;
  font-weight: 600; font-size: .9rem; margin: .1rem 0 .5rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { text-align: right; padding: .34rem .8rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; } th:first-child, td:first-child { text-align: left; padding-left: 0; }
table.facts { width: 100%; } table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; vertical-align: top; }
table.facts td:first-child { color: var(--soft); overflow-wrap: normal; } table.facts tr:last-child td { border: 0; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .4rem; padding: .7rem .9rem; overflow-x: auto;
  font: .82rem/1.5 ui-monospace, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; margin: .5rem 0; }
.grid { display: grid; align-items: start; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); gap: 1rem; margin: .7rem 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .8rem; margin: 0; }
.card figcaption { font-size: .85rem; color: var(--soft); margin-top: .35rem; }
.card svg { width: 100%; height: auto; display: block; } .card img { width: 100%; display: block; border-radius: .3rem; background: #000; }
svg text { font-size: 11px; fill: var(--soft); } svg .axis { stroke: var(--line); stroke-width: 1; }
svg .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .85rem; color: var(--soft); }
.legend i { display: inline-block; width: .8em; height: .8em; border-radius: .2em; margin-right: .4em; vertical-align: -.05em; }
dl { font-size: .88rem; margin: .4rem 0; } dt { font-weight: 600; margin-top: .5rem; } dd { margin: 0; color: var(--soft); max-width: 46rem; }
summary { cursor: pointer; color: var(--soft); margin: .7rem 0; }
.warn { background: var(--warnback); border-left: .3rem solid var(--warn); border-radius: .4rem; padding: .6rem 1rem .7rem; margin: 1rem 0; }
.warn h2 { color: var(--warn); font-size: 1rem; margin: 0 0 .2rem; } .warn p { max-width: none; font-size: .92rem; margin: .45rem 0; }
.columns { columns: 19rem; column-gap: 1rem; } .columns > * { break-inside: avoid; margin: 0 0 1rem; }
.choices { border: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .6rem 0; font-size: .92rem; } .choices label { cursor: pointer; }
iframe { display: block; border: 0; border-radius: .5rem; background: #000; }
@media (max-width: 600px) { th, td { padding: .3rem .45rem; } table { font-size: .82rem; } }
"""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(text: object) -> Markup:
    """Make any text safe, in an element or in an attribute; `Markup` passes."""
    return text if isinstance(text, Markup) else Markup(html.escape(str(text), quote=True))


def join(parts: Iterable[object]) -> Markup:
    """Concatenate, escaping what is not `Markup`."""
    return Markup("".join(escape(part) for part in parts))


def tag(name: str, /, *content: object, **attributes: object) -> Markup:
    """One element; `class_` stands for `class`, and an underscore in an attribute for a hyphen."""
    text = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{text}>{join(content)}</{name}>")


def table(columns: Sequence[object], rows: Iterable[Sequence[object]]) -> Markup:
    """A table whose first column is words and whose others are numbers; it scrolls on a narrow screen."""
    head = tag("tr", *(tag("th", column, scope="col") for column in columns))
    body = join(tag("tr", *(tag("td", cell) for cell in row)) for row in rows)
    return tag("div", tag("table", tag("thead", head), tag("tbody", body)), class_="scroll")


def facts(items: Mapping[str, object]) -> Markup:
    """Name and value, one line each; empty values are left out."""
    rows = (tag("tr", tag("td", key), tag("td", value)) for key, value in items.items() if value not in (None, ""))
    return tag("table", *rows, class_="facts")


def definitions(items: Mapping[str, object]) -> Markup:
    """Terms and what they mean."""
    return tag("dl", *(join((tag("dt", key), tag("dd", value))) for key, value in items.items()))


def legend(entries: Iterable[tuple[str, str]]) -> Markup:
    """Swatches: (label, CSS colour)."""
    return tag("div", *(tag("span", tag("i", style=f"background:{c}"), label) for label, c in entries), class_="legend")


def image(png: bytes, alt: str) -> Markup:
    """A PNG carried inside the page."""
    return Markup(f'<img alt="{escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}">')


def card(title: str, *content: object, caption: object = "") -> Markup:
    """A framed figure with a heading and, where given, a caption."""
    foot = tag("figcaption", caption) if caption else ""
    return tag("figure", tag("h3", title), *content, foot, class_="card")


def section(title: str, *content: object) -> Markup:
    """A chapter of the page."""
    return tag("section", tag("h2", title), *content)


def folded(title: str, content: object) -> Markup:
    """What is shown when the reader asks for it."""
    return tag("details", tag("summary", title), content)


def warn_box(title: str, sentences: Sequence[tuple[str, str]]) -> Markup:
    """What a reader has to know first, as (heading, words) pairs; nothing where there are none."""
    said = (tag("p", tag("b", f"{heading}:"), " ", _with_code(words)) for heading, words in sentences)
    return tag("aside", tag("h2", title), *said, class_="warn", role="note") if sentences else Markup("")


def _with_code(words: str) -> Markup:
    """Words whose commands stand between backticks, as elsewhere in the documents."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(words)))


def page(title: str, *content: object, badge: str = "", scripts: bool = False, style: str = "") -> str:
    """The whole document, which forbids the browser to fetch anything.

    Args:
        title: headline.
        content: chapters.
        badge: a few words below the headline.
        scripts: whether a part of the page is interactive.
        style: CSS of this page alone.
    """
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    policy += "; script-src 'unsafe-inline'" if scripts else ""
    allowed = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    mark = tag("div", badge, class_="badge") if badge else ""
    body = tag("main", tag("h1", title), mark, *content)
    viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    head = f'<meta charset="utf-8">{allowed}{viewport}{tag("title", title)}<style>{STYLE}{style}</style>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>{body}</body></html>\n'


def write_page(path: str | os.PathLike[str], text: str) -> Path:
    """Write the page in one step: a reader finds the former one or the whole new one."""
    target = Path(path)
    write_atomically(target, lambda file: file.write(text.encode()))
    return target
