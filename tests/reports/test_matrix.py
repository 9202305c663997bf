"""The matrix of a made-up table."""

import re

import pytest
from fake_table import write_fake

from ganglion.reports.matrix import DARK, LEVELS, LIGHT, level, matrix_table
from ganglion.reproduce.results import read_results


def luminance(colour):
    """WCAG's relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    """WCAG's contrast ratio."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_words_can_be_read_on_every_colour(colours):
    assert min(contrast(back, ink) for back, ink in colours) >= 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_lightness_alone_tells_the_order(colours):
    steps = [luminance(back) for back, _ in colours]
    assert steps in (sorted(steps), sorted(steps, reverse=True))
    assert len(set(steps)) == LEVELS


def test_best_is_deepest():
    assert [level(value, (0.1, 0.9), lower=False) for value in (0.1, 0.5, 0.9)] == [0, LEVELS // 2, LEVELS - 1]
    assert [level(value, (5.0, 25.0), lower=True) for value in (5.0, 25.0)] == [LEVELS - 1, 0]
    assert level(0.5, (0.5, 0.5), lower=False) == LEVELS // 2


def test_cells(tmp_path):
    """Trained on T1: scored on T1 (good) and T2 (half)."""
    text = matrix_table(read_results(write_fake(tmp_path), tmp_path, range(3)), "dice")
    assert re.findall(r'<th scope="(\w+)">([^<]*)</th>', text) == [
        ("col", "trained on / scored on"),
        ("col", "T1"),
        ("col", "T2"),
        ("row", "T1"),
    ]
    first, second = re.findall(r"<td.*?</td>", text)
    assert f'class="h{LEVELS - 1}"' in first
    assert "printed 0.8" in first
    assert re.search(r"<b>0\.8\d\d</b><small>sd 0\.\d{3}</small>", first)
    assert 'class="h0"' in second
    assert "16 simulated subjects" in text


def test_a_cell_without_a_row_and_one_without_a_result(tmp_path):
    results = read_results(write_fake(tmp_path), tmp_path, range(3))
    results["rows"][-1]["cell"] = ["T2", "T1"]
    text = matrix_table(results, "dice")
    assert '<td class="none">failed</td>' in text
    assert '<td class="none">not in the table</td>' in text
