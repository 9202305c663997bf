"""Files that are either whole or absent: atomic saving, and finding the newest whole checkpoint."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import torch

from ...errors import InputError, StorageError, storage_errors

logger = logging.getLogger(__name__)


def check_writable(folder: Path) -> None:
    """Raise a StorageError now if nothing can be written into a folder, rather than hours later."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle, path = tempfile.mkstemp(prefix=".writable.", suffix=".tmp", dir=folder)
        os.close(handle)
        os.unlink(path)


def sweep(folder: Path) -> None:
    """Remove the unfinished files that killed processes have left in a folder; nobody else may be writing there."""
    for left in folder.glob(".*.tmp"):
        with suppress(OSError):
            left.unlink()


class _Watched:
    """A file for torch.save, which reports a failed write as a RuntimeError: remembers the fault itself."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.fault: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return self.file.write(data)
        except OSError as error:
            self.fault = error
            raise

    def flush(self) -> None:
        self.file.flush()


def write_atomically(path: Path, write: Callable[[IO[bytes]], Any], keep_former: Path | None = None) -> None:
    """Write to a temporary file in the same folder, bring it to the disk, then put it in place in one step.

    Args:
        path: the file.
        write: fills an open binary file.
        keep_former: where to keep what ``path`` held before.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            if keep_former is not None and path.exists():
                _link_former(path, keep_former)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_folder(path.parent)


def save_atomically(state: Any, path: Path, keep_former: Path | None = None) -> None:
    """Save tensors and plain containers with torch.save, atomically."""

    def write(file: IO[bytes]) -> None:
        watched = _Watched(file)
        try:
            torch.save(state, cast(IO[bytes], watched))
        except (RuntimeError, OSError) as error:
            raise (watched.fault or error) from error

    write_atomically(path, write, keep_former)


def load_plain(path: Path) -> Any:
    """Load tensors and plain containers onto the CPU.

    An InputError names a file that is damaged or holds more, a StorageError one that may not be read.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if archive.testzip() is not None:  # torch.load does not look at the checksums
                    raise zipfile.BadZipFile("checksum")
        return torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, MemoryError):
        raise
    except PermissionError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}; run as the user who wrote it") from error
    except Exception as error:  # the kinds of failure of a damaged archive have no common base
        raise InputError(
            f"{path}: cannot be read as weights ({type(error).__name__}): the file is damaged, cut short or holds more "
            "than tensors; fetch or train it again"
        ) from error


def holds(path: Path, state: Mapping[str, torch.Tensor]) -> bool:
    """Whether a file holds exactly these tensors."""
    try:
        found = load_plain(path)
    except (FileNotFoundError, InputError):
        return False
    if not isinstance(found, Mapping) or found.keys() != state.keys():
        return False
    return all(
        isinstance(there := found[name], torch.Tensor) and there.dtype == value.dtype and torch.equal(there, value)
        for name, value in state.items()
    )


class Checkpoints:
    """The rolling checkpoints in a folder, newest last.

    Args:
        folder: where they lie.
        keep: how many are kept.
        parts: names of what each must hold to be one.
    """

    def __init__(self, folder: Path, keep: int = 2, parts: Sequence[str] = ()) -> None:
        if keep < 1:
            raise InputError(f"keep is {keep}, expected at least 1 checkpoint")
        self.folder = folder
        self.keep = keep
        self.parts = tuple(parts)

    def files(self) -> list[Path]:
        """Checkpoints in the folder, oldest first."""
        return sorted(self.folder.glob("iteration-*.pt"))

    def save(self, state: Any, iteration: int) -> Path:
        """Save, then drop the oldest beyond ``keep``, and later ones: those were damaged, or this would be later."""
        path = self.folder / f"iteration-{iteration:09d}.pt"
        save_atomically(state, path)
        files = self.files()
        place = files.index(path) + 1
        for old in files[: max(0, place - self.keep)] + files[place:]:
            with suppress(OSError):
                old.unlink()
        sweep(self.folder)
        return path

    def newest_whole(self) -> tuple[Path, Any] | None:
        """The newest checkpoint that loads; damaged ones are reported and passed over. None if there is none."""
        files = self.files()
        for path in reversed(files):
            try:
                state = load_plain(path)
            except InputError:
                logger.warning("checkpoint %s is damaged: taking the one before", path)
                continue
            if not self.parts or (isinstance(state, Mapping) and set(self.parts) <= set(state)):
                return path, state
            logger.warning("%s is not a checkpoint: taking the one before", path)
        if files:
            raise InputError(
                f"{self.folder}: all {len(files)} checkpoints are damaged; delete the folder to begin anew"
            )
        return None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _link_former(path: Path, former: Path) -> None:
    """Keep the present file under another name without a moment in which ``path`` is absent."""
    spare = former.with_name(f".{former.name}.tmp")
    with suppress(FileNotFoundError):
        spare.unlink()
    try:
        os.link(path, spare)
    except OSError:  # a file system without hard links
        spare.write_bytes(path.read_bytes())
    os.replace(spare, former)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno != errno.EINVAL:  # what file systems say that do not know this for folders
                raise
        finally:
            os.close(handle)
