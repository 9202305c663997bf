"""One process a run folder: who is refused, who takes over."""

import os
import resource
import subprocess
import sys

import pytest

from ganglion.errors import InputError, StorageError
from ganglion.lock import RunLock

HOLD = """
import fcntl, os, sys, time
file = open(sys.argv[1], "a+")
fcntl.lockf(file, fcntl.LOCK_EX)
file.truncate(0); file.write(str(os.getpid())); file.flush()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "run.lock")], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_holder_is_named_and_once_it_is_killed_its_lock_is_taken_over(tmp_path, holder, caplog, counted):
    lock = RunLock(tmp_path / "run.lock")
    for _ in range(2):
        with pytest.raises(InputError, match=f"process {holder.pid} trains into this folder already; wait"):
            lock.acquire()
    holder.kill()
    holder.wait()
    assert (tmp_path / "run.lock").read_text() == str(holder.pid)
    lock.acquire()
    assert f"process {holder.pid} ended without giving it back: taking it over" in caplog.text
    assert (tmp_path / "run.lock").read_text() == f"{os.getpid()}\n"
    lock.release()
    counted("training faults", 2)


def test_a_process_is_refused_by_itself_too(tmp_path, counted):
    """The system's locks do not hold within a process: two trainings in threads of one server would mix."""
    (tmp_path / "other").symlink_to(tmp_path)
    first, second = RunLock(tmp_path / "run.lock"), RunLock(tmp_path / "other" / "run.lock")
    first.acquire()
    first.acquire()  # the same training, in another round of federated learning
    with pytest.raises(InputError, match=f"process {os.getpid()} trains into this folder already"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
    counted("training faults")


def test_what_is_given_back_leaves_no_name_and_no_warning(tmp_path, caplog):
    for _ in range(2):
        lock = RunLock(tmp_path / "run.lock")
        lock.acquire()
        lock.release()
    assert (tmp_path / "run.lock").read_bytes() == b""
    assert caplog.text == ""


def test_a_full_disk_is_one_line(tmp_path, counted):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(StorageError, match=r"cannot write .*run\.lock: File too large"):
            RunLock(tmp_path / "run.lock").acquire()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    counted("training faults")


def test_a_lock_of_any_length_and_content_is_no_hindrance(tmp_path):
    (tmp_path / "run.lock").write_bytes(bytes(range(256)) * 1000)
    lock = RunLock(tmp_path / "run.lock")
    lock.acquire()
    assert (tmp_path / "run.lock").read_text() == f"{os.getpid()}\n"
    lock.release()
