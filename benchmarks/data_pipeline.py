"""How many slices a second one core prepares, against what the paper configuration's training step eats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .machine import Rates
from .side_by_side import Row, Size, Spread, figure, in_turn, one_thread, seconds, simulated_case
from .training_step import eaten_by_paper, parsed

LIMIT = 3.0


def measure(folder: Path, size: Size, rates: Rates) -> list[Row]:
    """Slices a second and core from cached volumes, for both configurations, and the first reading of a volume."""
    data = simulated_case(folder, size)
    eaten = eaten_by_paper(size)
    rows: list[Row] = []
    with one_thread() as threads:
        for name in ("reference", "paper"):
            drawn, reading = _slices(name, data, size)
            what = f"data, {name}: slices from the cache, augmented, collated"
            rows.append(against_step(what, "slices/s a core", drawn, eaten, threads))
            rows.append(figure(f"reading a subject for the cache, {name}: one core", "s", reading))
    return rows


def against_step(what: str, unit: str, drawn: Spread, eaten: float, threads: int) -> Row:
    """A row about what is prepared against what the paper configuration's step eats."""
    ratio = drawn.median / eaten
    return Row(
        what, unit, drawn, f"what the paper configuration's step eats on {threads} cores", Spread.of([eaten]), ratio,
        f"at least {LIMIT:g} times", ratio >= LIMIT, "a GPU that eats more needs more workers",
    )  # fmt: skip


def _slices(name: str, data: Path, size: Size) -> tuple[Spread, Spread]:
    overrides: dict[str, Any] = {"dataset_dir": str(data)}
    overrides |= (
        {"slice_size": [32, 32], "crop_to_head": {"_target_": "Identityd", "keys": "image"}} if size.toy else {}
    )
    parser = parsed(name, size, **overrides)
    parser["train#dataset#data#section"] = "test"
    item = parser.get_parsed_content("train#dataset#data")[0]
    transforms = parser.get_parsed_content("train#preprocessing").transforms
    return pipeline([(item, transforms)], int(parser["slices_per_volume"]), size)


def pipeline(kinds: Sequence[tuple[Any, Sequence[Any]]], per_volume: int, size: Size) -> tuple[Spread, Spread]:
    """Samples a second from a cached volume, and the seconds of reading it.

    Args:
        kinds: of what a sample consists: a subject and its transforms, the last of which is drawn anew each time.
        per_volume: samples that are drawn at a time.
        size: how much is measured.
    """
    from monai.data.utils import list_data_collate

    def read(item: Any, fixed: Sequence[Any]) -> Any:
        for step in fixed:
            item = step(item)
        return item

    held = [read(dict(item), transforms[:-1]) for item, transforms in kinds]  # what the cache holds
    repeats = 1 if size.toy else 20

    def draw() -> None:
        for (_, transforms), item in zip(kinds, held, strict=True):
            list_data_collate([part for _ in range(repeats) for part in transforms[-1](item)])

    first, transforms = kinds[0]
    acts = [seconds(draw, size), seconds(lambda: read(dict(first), transforms[:-1]), size)]
    drawn, reading = in_turn(acts, size.pairs)
    count = repeats * per_volume
    per_second = Spread(count / drawn.median, count / drawn.most, count / drawn.least, drawn.n)
    return per_second, reading
