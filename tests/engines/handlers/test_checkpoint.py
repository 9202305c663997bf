"""A file is whole or absent, whatever happens while it is written."""

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from ganglion.engines.handlers import checkpoint
from ganglion.engines.handlers.checkpoint import (
    Checkpoints,
    check_writable,
    holds,
    load_plain,
    save_atomically,
    sweep,
    write_atomically,
)
from ganglion.errors import InputError, StorageError


def state(number):
    return {"weights": torch.full((1000,), float(number)), "epoch": number}


def test_saved_is_loaded(tmp_path):
    path = tmp_path / "deep" / "model.pt"
    save_atomically(state(3), path)
    assert load_plain(path)["epoch"] == 3
    assert [p.name for p in path.parent.iterdir()] == ["model.pt"]


KILLS = 100


@pytest.fixture
def quick_disk(tmp_path):
    """A folder in memory where the system has one: what a kill leaves is the same, and fsync takes no time there."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def test_killed_a_hundred_times_while_saving_every_file_loads(quick_disk, counted):
    """A process saves without pause, checkpoints and deployed weights in turn, and is killed at random moments."""
    chance, kept, model = random.Random(0), Checkpoints(quick_disk / "checkpoints"), quick_disk / "model.pt"
    former = quick_disk / "model.pt.previous"
    once = time_of_a_save(quick_disk)
    done, interrupted = 0, 0
    for _ in range(KILLS):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            save_for_ever(kept, model, former, done, writer)
        os.close(writer)
        os.read(reader, 1)  # the first save has begun
        time.sleep(chance.uniform(0.0, 3 * once))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        done += len(os.read(reader, 10_000))
        os.close(reader)
        interrupted += any(path.suffix == ".tmp" for path in quick_disk.rglob(".*"))
        sweep(quick_disk)
        for file in (*kept.files(), *filter(os.path.exists, (model, former))):
            found = load_plain(file)
            assert torch.all(found["weights"] == found["epoch"]), file
        _, found = kept.newest_whole() or (None, {"epoch": 0})
        assert done <= found["epoch"] <= done + 1  # what was said to be saved is there
        done = found["epoch"]
    assert done > KILLS / 10
    assert interrupted > KILLS / 4  # the kills did fall into the writing
    counted("kills while saving", KILLS)


def time_of_a_save(disk):
    """Seconds from the child's word that it begins to its word that a checkpoint is saved; a fork's first is slow."""
    kept, model = Checkpoints(disk / "tried"), disk / "tried.pt"
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        save_for_ever(kept, model, None, 0, writer)
    os.read(reader, 1)
    begun = time.monotonic()
    os.read(reader, 1)
    taken = time.monotonic() - begun
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)
    model.unlink(missing_ok=True)
    return taken


def numbered(number):
    return {"weights": torch.full((50_000,), float(number)), "epoch": number}


def save_for_ever(kept, model, former, done, writer):
    """The child's work: tell of each checkpoint that is saved by one byte."""
    os.write(writer, b"b")
    while True:
        done += 1
        kept.save(numbered(done), done)
        os.write(writer, b"d")
        save_atomically(numbered(done), model, keep_former=former)


def test_a_kill_at_each_single_operation_leaves_every_file_whole(quick_disk, at_operation, counted):
    """No moment is left to chance: the process dies before its first, second, ... operation on files."""
    killed = 0
    for number in range(1, 1000):
        folder = quick_disk / str(number)
        kept, model, former = Checkpoints(folder), folder / "model.pt", folder / "model.pt.previous"
        for epoch in (1, 2):
            kept.save(state(epoch), epoch)
            save_atomically(state(epoch), model, keep_former=former)
        child = os.fork()
        if child == 0:
            at_operation(number, lambda: os.kill(os.getpid(), signal.SIGKILL))
            kept.save(state(3), 3)
            save_atomically(state(3), model, keep_former=former)
            sys.setprofile(None)
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            break
        killed += 1
        assert [load_plain(file)["epoch"] for file in kept.files()] in ([1, 2], [1, 2, 3], [2, 3])
        assert (load_plain(model)["epoch"], load_plain(former)["epoch"]) in ((2, 1), (2, 2), (3, 2))
        kept.save(state(4), 4)
        sweep(folder)
        assert len(list(folder.iterdir())) == 4
    assert killed > 20
    counted("kills while saving", killed)


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
def test_a_disk_that_fails_at_each_single_operation_leaves_every_file_whole(quick_disk, at_operation, fault, counted):
    def fail():
        raise OSError(fault, os.strerror(fault))

    met = 0
    for number in range(1, 1000):
        folder = quick_disk / str(number)
        path, former = folder / "model.pt", folder / "model.pt.previous"
        for epoch in (1, 2):
            save_atomically(state(epoch), path, keep_former=former)
        before = path.read_bytes()
        at_operation(number, fail)
        told = ""
        try:
            save_atomically(state(3), path, keep_former=former)
        except StorageError as error:
            told = str(error)
        over = sys.getprofile() is not None
        sys.setprofile(None)
        if over:
            break
        met += 1
        assert told == "" or f"cannot write {path}: {os.strerror(fault)}; free space" in told
        assert load_plain(path)["epoch"] == 3 or (told and path.read_bytes() == before)
        assert load_plain(former)["epoch"] in (1, 2)
    assert met > 8
    counted("training faults")


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 256 kB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root can mount a disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_real_disk_that_is_full_or_read_only(tiny_disk, counted):
    path, former = tiny_disk / "model.pt", tiny_disk / "model.pt.previous"
    for epoch in (1, 2):
        save_atomically(state(epoch), path, keep_former=former)
    before = path.read_bytes(), former.read_bytes()
    with pytest.raises(StorageError, match=f"cannot write {path}: No space left on device"):
        save_atomically({"weights": torch.zeros(100_000), "epoch": 3}, path, keep_former=former)
    assert (path.read_bytes(), former.read_bytes()) == before
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    for attempt in (lambda: save_atomically(state(3), path, keep_former=former), lambda: check_writable(tiny_disk)):
        with pytest.raises(StorageError, match="cannot write .*: Read-only file system"):
            attempt()
    assert (path.read_bytes(), former.read_bytes()) == before
    assert sorted(file.name for file in tiny_disk.iterdir()) == ["model.pt", "model.pt.previous"]
    counted("training faults", 2)


def test_a_file_that_may_not_grow(tmp_path, counted):
    """The system's own limit, so that everybody meets a write that truly fails."""
    path = tmp_path / "model.pt"
    save_atomically(state(1), path)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(StorageError, match="cannot write .*model.pt: File too large"):
            save_atomically({"weights": torch.zeros(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.pt"]
    counted("training faults")


@pytest.mark.parametrize(("fault", "kind"), [(errno.ENOSPC, StorageError), (errno.EROFS, StorageError)])
def test_a_full_disk_is_one_line_and_destroys_nothing(tmp_path, monkeypatch, fault, kind):
    path = tmp_path / "model.pt"
    save_atomically(state(1), path)

    def full(handle):
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(kind, match=f"cannot write .*model.pt: {os.strerror(fault)}"):
        save_atomically(state(2), path)
    monkeypatch.undo()
    assert load_plain(path)["epoch"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]


def test_a_disk_that_fills_up_within_torch_save_is_told_from_a_bug(tmp_path):
    """torch.save reports a failed write as a RuntimeError."""

    class Full:
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self):
            pass

    watched = checkpoint._Watched(Full())
    with pytest.raises((RuntimeError, OSError)):
        torch.save(state(1), watched)
    assert watched.fault.errno == errno.ENOSPC


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_device_that_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint.tempfile, "mkstemp", lambda **_: (os.open("/dev/full", os.O_WRONLY), "/dev/full"))
    monkeypatch.setattr(os, "unlink", lambda path: None)
    with pytest.raises(StorageError, match="No space left on device"):
        save_atomically({"weights": torch.zeros(100_000)}, tmp_path / "model.pt")


def test_a_path_that_cannot_be_is_the_users_to_mend(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write .*choose another folder"):
        save_atomically(state(1), tmp_path / "file" / "model.pt")


def test_the_former_is_kept_beside_it(tmp_path):
    path, former = tmp_path / "model.pt", tmp_path / "model.pt.previous"
    for number in (1, 2, 3):
        save_atomically(state(number), path, keep_former=former)
    assert (load_plain(path)["epoch"], load_plain(former)["epoch"]) == (3, 2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.pt", "model.pt.previous"]


def test_rights_follow_the_umask(tmp_path):
    write_atomically(tmp_path / "history.csv", lambda file: file.write(b"1"))
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "history.csv").stat().st_mode & 0o777 == 0o666 & ~mask


def test_two_checkpoints_are_kept_and_the_newest_is_taken(tmp_path):
    kept = Checkpoints(tmp_path, keep=2)
    for number in (9, 10, 200):
        kept.save(state(number), number)
    assert [p.name for p in kept.files()] == ["iteration-000000010.pt", "iteration-000000200.pt"]
    assert kept.newest_whole()[1]["epoch"] == 200


def damage(path, kind):
    """Make a file what disks, copies and people make of it."""
    data = path.read_bytes()
    if kind == "folder":
        path.unlink()
        path.mkdir()
        return
    changed = {
        "cut": data[: len(data) // 2],
        "end cut": data[:-1],
        "empty": b"",
        "zeros": bytes(len(data)),  # what a file system leaves that was cut off before it wrote the blocks
        "flipped": data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 0xFF]) + data[len(data) // 2 + 1 :],
        "text": b"version https://git-lfs.github.com/spec/v1",
    }
    path.write_bytes(changed[kind])


@pytest.mark.parametrize("kind", ["cut", "end cut", "empty", "zeros", "flipped", "text", "folder"])
def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path, caplog, kind, counted):
    kept = Checkpoints(tmp_path)
    kept.save(state(1), 1)
    damage(kept.save(state(2), 2), kind)
    path, found = kept.newest_whole()
    assert (path.name, found["epoch"]) == ("iteration-000000001.pt", 1)
    assert "iteration-000000002.pt is damaged: taking the one before" in caplog.text
    damage(path, kind)
    with pytest.raises(InputError, match="all 2 checkpoints are damaged"):
        kept.newest_whole()
    counted("training faults")


def test_what_is_whole_but_no_checkpoint_is_passed_over(tmp_path, caplog, counted):
    kept = Checkpoints(tmp_path, parts=("weights", "epoch"))
    kept.save(state(1), 1)
    for number, other in ((2, {"weights": torch.zeros(1)}), (3, [1, 2])):
        save_atomically(other, tmp_path / f"iteration-{number:09d}.pt")
    assert kept.newest_whole()[1]["epoch"] == 1
    assert caplog.text.count("is not a checkpoint: taking the one before") == 2
    counted("training faults", 2)


@pytest.mark.parametrize("keep", [1, 2])
def test_a_damaged_later_checkpoint_does_not_crowd_out_a_whole_one(tmp_path, keep):
    kept = Checkpoints(tmp_path, keep)
    for number in (1, 2, 3):
        kept.save(state(number), number)
    save_atomically(state(9), tmp_path / "iteration-000000009.pt")
    damage(tmp_path / "iteration-000000009.pt", "cut")
    kept.save(state(4), 4)
    assert kept.newest_whole()[1]["epoch"] == 4
    assert len(kept.files()) == keep


def test_a_flipped_bit_anywhere_is_either_noticed_or_harmless(tmp_path):
    """The archive's padding and dates mean nothing; wherever a bit means something it is found."""
    path, chance = tmp_path / "model.pt", random.Random(0)
    save_atomically({"weights": torch.arange(300.0), "epoch": 1}, path)
    data, noticed = path.read_bytes(), 0
    for _ in range(300):
        place = chance.randrange(len(data))
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :])
        try:
            found = load_plain(path)
        except InputError:
            noticed += 1
        else:
            assert found["epoch"] == 1
            assert torch.equal(found["weights"], torch.arange(300.0))
    assert noticed > 100


def test_a_checkpoint_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    """Else the advice would be to delete what is whole."""
    path = tmp_path / "model.pt"
    save_atomically(state(1), path)

    def denied(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(checkpoint.torch, "load", denied)
    with pytest.raises(StorageError, match="cannot read .*model.pt: Permission denied"):
        load_plain(path)


def test_equal_weights_are_recognised(tmp_path):
    path, weights = tmp_path / "model.pt", {"weight": torch.arange(3.0)}
    assert not holds(path, weights)
    save_atomically(weights, path)
    assert holds(path, weights)
    assert not holds(path, {"weight": torch.arange(3)})
    assert not holds(path, {"weight": torch.ones(3)})
    assert not holds(path, {**weights, "bias": torch.ones(1)})


def test_no_checkpoint_is_no_error(tmp_path):
    assert Checkpoints(tmp_path / "none").newest_whole() is None


def test_a_file_with_more_than_tensors_is_refused(tmp_path):
    torch.save({"weights": np.float64}, tmp_path / "model.pt")
    with pytest.raises(InputError, match="model.pt: cannot be read as weights"):
        load_plain(tmp_path / "model.pt")
