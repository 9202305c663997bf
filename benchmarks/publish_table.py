"""Put reproduced tables into the documents: `python -m benchmarks.publish_table [OUT/TABLE ...]`.

OUT/TABLE is what `ganglion reproduce` wrote; its table.json is copied to docs/results/tables/<bundle>/<table>.json.
Then each table of every bundle is written anew between the marks `<!-- TABLE -->` and `<!-- end of TABLE -->` of
docs/<bundle>.md: the table of its first metric, or, where nobody has run it yet, a line that says so and how to. A test
holds the documents to the files.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import fire

from ganglion.reproduce.write_tables import as_markdown

ROOT = Path(__file__).resolve().parents[1]
ENOUGH_SEEDS = 3  # fewer say next to nothing about another training


def excerpt(results: dict[str, Any]) -> str:
    """The table of the first metric, as in table.md; sentences and other metrics are on the table's own page."""
    parts = re.split(r"^## ", as_markdown(results), flags=re.MULTILINE)
    first = next(part for part in parts if "is better)" in part.splitlines()[0])
    heading, *lines = first.splitlines()
    shown = [f"{heading}:", "", *(line for line in lines if line.startswith("|"))]
    few = len(results["seeds"]) < ENOUGH_SEEDS
    return "\n".join([f"{few_seeds(len(results['seeds']))}\n", *shown] if few else shown)


def few_seeds(number: int) -> str:
    """What stands above a table of too few trainings."""
    trained = f"{number} training{'s' if number > 1 else ''} of each row"
    return f"**{trained}: what another training would give is not known.**"


def not_run(bundle: str, name: str, definition: dict[str, Any]) -> str:
    """The line that stands in for a table without results."""
    rows = [row for row in definition["rows"] if not row.get("printed_only")]
    command = f"ganglion reproduce {bundle}/{name}"
    return f"**Not run yet:** {len(rows)} rows; `{command}` runs them, `{command} --dry-run` says how long it takes."


def marked(bundle: Path, name: str) -> str:
    """What a bundle's document has to say about one of its tables, between the marks."""
    results = results_file(bundle, name)
    if results.exists():
        text = excerpt(_read(results))
    else:
        text = not_run(bundle.name, name, _read(bundle / "tables" / f"{name}.json"))
    return f"<!-- {name} -->\n\n{text}\n\n<!-- end of {name} -->"


def results_file(bundle: Path, name: str) -> Path:
    """Where the results of a table lie once they are published."""
    return bundle.parents[1] / "docs" / "results" / "tables" / bundle.name / f"{name}.json"


def renew(bundle: Path) -> Path:
    """Write every table of a bundle into its document anew."""
    page = bundle.parents[1] / "docs" / f"{bundle.name}.md"
    text = page.read_text(encoding="utf-8")
    for table in sorted((bundle / "tables").glob("*.json")):
        name = re.escape(table.stem)
        found = list(re.finditer(rf"<!-- {name} -->.*?<!-- end of {name} -->", text, re.DOTALL))
        if len(found) != 1:
            raise SystemExit(f"{page}: found the marks of {table.stem} {len(found)} times, expected once; add them.")
        text = text[: found[0].start()] + marked(bundle, table.stem) + text[found[0].end() :]
    page.write_text(text, encoding="utf-8")
    return page


def publish(*folders: str, root: str = str(ROOT)) -> None:
    """Copy each table, then renew the documents of all bundles.

    Args:
        folders: tables that `ganglion reproduce` wrote.
        root: the repository.
    """
    bundles = Path(root) / "bundles"
    for folder in folders:
        results = _read(Path(folder) / "table.json")
        place = results_file(bundles / results["bundle"], results["table"])
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(place)
    for bundle in sorted(path.parent for path in bundles.glob("*/tables")):
        print(renew(bundle))


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    fire.Fire(publish)
