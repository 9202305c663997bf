"""Put a reproduced table into the documents: `python -m benchmarks.publish_table OUT/TABLE [...]`.

OUT/TABLE is what `ganglion reproduce` wrote. Copies its table.json to docs/results/tables/<bundle>/<table>.json, and
writes the table of its first metric between the marks `<!-- TABLE -->` and `<!-- end of TABLE -->` of
docs/<bundle>.md. A test holds the document to the files.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import fire

from ganglion.reproduce.write_tables import as_markdown

DOCS = Path("docs")


def excerpt(results: dict[str, Any]) -> str:
    """The table of the first metric, as in table.md; sentences and other metrics are on the table's own page."""
    parts = re.split(r"^## ", as_markdown(results), flags=re.MULTILINE)
    first = next(part for part in parts if "is better)" in part.splitlines()[0])
    heading, *lines = first.splitlines()
    return "\n".join([f"{heading}:", "", *(line for line in lines if line.startswith("|")), ""])


def marked(results: dict[str, Any]) -> str:
    """The excerpt between its marks."""
    name = results["table"]
    return f"<!-- {name} -->\n\n{excerpt(results)}\n<!-- end of {name} -->"


def publish(*folders: str) -> None:
    """Copy each table and renew its part of the document."""
    for folder in folders:
        results = json.loads((Path(folder) / "table.json").read_text(encoding="utf-8"))
        place = DOCS / "results" / "tables" / results["bundle"] / f"{results['table']}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        page = DOCS / f"{results['bundle']}.md"
        name, text = re.escape(results["table"]), page.read_text(encoding="utf-8")
        found = list(re.finditer(rf"<!-- {name} -->.*?<!-- end of {name} -->", text, re.DOTALL))
        if len(found) != 1:
            raise SystemExit(f"{page}: found the marks of {name} {len(found)} times, expected once; add them.")
        page.write_text(text[: found[0].start()] + marked(results) + text[found[0].end() :], encoding="utf-8")
        print(f"{place} and {page}")


if __name__ == "__main__":
    fire.Fire(publish)
