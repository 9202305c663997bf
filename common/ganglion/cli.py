"""The command line: `ganglion <command>`. Each command is a few lines over a module above; help loads no torch."""

import sys
from collections.abc import Sequence

from . import __version__, command_line
from .cli_data import Data
from .command_line import command


class Commands:
    """Adversarial networks for brain MRI, shipped as MONAI bundles.

    Begin with `ganglion demo`: it needs no data. Training, evaluation and inference are MONAI's own command,
    `python -m monai.bundle run ...`, on one of the bundles. Every command takes --help and --debug.
    """

    def __init__(self) -> None:
        self.data = Data()

    @staticmethod
    @command
    def demo(
        *,
        out: str | None = None,
        subjects: int = 16,
        epochs: int = 12,
        seed: int = 1000,
        spacing: float = 2.0,
        bundle: str | None = None,
        all: bool = False,
    ) -> None:
        """Show the whole chain on simulated scans, in minutes: train, evaluate, segment, report.

        With --all every bundle that has weights labels or draws instead, and one picture shows what each makes of what.

        Args:
            out: folder for all that is written, ganglion_demo (with --all ganglion_demo_all) if not given
            subjects: how many to simulate, from 4; half of them are kept for the test
            epochs: how long to train on from the shipped weights
            seed: of the simulated subjects
            spacing: voxel size in mm
            bundle: folder of the bundle, with --all of the bundles, if not beside the package
            all: every bundle with weights, on subjects of their own, without training

        Examples:
            ganglion demo
            ganglion demo --all
        """
        if all:
            from .demo_all import demo_all

            demo_all(out or "ganglion_demo_all", seed, spacing, bundle)
        else:
            from .demo import demo

            demo(out or "ganglion_demo", subjects, epochs, seed, spacing, bundle)

    @staticmethod
    @command
    def export(
        bundle: str,
        *,
        format: str,
        precision: str = "fp32",
        out: str | None = None,
        dataset: str | None = None,
        network: str = "network",
    ) -> None:
        """Write a bundle's network for other programs, if it answers there as the checkpoint does.

        Args:
            bundle: folder of a bundle that you trust
            format: torchscript, onnx or torch_export
            precision: fp32, or fp16 for weights and computation in half precision
            out: file or folder to write; if not given, NAME_vX.Y.Z in the working folder
            dataset: folder with dataset.json, to compare on the scans of its test list, too
            network: the one that labels, or another that generate.json names, as generator

        Examples:
            ganglion export bundles/segan_transfer --format onnx
        """
        from .sharing.export import export_bundle

        print(export_bundle(bundle, format, precision, out, dataset, network).summary())

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

        Examples:
            ganglion phantom brats DIR --subjects 20 --seed 1 --spacing 2
        """
        from .data.phantom import write_cohort

        folder = write_cohort(cohort, directory, subjects, seed, spacing, unlabeled, splits, workers)
        print(f"{folder}: {subjects + unlabeled} subjects. Look at it with: ganglion data check {folder}")

    @staticmethod
    @command
    def pack(bundle: str, *, out: str = ".", overwrite: bool = False, variant: str | None = None) -> None:
        """Make one zip of a bundle that runs where nothing of ours is installed; the same bundle gives the same bytes.

        Args:
            bundle: folder of the bundle
            out: folder for NAME_vX.Y.Z.zip
            overwrite: replace a zip of this version that holds something else
            variant: pack this variant as a bundle of its own, as flair, for a client that knows no overlays

        Examples:
            ganglion pack bundles/segan_transfer --out DIR
        """
        from .sharing.pack import pack

        print(pack(bundle, out, overwrite, variant))

    @staticmethod
    @command
    def scan(path: str, *, json: str | None = None) -> None:
        """Look through a bundle of somebody else before anything in it runs; exit code 2 if something is found.

        Args:
            path: a zip, the folder of a bundle, or one file, as weights
            json: file to write the findings to, for programs

        Examples:
            ganglion scan segan_transfer_v0.1.0.zip
        """
        from .sharing.scan import report, scan, write_json

        findings = scan(path)
        print(report(path, findings))
        if json is not None:
            write_json(json, path, findings)
        if findings:
            raise command_line.Failed(2)

    @staticmethod
    @command
    def unpack(archive: str, directory: str, *, trust: str | None = None) -> None:
        """Take a bundle out of its zip, after a look at everything in it; nothing is written of one that is refused.

        Args:
            archive: the zip
            directory: folder to put the bundle's folder into
            trust: sha256 of the zip, from its publisher, to accept what the scan finds

        Examples:
            ganglion unpack segan_transfer_v0.1.0.zip DIR
        """
        from .sharing.unpack import unpack

        print(unpack(archive, directory, trust))

    @staticmethod
    @command
    def report(
        directory: str,
        *,
        out: str | None = None,
        evaluation: str | None = None,
        dataset: str | None = None,
        section: str = "test",
        compare: str | None = None,
        title: str | None = None,
    ) -> None:
        """Write one HTML file about a training, an evaluation, a row of both, or a table of a paper.

        Args:
            directory: a training's run folder, one with scores.json, one with run/ and test/, or one with table.json
            out: file to write; if not given, report.html (of a table table.html) in that folder
            evaluation: folder with the scores and predictions of what was trained, if they lie elsewhere
            dataset: folder of the data that were scored, if not the one that the run names: pictures and fingerprint
            section: list of the data set that was scored
            compare: folder of another evaluation of the same subjects, for the paired difference
            title: headline

        Examples:
            ganglion report bundles/segan_transfer/runs/reference
            ganglion report RUN --evaluation EVAL --compare OTHER --out report.html
        """
        from .reports.on_folder import report_on

        print(report_on(directory, out, evaluation, dataset, section, compare, title))

    @staticmethod
    @command
    def reproduce(
        table: str,
        *,
        dataset_dir: str | None = None,
        seeds: int = 3,
        scale: str = "small",
        out: str | None = None,
        workers: int = 1,
        only: tuple[str, ...] = (),
        dry_run: bool = False,
        slurm: str | None = None,
        slurm_options: str | None = None,
        others: str | None = None,
    ) -> None:
        """Train and score the rows of a paper's table, and write the table; given again, it goes on.

        Args:
            table: BUNDLE/TABLE as segan_transfer/table1; the bundle may be the path of its folder
            dataset_dir: folder with dataset.json; subjects are simulated if not given
            seeds: how many trainings of each row
            scale: small or paper, or another that the table has
            out: folder for everything, reproduced/BUNDLE/SCALE if not given
            workers: rows that are run side by side
            only: rows to run, as a,b, and those that they start from; all if not given
            dry_run: print the commands and how long they may take, write nothing
            slurm: partition of a Slurm cluster to submit the rows to, one job each
            slurm_options: further parameters of submitit, as "{'timeout_min': 240, 'gpus_per_node': 1}"
            others: folders of further data sets that the table names, as "{'adults': 'DIR'}"

        Examples:
            ganglion reproduce segan_transfer/table1 --dry_run
            ganglion reproduce segan_transfer/table1 --dataset_dir DST --seeds 3
        """
        from .reproduce.command import reproduce

        code = reproduce(table, dataset_dir, seeds, scale, out, workers, only, dry_run, slurm, slurm_options, others)
        if code:
            raise command_line.Failed(code)

    @staticmethod
    @command
    def info(*, json: bool = False) -> None:
        """Print the versions of the software, the devices, and the bundles with their weights.

        Args:
            json: as one JSON object, for programs

        Examples:
            ganglion info
            ganglion info --json
        """
        from .reports.inventory import inventory

        print(inventory(as_json=json))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `ganglion` on the given words (default: those of the process) and returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if list(words) == ["--version"]:
        print(__version__)
        return 0
    return command_line.run(Commands(), "ganglion", words)
