"""The last chapter of a report: commands, data, settings, seeds, versions, and the configuration as run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .environment import describe_environment
from .html import Markup, card, facts, folded, section, tag
from .provenance import command_of, config_as_run, run_versions, settings_of, versions_of
from .shell import without_folders

PathLike = str | os.PathLike[str]


def provenance_section(
    run_dir: PathLike | None,
    scores: Mapping[str, Any] | None,
    data: Mapping[str, str],
    commands: Sequence[str],
    simulated: bool,
) -> Markup:
    """What the numbers came from.

    Args:
        run_dir: folder of a training, for its settings; None without one.
        scores: an evaluation's scores.json, for its versions; None without one.
        data: the data set as `describe_data` describes it; may be empty.
        commands: the command lines that were run; when empty, the one that the run's folder remembers.
        simulated: whether the data are simulated.
    """
    run = Path(run_dir) if run_dir is not None else None
    cards: list[Markup] = []
    if data:
        kind = "simulated" if simulated else "as the data set describes it"
        cards.append(card("Data", facts({**data, "kind": kind})))
    if run is not None:
        cards.append(card("Settings and seeds of the training", facts(settings_of(run))))
        cards.append(_versions("Software of the training", run_versions(run)))
    if scores is not None:
        cards.append(_versions("Software of the evaluation", versions_of(scores)))
    cards.append(card("Software and device that wrote this page", facts(describe_environment())))
    lines = [tag("pre", without_folders(command)) for command in commands or (command_of(run) if run else [])]
    config = config_as_run(run) if run is not None else ""
    whole = folded("The configuration as run, complete", tag("pre", config)) if config else ""
    return section("What was run", *lines, tag("div", *cards, class_="columns"), whole)


def _versions(title: str, versions: Mapping[str, str]) -> Markup:
    return card(title, facts(versions)) if versions else Markup("")
