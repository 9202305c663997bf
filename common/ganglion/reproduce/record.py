"""What is remembered about a row in its folder: `row.json` once it has ended, `started.json` as long as it has not."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..data.datalist import FILE_NAME
from ..data.json_files import write_json
from ..errors import InputError
from ..sharing.sums import file_sum
from .plan import Job

ROW_FILE, STARTED_FILE, LOG_FILE = "row.json", "started.json", "log.txt"
DONE, FAILED = "done", "failed"


@dataclass
class Progress:
    """How far a row is, over all the parts in which it was run.

    Attributes:
        configs: sha256 of each config that it was begun with.
        settings: sha256 of what the table said.
        starts: sha256 of the weights that it started from.
        parts: seconds of each command, by run id.
        finished: run ids of the commands that are done.
        peak_mib: the largest memory of any of its processes.
        tries: how often it was begun or continued.
    """

    configs: dict[str, str]
    settings: str
    starts: dict[str, str] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    finished: list[str] = field(default_factory=list)
    peak_mib: float = 0.0
    tries: int = 0

    @property
    def seconds(self) -> float:
        """Wall time of all parts."""
        return sum(self.parts.values())


def begin(job: Job) -> Progress:
    """The progress of a row that is begun or continued now, with the sums of what it starts from."""
    left = read_progress(job.folder)
    fresh = Progress(job.configs, job.settings, sums(job))
    if left is None or _changed(job, vars(left)):
        left = fresh
    left.tries += 1
    return left


def save_progress(folder: Path, progress: Progress) -> None:
    """Write how far a row is."""
    write_json(folder / STARTED_FILE, asdict(progress))


def read_progress(folder: Path) -> Progress | None:
    """How far a row is that has not ended well; None if it was never begun."""
    content = _read(folder / STARTED_FILE)
    try:
        return None if content is None else Progress(**content)
    except TypeError:
        return None


def write_row(job: Job, progress: Progress, state: str, exit_code: int, last_line: str, was_run: bool = True) -> None:
    """Write how a row ended; what it takes to go on stays if it failed."""
    kept = {name: value for name, value in asdict(progress).items() if name != "finished"}
    content = {
        "state": state,
        "table": job.table.table,
        "row": job.row.row,
        "seed": job.seed,
        "scale": job.scale.name,
        "commands": [step.line for step in job.steps],
        "seconds": round(progress.seconds, 3),
        "was_run": was_run,
        "exit_code": exit_code,
        "last_line": last_line,
        "ended": time.time(),
        **kept,
    }
    write_json(job.folder / ROW_FILE, content)
    if state == DONE:
        (job.folder / STARTED_FILE).unlink(missing_ok=True)


def write_not_run(job: Job, why: str) -> None:
    """Write that a row was not run and why; it counts as failed, and is tried when the command is given again."""
    progress = read_progress(job.folder) or Progress(job.configs, job.settings)
    job.folder.mkdir(parents=True, exist_ok=True)
    write_row(job, progress, FAILED, 1, f"not run: {why}", was_run=False)


def read_row(folder: Path) -> dict[str, Any] | None:
    """The content of a row's `row.json`; None if it has not ended."""
    return _read(folder / ROW_FILE)


def is_done(job: Job) -> bool:
    """Whether a row was run to its end and everything is there."""
    content = read_row(job.folder)
    return content is not None and content.get("state") == DONE and job.steps[-1].product.is_file()


def failed_since(job: Job, moment: float) -> str | None:
    """The last words of a row that was run and failed after a moment; None if it has not."""
    content = read_row(job.folder)
    if content is None or content.get("state") != FAILED or content.get("ended", 0.0) < moment:
        return None
    if not content.get("was_run", True):
        return None
    return str(content.get("last_line", ""))


def refuse_changed(job: Job) -> None:
    """Raise an InputError if a row that is done, or cut off, was run with other configs than lie there now."""
    done = is_done(job)
    content = read_row(job.folder) if done else _read(job.folder / STARTED_FILE)
    if content is None or not (done or any(job.folder.glob("run/checkpoints/*"))):
        return
    changed = _changed(job, content)
    if changed:
        what = "was run" if done else "was begun"
        raise InputError(
            f"{job.folder}: {what} with another {changed}, expected the same; delete this folder to run the row anew, "
            "or choose another with --out DIR."
        )


def _changed(job: Job, content: dict[str, Any]) -> str:
    """What of a row is not as it was, in words."""
    then, now = content.get("configs", {}), job.configs
    for name in sorted({*now, *then}):
        if now.get(name) != then.get(name):
            return name
    if content.get("settings") != job.settings:
        return f"row {job.row.row} in {job.table.path.name}"
    former = content.get("starts", {})
    for name, found in sums(job).items():
        if former.get(name, found) != found:
            return f"file to start from, {name}"
    return ""


def sums(job: Job) -> dict[str, str]:
    """sha256 of the weights that a row starts from, and of the lists of drawn data, as far as they exist."""
    files = {name: path / FILE_NAME if path.is_dir() else path for name, path in job.starts.items()}
    return {name: file_sum(path) for name, path in files.items() if path.is_file()}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
