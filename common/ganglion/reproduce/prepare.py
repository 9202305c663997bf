"""Before the first row: the folder of all tables, and the simulated subjects where no others are given."""

from __future__ import annotations

import shutil
import time

from ..data.datalist import FILE_NAME
from ..errors import GanglionError
from ..lock import HeldError, RunLock
from ..reports.shell import command_line
from .place import MARKER, Place
from .run_row import Child
from .screen import Screen
from .share import Interrupts, Stopped

_SAYS = "Simulated subjects, not patients: no --dataset_dir was given."


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
        if place.given is None and not (place.data / FILE_NAME).is_file():
            _simulate(place, screen, interrupts)
        elif place.given is None:
            screen.say(_SAYS)
        place.note_data()
    finally:
        lock.release()


def _simulate(place: Place, screen: Screen, interrupts: Interrupts) -> None:
    """What a former process has left unfinished goes."""
    if place.data.exists():
        shutil.rmtree(place.data)
    screen.say(f"{_SAYS}\n{command_line(place.phantom)}")
    log = place.out / "data.log.txt"
    child = Child(place.phantom, log)
    while not child.poll():
        screen.update(0, lambda: f"{len(list(place.data.glob('sub-*')))} subjects simulated")
        if interrupts.received:
            child.stop(interrupts.received[0])
        time.sleep(0.2)
    if interrupts.received:
        raise Stopped(interrupts.received[0])
    if child.exit_code:
        last = (log.read_text("utf-8", "replace").strip().splitlines() or [""])[-1]
        error = GanglionError(f"simulating into {place.data} ended with exit code {child.exit_code}: {last}")
        error.exit_code = child.exit_code
        raise error


def _taken(lock: RunLock) -> bool:
    try:
        lock.acquire()
    except HeldError:
        return False
    return True
