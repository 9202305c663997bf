"""Positions in the drawing are read back from the SVG."""

import math
import re

import pytest

from ganglion.reports.charts import HEIGHT, WIDTH, line_chart, strip_chart


def polylines(svg):
    return [[tuple(map(float, p.split(","))) for p in found.split()] for found in re.findall(r'points="([^"]+)"', svg)]


def test_line_goes_up_when_values_go_up():
    (line,) = polylines(line_chart({"loss": [(1, 0.0), (2, 1.0), (3, 3.0)]}, "epoch"))
    xs, ys = zip(*line, strict=True)
    assert list(xs) == sorted(xs)
    assert list(ys) == sorted(ys, reverse=True)
    assert ys[0] - ys[1] == pytest.approx((ys[1] - ys[2]) / 2, abs=0.2)
    assert all(0 <= x <= WIDTH for x in xs)
    assert all(0 <= y <= HEIGHT for y in ys)


def test_values_that_are_not_finite_are_not_drawn():
    (line,) = polylines(line_chart({"loss": [(1, 1.0), (2, math.nan), (3, 2.0)], "other": [(1, math.inf)]}, "epoch"))
    assert len(line) == 2
    assert "No finite value" in line_chart({"loss": [(1, math.nan)]}, "epoch")


@pytest.mark.parametrize("value", [0.0, 0.5, -3.0, 1e6])
def test_one_point_and_equal_values_do_not_break(value):
    assert len(polylines(line_chart({"a": [(1, value)]}, "epoch"))) == 1
    assert len(polylines(line_chart({"a": [(1, value), (2, value)]}, "epoch"))) == 1
    assert strip_chart({"sub-001": value, "sub-002": value}, value, [value, value])


def test_epoch_marks_are_whole_numbers():
    text = line_chart({"a": [(1, 0.0), (2, 1.0), (3, 2.0)]}, "epoch")
    marks = re.findall(r'text-anchor="middle">([^<]+)<', text)
    assert marks[:-1] == ["1", "2", "3"]


def test_strip_has_one_dot_a_subject_and_its_name():
    svg = strip_chart({"sub-001": 0.1, "sub-<2>": 0.9}, 0.5, [0.2, 0.8])
    assert svg.count("<circle") == 3
    assert "sub-&lt;2&gt;: 0.9" in svg
