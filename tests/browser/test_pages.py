"""Each kind of page in a real browser, light and dark, wide and narrow: no error, no request, no overflow, readable.

The browser is the system's Chromium; none is downloaded. Every request that is not of a file is refused and counted.
"""

import re

import fake_table
import pytest
from finished_run import write_finished

from ganglion.reports import write_report
from ganglion.reports.on_folder import report_on

WIDTHS = (1280, 400)

# Contrast of a text with what lies behind it, as WCAG 2 defines it.
CONTRAST = """
selector => [...document.querySelectorAll(selector)].map(element => {
  const numbers = text => (text.match(/[0-9.]+/g) || []).map(Number);
  const linear = x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4;
  const light = c => { const v = c.slice(0, 3).map(x => linear(x / 255));
    return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
  let behind = element, back = [0, 0, 0, 0];
  while (behind && (back.length == 4 && back[3] == 0)) {
    back = numbers(getComputedStyle(behind).backgroundColor); behind = behind.parentElement; }
  const [a, b] = [light(numbers(getComputedStyle(element).color)), light(back)].sort((x, y) => y - x);
  return (a + .05) / (b + .05);
})
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The report of a run with its evaluation, of an evaluation alone, and of a table."""
    place = write_finished(tmp_path_factory.mktemp("finished"))
    whole = write_report(place / "whole.html", place / "run", place / "evaluation", place / "data", seeds=1)
    table = made_up_table(tmp_path_factory.mktemp("table"))
    return {"run": whole, "evaluation": report_on(place / "evaluation"), "table": report_on(table)}


def made_up_table(out):
    """Folder of a table whose numbers are drawn from a seed."""
    from ganglion.reproduce.results import read_results
    from ganglion.reproduce.write_tables import write_all

    rows = [
        fake_table.trained("base", paper={"dice": 0.8}, where="Table I, row 1"),
        fake_table.trained("other", name="A row with a name that is much too long for any narrow screen to hold"),
        fake_table.trained("failed"),
    ]
    for number, mean in enumerate((0.78, 0.82)):
        for seed in range(3):
            values = fake_table.draw_dice(mean, seed=seed, row_seed=number)
            fake_table.write_history(fake_table.write_row(out, rows[number].row, seed, values), top=mean, seed=seed)
    fake_table.write_row(out, "failed", 0, state="failed", last_line="error: it diverged")
    write_all(read_results(fake_table.make_table(rows), out, range(3)), out / "table1")
    return out / "table1"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["run", "evaluation", "table"])
def test_a_page_shows_itself_without_help(show, pages, kind, scheme):
    page, errors, requests = show(pages[kind], WIDTHS[0], scheme)
    for fold in page.query_selector_all("details"):
        fold.evaluate("fold => fold.open = true")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert min(page.evaluate(CONTRAST, "h1, h2, h3, p, td, th, summary, figcaption, dd, label, pre, .legend")) >= 4.5
    ground = [
        int(number) for number in re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))
    ]
    assert (max(ground[:3]) < 60) == (scheme == "dark")
    assert errors == []
    assert requests == []


def canvases(page):
    """What the viewers show, those that are hidden included."""
    frames = [frame for frame in page.frames if frame != page.main_frame]
    for frame in frames:
        frame.wait_for_function("document.querySelector('canvas').width > 300")
    return frames, [frame.evaluate("document.querySelector('canvas').toDataURL()") for frame in frames]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_viewer_follows_a_click(show, pages, width):
    page, errors, requests = show(pages["run"], width)
    frames, before = canvases(page)
    assert len(frames) == 3
    shown = [frame for frame in page.query_selector_all("iframe") if frame.is_visible()]
    assert [frame.get_attribute("title") for frame in shown] == ["Viewer, median: sub-001, Dice 0.600"]
    inside = shown[0].content_frame()
    right = 0.8 * inside.evaluate("document.querySelector('canvas').width")  # in sight on a narrow screen, too
    inside.click("canvas", position={"x": right, "y": 60})
    inside.fill("input[type=range]", "20")
    _, after = canvases(page)
    changed = [a != b for a, b in zip(before, after, strict=True)]
    assert changed == [frame == inside for frame in frames]
    assert errors == requests == []


def test_another_case_can_be_chosen(show, pages):
    page, errors, _ = show(pages["run"])
    page.check("label:has-text('worst') input")
    (shown,) = [frame for frame in page.query_selector_all("iframe") if frame.is_visible()]
    assert shown.get_attribute("title").startswith("Viewer, worst: sub-003")
    assert shown.bounding_box()["height"] > 200
    assert errors == []


def test_this_would_see_a_page_that_calls_home(show, tmp_path):
    """The judge itself: an image from elsewhere, an error in a script, and a table that is too wide."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        '<img src="http://127.0.0.1:9/x.png"><div style="width:3000px">x</div><script>nothing()</script>',
        encoding="utf-8",
    )
    page, errors, requests = show(bad)
    assert requests == ["http://127.0.0.1:9/x.png"]
    assert any("nothing" in error for error in errors)
    assert page.evaluate("document.documentElement.scrollWidth") > 1280
