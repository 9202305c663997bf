"""The end of a table: its rows read, and written as JSON, CSV, Markdown and HTML."""

from __future__ import annotations

from .place import Place


def write_pages(place: Place, seeds: int) -> str:
    """Write the table's files from whatever rows are done; gives the table as Markdown and the path of the page."""
    from .results import read_results
    from .write_tables import write_all

    folder = place.out / place.table.table
    write_all(read_results(place.table, place.out, range(seeds)), folder, place.data)
    return f"{(folder / 'table.md').read_text(encoding='utf-8')}\n{folder / 'table.html'}"
