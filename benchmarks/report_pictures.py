"""The pictures of docs/reports.md: `python -m benchmarks.report_pictures --run DIR [--table DIR] [--out docs/images]`.

DIR is what `ganglion report` takes: a row of simulated data with run/ and test/, and the folder of a table. Each page
is written anew and photographed in the system's Chromium: as a whole, light and dark, 1280 and 400 pixels wide, laid
out in columns; and some chapters at full size. Needs the `test` extra and a Chromium.
"""

from __future__ import annotations

import io
import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

import fire
from PIL import Image

from ganglion.reports.on_folder import report_on

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]
SCHEMES = ("light", "dark")
COLUMNS = {1280: 2, 400: 4}  # by the width of the window
SHOWN = {1280: 0.5, 400: 0.72}  # scale of the overviews
LONGEST = {1280: 4400, 400: 7200}  # pixels of a page from its top; a long table goes on below
GAP = 16  # pixels between columns
MARGIN = 14  # pixels around a chapter
CHAPTERS = {  # of the run's page: file, heading, scheme
    "report_scores": ("Scores", "light"),
    "report_cases": ("Worst, median and best case", "light"),
    "report_viewer": ("Look around", "dark"),
    "report_curves": ("Curves", "light"),
}
OF_A_TABLE = {"table_warnings": ("Before you trust it", "light"), "table_answer": ("Answer", "light")}
QUALITY = 74


def in_columns(picture: Image.Image, count: int) -> Image.Image:
    """A tall picture cut into columns of equal height, side by side; the colour of its corner fills the rest."""
    height = math.ceil(picture.height / count)
    whole = Image.new("RGB", (count * picture.width + (count - 1) * GAP, height), picture.getpixel((0, 0)))
    for index in range(count):
        part = picture.crop((0, index * height, picture.width, min(picture.height, (index + 1) * height)))
        whole.paste(part, (index * (picture.width + GAP), 0))
    return whole


def photograph(browser: Any, page_file: Path, stem: str, out: Path, chapters: dict[str, tuple[str, str]]) -> None:
    """Overviews of one page, and chapters at full size."""
    for scheme in SCHEMES:
        for width, count in COLUMNS.items():
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.goto(page_file.as_uri())
            height = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": width, "height": height})  # frames are drawn where they are in sight
            page.wait_for_timeout(800)
            top = {"x": 0, "y": 0, "width": width, "height": min(height, LONGEST[width])}
            whole = in_columns(_opened(page.screenshot(clip=top)), count)
            size = (round(whole.width * SHOWN[width]), round(whole.height * SHOWN[width]))
            _save(whole.resize(size, Image.Resampling.LANCZOS), out / f"{stem}_{scheme}_{width}.webp")
            for name, (heading, wanted) in chapters.items() if width == max(COLUMNS) else ():
                place = page.locator("aside, section", has=page.locator("h2", has_text=heading)).first
                if wanted == scheme and place.count():
                    _save(_opened(page.screenshot(clip=_around(place.bounding_box()))), out / f"{name}.webp")
            page.close()


def _around(box: dict[str, float]) -> dict[str, float]:
    """A rectangle with a margin."""
    place = {"x": box["x"] - MARGIN, "y": box["y"] - MARGIN}
    return place | {"width": box["width"] + 2 * MARGIN, "height": box["height"] + 2 * MARGIN}


def _opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def _save(picture: Image.Image, path: Path) -> None:
    picture.save(path, quality=QUALITY, method=6)
    print(f"{path.name}: {picture.width} x {picture.height}, {path.stat().st_size / 1024:.0f} KiB")


def main(run: str, table: str = "", dataset: str = "", out: str = "docs/images") -> None:
    """Write the pictures.

    Args:
        run: folder of a row: run/ and test/.
        table: folder of a table, with table.json; its pictures are left as they are when empty.
        dataset: data set of the row, where its config names another place.
        out: folder for the pictures.
    """
    from playwright.sync_api import sync_playwright

    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        raise SystemExit(f"found none of {', '.join(BROWSERS)}, expected a Chromium to photograph with")
    target = Path(out)
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        page_file = report_on(run, Path(temporary) / "report.html", dataset=dataset or None)
        photograph(browser, page_file, "report", target, CHAPTERS)
        if table:
            photograph(browser, report_on(table, Path(temporary) / "table.html"), "table", target, OF_A_TABLE)
        browser.close()


if __name__ == "__main__":
    fire.Fire(main)
