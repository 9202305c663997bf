"""How many slices a second one core prepares, against what the paper configuration's training step eats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from .machine import Rates
from .side_by_side import Row, Size, Spread, figure, in_turn, seconds, simulated_case
from .training_step import eaten_by_paper, parsed

LIMIT = 3.0


def measure(folder: Path, size: Size, rates: Rates) -> list[Row]:
    """Slices a second and core from cached volumes, for both configurations, and the first reading of a volume."""
    data = simulated_case(folder, size)
    eaten = eaten_by_paper(size)
    threads = torch.get_num_threads()
    rows: list[Row] = []
    torch.set_num_threads(1)
    try:
        for name in ("reference", "paper"):
            drawn, reading = _pipeline(name, data, size)
            rows.append(_against_step(name, drawn, eaten, threads))
            rows.append(figure(f"reading a subject for the cache, {name}: one core", "s", reading))
    finally:
        torch.set_num_threads(threads)
    return rows


def _against_step(name: str, drawn: Spread, eaten: float, threads: int) -> Row:
    ratio = drawn.median / eaten
    return Row(
        f"data, {name}: slices from the cache, augmented, collated", "slices/s a core", drawn,
        f"what the paper configuration's step eats on {threads} cores", Spread.of([eaten]), ratio,
        f"at least {LIMIT:g} times", ratio >= LIMIT, "a GPU that eats more needs more workers",
    )  # fmt: skip


def _pipeline(name: str, data: Path, size: Size) -> tuple[Spread, Spread]:
    """Slices a second from a cached volume, and the seconds of reading it."""
    overrides: dict[str, Any] = {"dataset_dir": str(data)}
    overrides |= (
        {"slice_size": [32, 32], "crop_to_head": {"_target_": "Identityd", "keys": "image"}} if size.toy else {}
    )
    parser = parsed(name, size, **overrides)
    parser["train#dataset#data#section"] = "test"
    items = parser.get_parsed_content("train#dataset#data")
    steps = parser.get_parsed_content("train#preprocessing").transforms
    slices, fixed = steps[-1], steps[:-1]  # what is drawn anew each time, and what the cache holds

    def read() -> Any:
        item = dict(items[0])
        for step in fixed:
            item = step(item)
        return item

    item = read()
    from monai.data.utils import list_data_collate

    repeats = 1 if size.toy else 20
    count = repeats * int(parser["slices_per_volume"])

    def draw() -> None:
        list_data_collate([part for _ in range(repeats) for part in slices(item)])

    drawn, reading = in_turn([seconds(draw, size), seconds(read, size)], size.pairs)
    per_second = Spread(count / drawn.median, count / drawn.most, count / drawn.least, drawn.n)
    return per_second, reading
