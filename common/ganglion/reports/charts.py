"""Two small charts as inline SVG, drawn with the page's own colours: lines over epochs, and one dot a subject."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from .html import Markup, join, legend, tag

COLOURS = 6
WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 34

Point = tuple[float, float]


def line_chart(series: Mapping[str, Sequence[Point]], x_label: str, include: Sequence[Point] = ()) -> Markup:
    """Lines with a legend above.

    Args:
        series: for each name its (x, y) in the order of x; values that are not finite are not drawn.
        x_label: what the horizontal axis counts.
        include: further (x, y) that the axes reach, so that several charts can be compared.
    """
    drawn = {name: [p for p in points if math.isfinite(p[1])] for name, points in series.items()}
    drawn = {name: points for name, points in drawn.items() if points}
    every = [p for points in drawn.values() for p in points]
    if not every:
        return tag("p", "No finite value was recorded.", class_="soft")
    every += include
    to_x, x_marks = axis([x for x, _ in every], LEFT, WIDTH - RIGHT, whole=True)
    to_y, y_marks = axis([y for _, y in every], HEIGHT - BOTTOM, TOP)
    parts = [_horizontal(to_y(y), number(y)) for y in y_marks]
    parts += [text_at(to_x(x), HEIGHT - BOTTOM + 15, number(x), "middle") for x in x_marks]
    parts.append(text_at((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, x_label, "middle"))
    for index, (name, points) in enumerate(drawn.items()):
        parts.append(_line([(to_x(x), to_y(y)) for x, y in points], f"var(--c{index % COLOURS})", name))
    key = legend((name, f"var(--c{index % COLOURS})") for index, name in enumerate(drawn))
    return join((key, drawing(HEIGHT, parts, f"{', '.join(drawn)} by {x_label}")))


def strip_chart(values: Mapping[str, float], mean: float, interval: Sequence[float] | None) -> Markup:
    """One dot a subject on one axis, above it the mean and the interval of the mean.

    Args:
        values: subject and value.
        mean: of all subjects.
        interval: low and high end, or None.
    """
    height, base = 92, 58
    to_x, marks = axis([*values.values(), *(interval or ())], 16, WIDTH - 16)
    parts = [rule(16, base + 10, WIDTH - 16, base + 10)]
    parts += [text_at(to_x(mark), base + 26, number(mark), "middle") for mark in marks]
    for subject, value in values.items():
        dot = tag("title", f"{subject}: {value:.4g}")
        parts.append(tag("circle", dot, cx=at(to_x(value)), cy=base, r=4.5, fill="var(--c0)", fill_opacity=0.55))
    if interval:
        low, high = (to_x(end) for end in interval)
        bar = {"x1": at(low), "x2": at(max(high, low + 1)), "y1": 30, "y2": 30}
        parts.append(tag("line", **bar, stroke="var(--c1)", stroke_width=3, stroke_linecap="round"))
    parts.append(tag("circle", tag("title", f"mean: {mean:.4g}"), cx=at(to_x(mean)), cy=30, r=4.5, fill="var(--c1)"))
    return drawing(height, parts, f"one dot for each of {len(values)} subjects; mean {mean:.4g}")


def axis(
    values: Sequence[float], start: float, end: float, whole: bool = False
) -> tuple[Callable[[float], float], list[float]]:
    """Map from values to positions, and about five round marks within their range."""
    low, high = min(values), max(values)
    if low == high:
        pad = max(abs(low) * 0.1, 0.5 if whole else 1e-3)
        low, high = low - pad, high + pad
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= rough * 0.999)
    if whole:
        step = max(1.0, float(round(step)))
    first = math.ceil(low / step - 1e-9)
    marks = [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]
    return (lambda v: start + (v - low) / (high - low) * (end - start)), marks


def _line(points: Sequence[Point], colour: str, name: str) -> Markup:
    path = " ".join(f"{at(x)},{at(y)}" for x, y in points)
    line = tag("polyline", tag("title", name), class_="line", points=path, stroke=colour)
    if len(points) > 25:
        return line
    return join((line, *(tag("circle", cx=at(x), cy=at(y), r=2.4, fill=colour) for x, y in points)))


def _horizontal(y: float, label: str) -> Markup:
    return join((rule(LEFT, y, WIDTH - RIGHT, y), text_at(LEFT - 6, y + 4, label, "end")))


def rule(x1: float, y1: float, x2: float, y2: float) -> Markup:
    """A thin line of the frame."""
    return tag("line", class_="axis", x1=at(x1), y1=at(y1), x2=at(x2), y2=at(y2))


def text_at(x: float, y: float, text: str, anchor: str) -> Markup:
    """Words at a place: `anchor` is start, middle or end."""
    return tag("text", text, x=at(x), y=at(y), text_anchor=anchor)


def drawing(height: int, parts: Sequence[object], label: str) -> Markup:
    """The parts as one picture, with the words that stand for it where it cannot be seen."""
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {height}", role="img", aria_label=label)


def at(position: float) -> str:
    """A coordinate with as many digits as can be seen."""
    return f"{position:.1f}"


def number(value: float) -> str:
    """A value beside an axis."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
