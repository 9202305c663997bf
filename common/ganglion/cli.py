"""The command line: `ganglion <command>`. Each command is a few lines over a module above; help loads no torch."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from . import __version__, command_line
from .command_line import command


class Data:
    """Make a data set from what a challenge or a scanner gives, and find what is wrong with it."""


class Commands:
    """Adversarial networks for brain MRI, shipped as MONAI bundles.

    Begin with `ganglion demo`: it needs no data. Training, evaluation and inference are MONAI's own command,
    `python -m monai.bundle run ...`, on one of the bundles. Every command takes --help and --debug.
    """

    def __init__(self) -> None:
        self.data = Data()

    @staticmethod
    @command
    def info() -> None:
        """Print the versions of the software and the devices that it finds."""
        from .reports.environment import describe_environment

        for name, value in describe_environment().items():
            print(f"{name:<18} {value}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `ganglion` on the given words (default: those of the process) and returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if list(words) == ["--version"]:
        print(__version__)
        return 0
    return command_line.run(Commands(), "ganglion", words)
