"""A tall picture in columns: every row of it is somewhere, in order."""

from benchmarks.report_pictures import GAP, in_columns
from PIL import Image


def test_columns_hold_the_whole_picture():
    tall = Image.new("RGB", (3, 10), "white")
    for row in range(10):
        tall.putpixel((1, row), (row, 0, 0))
    laid = in_columns(tall, 3)
    assert laid.size == (3 * 3 + 2 * GAP, 4)
    rows = [laid.getpixel((index * (3 + GAP) + 1, row))[0] for index in range(3) for row in range(4)]
    assert rows[:10] == list(range(10))
    assert laid.getpixel((2 * (3 + GAP) + 1, 3)) == (255, 255, 255)
