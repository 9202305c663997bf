"""`ganglion data <command>`: each command is a few lines over a module of the data layer."""

import sys

from . import command_line
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

        Examples:
            ganglion data convert brats SRC DST --seed 1
            ganglion data convert folder SRC DST --label_name lesion --contrasts T1,FLAIR
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

        Examples:
            ganglion data check DIR
            ganglion data check DIR --fix DST --json findings.json
        """
        from .data.doctor import MAX_VOXELS, look_after

        most = MAX_VOXELS if max_voxels is None else max_voxels
        text, good = look_after(directory, json, fix, copy, allow_outside, workers, sys.stderr.isatty(), most)
        print(text)
        if not good:
            raise command_line.Failed(2)

    @staticmethod
    @command
    def unpair(
        source: str,
        directory: str,
        *,
        seed: int = 0,
        contrasts: str | None = None,
        copy: bool = False,
        overwrite: bool = False,
        allow_outside: bool = False,
    ) -> None:
        """Leave each subject to train and validate on one contrast, drawn by chance; the test list stays whole.

        Args:
            source: folder with dataset.json
            directory: folder of the new data set; images are linked to, not copied
            seed: of the draw, recorded in dataset.json
            contrasts: those to draw from, as T1,FLAIR; all if not given
            copy: copy the images
            overwrite: replace a dataset.json that was made otherwise
            allow_outside: accept files that lie outside the source's folder

        Examples:
            ganglion data unpair DIR DST --seed 1
        """
        from .data.unpair import unpair

        print(unpair(source, directory, seed, contrasts, copy, overwrite, allow_outside).summary())

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

        Examples:
            ganglion data dicomseg out/sub-001_pred.nii.gz archive/patient1 seg.dcm --labels whole-tumour
        """
        from .data.dicom_seg import write_dicom_seg

        print(write_dicom_seg(prediction, source, out, labels, series, overwrite).summary())
