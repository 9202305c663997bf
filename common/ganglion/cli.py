"""The command line: `ganglion <command>`. Each command is a few lines over a module above; help loads no torch."""

import sys
from collections.abc import Sequence

from . import __version__, command_line
from .command_line import command


class Data:
    """Make a data set from what a challenge or a scanner gives, and find what is wrong with it."""

    @staticmethod
    @command
    def convert(
        layout: str,
        source: str,
        directory: str,
        *,
        seed: int = 0,
        fractions: tuple[float, ...] = (0.8, 0.1, 0.1),
        contrasts: str | None = None,
        label_name: str | None = None,
        label_map: str | None = None,
        training: tuple[str, ...] = (),
        validation: tuple[str, ...] = (),
        test: tuple[str, ...] = (),
        unlabeled: tuple[str, ...] = (),
        resample_to: str | None = None,
        map: str | None = None,
        subjects: str | None = None,
        remove: bool = False,
        copy: bool = False,
        overwrite: bool = False,
    ) -> None:
        """Write a dataset.json for scans in a known layout; images are referred to, not copied.

        Args:
            layout: brats2015, brats (2018 and later), msd, iseg2017, iseg2019, mrbrains13, mrbrains18, bids, dicom,
                or folder (any other)
            source: folder of the scans
            directory: folder of the data set, which may be the source itself
            seed: of the split, recorded in dataset.json
            fractions: shares of training, validation and test
            contrasts: those to take, in order, as T1,FLAIR
            label_name: (folder, bids, mrbrains13) how the name of a label ends, as lesion
            label_map: codes in the files to codes here, as 4:3,1:1, or brats, brats2013, msd, iseg, mrbrains
            training: subjects, as a,b, instead of a drawn split
            validation: subjects, instead of a drawn split
            test: subjects, instead of a drawn split
            unlabeled: subjects, instead of a drawn split
            resample_to: first puts what lies on another grid on that of the subject's first contrast
            map: (dicom, bids) which series or file is which contrast, as "T1=*MPRAGE*,FLAIR=AX FLAIR"
            subjects: (dicom) table patient,subject that names the subjects; written with numbers if there is none
            remove: (mrbrains13, mrbrains18) set cerebellum and brain stem to 0 in the images
            copy: copy the images
            overwrite: replace a dataset.json that was made otherwise
        """
        from .data.convert import convert

        lists = {"training": training, "validation": validation, "test": test, "unlabeled": unlabeled}
        options = {"label_name": label_name, "contrast_map": map, "subjects": subjects, "remove": remove}
        done = convert(
            layout,
            source,
            directory,
            seed=seed,
            fractions=fractions,
            copy=copy,
            contrasts=contrasts,
            label_map=label_map,
            sections={name: chosen for name, chosen in lists.items() if chosen} or None,
            resample_to=resample_to,
            overwrite=overwrite,
            **options,
        )
        print(done.summary())

    @staticmethod
    @command
    def check(
        directory: str,
        *,
        json: str | None = None,
        fix: str | None = None,
        copy: bool = False,
        max_voxels: int | None = None,
        allow_outside: bool = False,
        workers: int = 1,
    ) -> None:
        """Look at every file of a data set and name each fault; exit code 2 if it cannot be used.

        Args:
            directory: folder with dataset.json
            json: file to write the findings to, for programs
            fix: new folder for a copy in which what can be mended safely is; exit code 0 if all was
            copy: with --fix, copy flawless files instead of linking to them
            max_voxels: how many voxels a file may claim, 536870912 if not given; more is refused unread
            allow_outside: accept files that lie outside the folder
            workers: subjects that are looked at side by side
        """
        from .data.doctor import MAX_VOXELS, look_after

        most = MAX_VOXELS if max_voxels is None else max_voxels
        text, good = look_after(directory, json, fix, copy, allow_outside, workers, sys.stderr.isatty(), most)
        print(text)
        if not good:
            raise command_line.Failed(2)

    @staticmethod
    @command
    def dicomseg(
        prediction: str,
        source: str,
        out: str,
        *,
        labels: str,
        series: str | None = None,
        overwrite: bool = False,
    ) -> None:
        """Write a prediction as a DICOM segmentation, for the archive that its scans came from.

        The file carries the patient and the study of the scans.

        Args:
            prediction: label map that inference wrote, on the grid of one of the series
            source: folder of the DICOM files that the prediction was made from
            out: file to write
            labels: what the codes mean: whole-tumour, tumour, tissue, or as 1:core,2:oedema
            series: pattern of the description of the series to lie on, as "AX T1*"
            overwrite: replace the file
        """
        from .data.dicom_seg import write_dicom_seg

        print(write_dicom_seg(prediction, source, out, labels, series, overwrite).summary())


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
        out: str = "ganglion_demo",
        subjects: int = 16,
        epochs: int = 12,
        seed: int = 1000,
        spacing: float = 2.0,
        bundle: str | None = None,
    ) -> None:
        """Show the whole chain on simulated scans, in minutes: train, evaluate, segment, report.

        Args:
            out: folder for all that is written
            subjects: how many to simulate, from 4; half of them are kept for the test
            epochs: how long to train on from the shipped weights
            seed: of the simulated subjects
            spacing: voxel size in mm
            bundle: folder of the bundle, if it is not beside the package
        """
        from .demo import demo

        demo(out, subjects, epochs, seed, spacing, bundle)

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
        """
        from .reproduce.command import reproduce

        code = reproduce(
            table, dataset_dir, seeds, scale, out, workers, only, dry_run, slurm=slurm, slurm_options=slurm_options
        )
        if code:
            raise command_line.Failed(code)

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
