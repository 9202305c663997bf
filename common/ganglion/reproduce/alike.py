"""Rows of several tables that are the same training: trained once, taken over by the others.

The tables of a paper repeat their baselines. Such rows have the same configs, settings, seed and data, and
trainings are exact on a CPU, so that a second one would give the first one's numbers, an hour later.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data.json_files import write_json
from . import record
from .plan import Job


def find_alike(job: Job) -> Path | None:
    """The folder of a row that is done and was run as this one would be; None if there is none.

    A row that was begun, whether it failed or was cut off, goes on by itself.
    """
    if record.read_progress(job.folder) is not None or record.read_row(job.folder) is not None:
        return None
    wanted = _recipe([step.words for step in job.steps], job.folder, job.configs, record.sums(job))
    for file in sorted(job.out.glob(f"*/*/{job.folder.name}/{record.ROW_FILE}")):
        content = record.read_row(file.parent)
        if content is not None and _recipe_of(content, job.out) == wanted and _has_scores(file.parent):
            return file.parent
    return None


def take_over(job: Job, folder: Path) -> None:
    """Give a row what another one has: the same files, under a second name where the disk can do that.

    Args:
        job: the row, with its folder locked.
        folder: of the row that is done; its `row.json` is written last, so that half a copy counts as none.
    """
    left_out = shutil.ignore_patterns("*.lock", record.ROW_FILE, record.STARTED_FILE)
    shutil.copytree(folder, job.folder, copy_function=_link, ignore=left_out, dirs_exist_ok=True)
    content = record.read_row(folder) or {}
    same = {"table": job.table.table, "row": job.row.row, "settings": job.settings, "scale": job.scale.name}
    commands = {"commands": [step.line for step in job.steps]}
    write_json(job.folder / record.ROW_FILE, {**content, **same, **commands, "taken_from": name_of(folder)})


def name_of(folder: Path) -> str:
    """`table/row` of a row's folder."""
    return "/".join(folder.parts[-3:-1])


def _recipe_of(content: Mapping[str, Any], out: Path) -> Any:
    """What a row was run with, as far as it is done; None if it is not."""
    if content.get("state") != record.DONE or "taken_from" in content:
        return None
    folder = out / content["table"] / content["row"] / f"seed{content['seed']}"
    words = [shlex.split(line) for line in content["commands"]]
    return _recipe(words, folder, content["configs"], content.get("starts", {}))


def _recipe(
    commands: Sequence[Sequence[str]], folder: Path, configs: Mapping[str, str], starts: Mapping[str, str]
) -> Any:
    """What decides the result: options in any order, without the row's own folder and what its starts are called."""
    own = f"{folder}{os.sep}"
    kept = []
    for words in commands:
        head, options = tuple(words[:5]), words[5:]
        pairs = dict(zip(options[::2], options[1::2], strict=False))
        pairs.pop("--start_from", None)  # a path: the sums of the weights say more
        kept.append((head, {key: value.removeprefix(own) for key, value in pairs.items()}))
    return kept, dict(configs), sorted(starts.values())


def _has_scores(folder: Path) -> bool:
    return (folder / "test" / "scores.json").is_file()


def _link(source: str, target: str) -> str:
    """A second name for a file, or a copy where the disk knows no second names."""
    try:
        os.link(source, target)
    except FileExistsError:
        pass
    except OSError:
        shutil.copy2(source, target)
    return target
