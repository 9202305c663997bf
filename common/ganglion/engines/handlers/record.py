"""What was run: the command, the versions, the configuration with its overrides; and the log file."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite
import monai
import numpy as np
import torch

from ...errors import storage_errors
from ...keys import IMAGE, SUBJECT
from ..randomness import loaders_of
from ..trainer import AlternatingTrainer
from .checkpoint import write_atomically

logger = logging.getLogger(__name__)


def record_run(path: Path, trainer: AlternatingTrainer) -> None:
    """Write the configuration as run; when resumed with other settings the former record is kept beside it."""
    record = {
        "command": sys.argv,
        "versions": versions(),
        "seed": trainer.seed,
        "max_epochs": trainer.state.max_epochs,
        "epoch_length": trainer.state.epoch_length,
        "precision": trainer.precision,
        "accumulate": trainer.accumulate,
        "deployed": trainer.deployed,
        "phases": {phase.name: list(phase.trains) for phase in trainer.phases},
        "config": config_of_command(sys.argv),
    }
    text = json.dumps(record, indent=2, default=str) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def subjects_digest(data: Any) -> str:
    """A digest of the training's subjects, by name: the same wherever the data lie. Empty where items have no names."""
    names: list[str] = []
    for loader in loaders_of(data):
        items = getattr(getattr(loader, "dataset", None), "data", None)
        for item in items if isinstance(items, Sequence) and not isinstance(items, str) else ():
            image = item.get(SUBJECT) or item.get(IMAGE) if isinstance(item, Mapping) else None
            first = image[0] if isinstance(image, (list, tuple)) and image else image
            names += [Path(first).name] if isinstance(first, (str, Path)) else []
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest() if names else ""


def set_aside(run_dir: Path) -> Path:
    """Move what a finished run has left into a folder of its own within the run's folder, for another run to begin."""
    number = 1 + len(list(run_dir.glob("former-*")))
    former = run_dir / f"former-{number}"
    with storage_errors(former):
        former.mkdir()
        for name in ("checkpoints", "networks", "tensorboard", "history.csv", "config.json"):
            if (run_dir / name).exists():
                (run_dir / name).rename(former / name)
    return former


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "monai": monai.__version__,
        "ignite": ignite.__version__,
        "numpy": np.__version__,
    }


def config_of_command(arguments: Sequence[str]) -> dict[str, Any] | None:
    """The configuration that a command line of ``monai.bundle run`` names, with its overrides; None without one."""
    from monai.bundle import ConfigParser
    from monai.bundle.utils import merge_kv

    options = _options(arguments)
    files = options.pop("config_file", None)
    if files is None:
        return None
    try:
        config: dict[str, Any] = ConfigParser.load_config_files(files)
        for name in ("run_id", "init_id", "final_id", "meta_file", "logging_file", "tracking", "args_file"):
            options.pop(name, None)
        parser = ConfigParser(config)
        for name, value in options.items():
            if "::" in name or "#" in name:
                parser[name] = value
            else:
                merge_kv(config, name, value)
        return config
    except Exception as error:  # noqa: BLE001 - a record is a courtesy: whatever is wrong must not stop a training
        logger.warning("the configuration could not be recorded: %s", error)
        return None


def _options(arguments: Sequence[str]) -> dict[str, Any]:
    """Options of a command line, with values read as fire reads them."""
    from fire.parser import DefaultParseValue

    found: dict[str, Any] = {}
    waiting: str | None = None
    for argument in arguments[1:]:
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            found[name] = DefaultParseValue(value) if equals else True
            waiting = None if equals else name
        elif waiting is not None:
            found[waiting], waiting = DefaultParseValue(argument), None
    return found


class _LogFile(logging.FileHandler):
    """A log that a full disk cannot make noisy: the checkpoint reports the disk."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the logging module's
        pass


def attach_log(path: Path) -> None:
    """Let the package's messages go to a file too, and to stderr if nobody has set up logging."""
    package = logging.getLogger(__name__.partition(".")[0])
    for present in list(package.handlers):
        if isinstance(present, logging.FileHandler):
            package.removeHandler(present)
            present.close()
    with storage_errors(path):
        handler = _LogFile(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    package.addHandler(handler)
    if package.getEffectiveLevel() > logging.INFO:
        package.setLevel(logging.INFO)
    if not logging.getLogger().handlers and not any(type(h) is logging.StreamHandler for h in package.handlers):
        screen = logging.StreamHandler()
        screen.setFormatter(logging.Formatter("%(message)s"))
        package.addHandler(screen)
