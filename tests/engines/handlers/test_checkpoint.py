"""A file is whole or absent, whatever happens while it is written."""

import errno
import multiprocessing
import os
import time

import numpy as np
import pytest
import torch

from ganglion.engines.handlers import checkpoint
from ganglion.engines.handlers.checkpoint import Checkpoints, load_plain, save_atomically, write_atomically
from ganglion.errors import InputError, StorageError


def state(number):
    return {"weights": torch.full((1000,), float(number)), "epoch": number}


def test_saved_is_loaded(tmp_path):
    path = tmp_path / "deep" / "model.pt"
    save_atomically(state(3), path)
    assert load_plain(path)["epoch"] == 3
    assert [p.name for p in path.parent.iterdir()] == ["model.pt"]


@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
def test_a_kill_while_saving_leaves_the_former_file(tmp_path, monkeypatch, moment):
    path = tmp_path / "model.pt"
    save_atomically(state(1), path)

    def killed(*arguments):
        raise KeyboardInterrupt

    if moment == "write":
        monkeypatch.setattr(checkpoint.torch, "save", killed)
    else:
        monkeypatch.setattr(os, moment, killed)
    with pytest.raises(KeyboardInterrupt):
        save_atomically(state(2), path)
    monkeypatch.undo()
    assert load_plain(path)["epoch"] == 1


def test_killed_at_any_moment_the_newest_checkpoint_is_whole(tmp_path):
    """A process saves without pause and is killed, twenty times; what it leaves always loads."""

    def work():
        kept, number = Checkpoints(tmp_path), 1
        if kept.files():
            number = int(kept.files()[-1].stem.split("-")[1])
        while True:
            number += 1
            kept.save({"weights": torch.full((200_000,), float(number)), "epoch": number}, number)

    for attempt in range(20):
        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        while attempt == 0 and not Checkpoints(tmp_path).files():
            time.sleep(0.001)
        time.sleep(0.002 * attempt)
        child.kill()
        child.join()
        newest = Checkpoints(tmp_path).files()[-1]
        state = load_plain(newest)
        assert torch.all(state["weights"] == state["epoch"])
    Checkpoints(tmp_path).save(state, state["epoch"])
    assert [path for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


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
    data = bytearray(path.read_bytes())
    if kind == "cut":
        data = data[: len(data) // 2]
    elif kind == "empty":
        data = bytearray()
    else:
        data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("kind", ["cut", "empty", "flipped"])
def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path, caplog, kind):
    kept = Checkpoints(tmp_path)
    kept.save(state(1), 1)
    damage(kept.save(state(2), 2), kind)
    path, found = kept.newest_whole()
    assert (path.name, found["epoch"]) == ("iteration-000000001.pt", 1)
    assert "iteration-000000002.pt is damaged" in caplog.text
    damage(path, kind)
    with pytest.raises(InputError, match="all 2 checkpoints are damaged"):
        kept.newest_whole()


def test_no_checkpoint_is_no_error(tmp_path):
    assert Checkpoints(tmp_path / "none").newest_whole() is None


def test_a_file_with_more_than_tensors_is_refused(tmp_path):
    torch.save({"weights": np.float64}, tmp_path / "model.pt")
    with pytest.raises(InputError, match="model.pt: cannot be read as weights"):
        load_plain(tmp_path / "model.pt")
