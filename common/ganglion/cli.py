"""The command line: `ganglion <command>`. Each command is a few lines over a module above; help loads no torch."""

import sys
from collections.abc import Sequence

from . import __version__, command_line
from .command_line import command


class Data:
    """Make a data set from what a challenge or a scanner gives, and find what is wrong with it."""

    @staticmethod
    @command
    def check(directory: str, *, allow_outside: bool = False, workers: int = 1) -> None:
        """Look at every file of a data set and name each fault; exit code 2 if it cannot be used.

        Args:
            directory: folder with dataset.json
            allow_outside: accept files that lie outside the folder
            workers: subjects that are looked at side by side
        """
        from .data.check import check_dataset
        from .data.findings import ERROR, report

        findings = check_dataset(directory, allow_outside=allow_outside, workers=workers, progress=sys.stderr.isatty())
        print(report(findings))
        if any(finding.level == ERROR for finding in findings):
            raise command_line.Failed(2)


class Commands:
    """Adversarial networks for brain MRI, shipped as MONAI bundles.

    Begin with `ganglion demo`: it needs no data. Training, evaluation and inference are MONAI's own command,
    `python -m monai.bundle run ...`, on one of the bundles. Every command takes --help and --debug.
    """

    def __init__(self) -> None:
        self.data = Data()

    @staticmethod
    @command
    def phantom(
        cohort: str,
        directory: str,
        *,
        subjects: int,
        seed: int = 0,
        spacing: float = 1.0,
        unlabeled: int = 0,
        splits: tuple[int, ...] | None = None,
        workers: int = 1,
    ) -> None:
        """Simulate brain scans with labels; the same seed gives the same bytes.

        Args:
            cohort: brats, iseg or mrbrains
            directory: new or empty folder to write
            subjects: how many labelled subjects
            seed: any whole number from 0
            spacing: voxel size in mm
            unlabeled: how many further subjects without a label
            splits: subjects for training, validation and test, as 12,3,5; about 60, 15 and 25 % if not given
            workers: subjects that are made side by side
        """
        from .data.phantom import write_cohort

        folder = write_cohort(cohort, directory, subjects, seed, spacing, unlabeled, splits, workers)
        print(f"{folder}: {subjects + unlabeled} subjects. Look at it with: ganglion data check {folder}")

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
