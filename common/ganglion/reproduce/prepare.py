"""Before the first row: the folder of all tables, and the simulated subjects where no others are given."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from ..data.datalist import FILE_NAME
from ..errors import GanglionError
from ..lock import HeldError, RunLock
from ..reports.shell import command_line
from .place import MARKER, Place
from .run_row import Child
from .screen import Screen
from .share import Interrupts, Stopped

_SAYS = "Simulated subjects, not patients: no data set was given."


def prepare(place: Place, screen: Screen, interrupts: Interrupts) -> None:
    """Make the folder and the simulated data, unless another process does, and note what they are."""
    lock = RunLock(place.out / f"{MARKER}.lock")
    told = False
    while not _taken(lock):
        if interrupts.received:
            raise Stopped(interrupts.received[0])
        if not told:
            screen.say(f"another process prepares {place.out}")
        told = True
        time.sleep(0.5)
    try:
        place.check()
        place.begin()
        for folder, words in place.to_simulate.items():
            if (folder / FILE_NAME).is_file():
                screen.say(_SAYS)
            else:
                _simulate(folder, words, screen, interrupts)
        place.note_data()
        place.note_further()
    finally:
        lock.release()


def _simulate(folder: Path, words: Sequence[str], screen: Screen, interrupts: Interrupts) -> None:
    """What a former process has left unfinished goes."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    screen.say(f"{_SAYS}\n{command_line(words)}")
    log = folder.with_name(f"{folder.name}.log.txt")
    child = Child(words, log)
    while not child.poll():
        screen.update(0, lambda: f"{len(list(folder.glob('sub-*')))} subjects simulated")
        if interrupts.received:
            child.stop(interrupts.received[0])
        time.sleep(0.2)
    if interrupts.received:
        raise Stopped(interrupts.received[0])
    if child.exit_code:
        last = (log.read_text("utf-8", "replace").strip().splitlines() or [""])[-1]
        error = GanglionError(f"simulating into {folder} ended with exit code {child.exit_code}: {last}")
        error.exit_code = child.exit_code
        raise error


def _taken(lock: RunLock) -> bool:
    try:
        lock.acquire()
    except HeldError:
        return False
    return True
