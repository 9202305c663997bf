"""What the processes of one training or evaluation tell each other; alone, a process agrees with itself at no cost."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sized
from contextlib import suppress
from datetime import timedelta
from typing import Any, NoReturn

import torch
from torch import Tensor, distributed
from torch.utils.data import Sampler

from ..errors import GanglionError, InputError

FAILED = "first_failure"
PATIENCE = timedelta(seconds=20)


class LostProcessError(GanglionError):
    """Another process has ended in the middle of the common work (exit code 1)."""


def join_processes() -> None:
    """Join the processes that torchrun (or srun, with the same variables) has started; a step of ``initialize``.

    NCCL where there are GPUs, gloo else. Messages below warnings are left to the first process.
    """
    missing = [name for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise InputError(
            f"this configuration is for several processes, but {', '.join(missing)} are not set: start it with "
            "torchrun, or leave the multi_gpu file out"
        )
    if distributed.is_initialized():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    hook = sys.excepthook
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    sys.excepthook = hook  # torch's own would swallow what ours says before it leaves
    if rank() != 0:
        logging.disable(logging.INFO)


def leave_processes() -> None:
    """Leave the common work once everybody has finished; the step of ``finalize``."""
    if distributed.is_available() and distributed.is_initialized():
        wait_for_all()
        distributed.destroy_process_group()


def rank() -> int:
    """Number of this process, 0 the first."""
    return distributed.get_rank() if distributed.is_available() and distributed.is_initialized() else 0


def count() -> int:
    """How many processes there are."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def average(numbers: Tensor) -> Tensor:
    """Means over all processes, in the same shape and on the same device."""
    return numbers if count() == 1 else total(numbers) / count()


def total(numbers: Tensor) -> Tensor:
    """Sums over all processes, in the same shape and on the same device."""
    if count() == 1:
        return numbers
    numbers = numbers.clone()
    distributed.all_reduce(numbers)
    return numbers


def largest(number: int) -> int:
    """The largest of all processes' numbers."""
    if count() == 1:
        return number
    shared = torch.tensor(number, device=device())
    distributed.all_reduce(shared, distributed.ReduceOp.MAX)
    return int(shared)


def wait_for_all() -> None:
    """Go on once every process is here."""
    largest(0)


def gather(value: Any) -> list[Any]:
    """The values of all processes, by their number, in every process."""
    if count() == 1:
        return [value]
    values: list[Any] = [None] * count()
    distributed.all_gather_object(values, value)
    return values


def from_first(value: Any) -> Any:
    """The value of the first process, in every process."""
    if count() == 1:
        return value
    values = [value]
    distributed.broadcast_object_list(values, src=0, device=device())
    return values[0]


def report_failure(exit_code: int, tell: Callable[[], None]) -> int:
    """Fail together: the first process of all tells why, the others are silent; gives the exit code for this one.

    The others wait until it has been told: a launcher ends everybody as soon as one has left.
    """
    if count() == 1:
        tell()
        return exit_code
    store = distributed.distributed_c10d._get_default_store()
    try:
        if store.add(FAILED, 1) == 1:
            tell()
            store.set(f"{FAILED}_code", str(exit_code))
            return exit_code
        store.wait([f"{FAILED}_code"], PATIENCE)
        return int(store.get(f"{FAILED}_code"))
    except RuntimeError:  # the process that kept the store is gone, and has said why
        return exit_code


def leave_at_once(exit_code: int) -> NoReturn:
    """End this process without taking anything down: connections to processes that have gone would abort or block."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(exit_code)


def lost_process(error: BaseException) -> LostProcessError | None:
    """The error that tells a user that another process has gone, if that is what this exception means."""
    kinds = tuple(filter(None, (getattr(distributed, name, None) for name in ("DistError", "DistBackendError"))))
    if isinstance(error, kinds) or (isinstance(error, RuntimeError) and "gloo/transport" in str(error)):
        return LostProcessError(
            "another process of this run has ended or is out of reach: see its own message; if it has none, it was "
            "killed (out of memory?). The same command goes on from the last checkpoint"
        )
    return None


def device() -> torch.device:
    """Where numbers that processes exchange have to lie."""
    return torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")


class OwnShare(Sampler[int]):
    """Every n-th item of a data set, for the n-th process: each item in exactly one process, none repeated.

    With fewer items than processes some processes have none; give the loader to a `SharedEvaluator`.

    Args:
        dataset: what has the items.
    """

    def __init__(self, dataset: Sized) -> None:
        self.dataset = dataset

    def __iter__(self) -> Iterator[int]:
        return iter(range(rank(), len(self.dataset), count()))

    def __len__(self) -> int:
        return len(range(rank(), len(self.dataset), count()))
