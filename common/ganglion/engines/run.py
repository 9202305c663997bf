"""First step of a config's ``initialize``: errors in one line with their exit codes, and determinism."""

from __future__ import annotations

import logging
import os
import sys
import time
import warnings
from types import TracebackType
from typing import Any

import torch
from monai.utils import set_determinism

from ..errors import GanglionError, find_user_error, format_error
from . import processes
from .options import check_options

DEBUG_VARIABLE = "GANGLION_DEBUG"
_BEGUN = [time.monotonic()]


def prepare_run(seed: int | None = 0, deterministic: bool = True, debug: bool | None = None) -> None:
    """Prepare the process for a run; safe to call twice.

    After it, an error of this package ends the process with one line on stderr and the error's exit code (2 bad input,
    3 diverged, 4 disk full or read-only), however deep MONAI's config parser or a worker process has wrapped it. Other
    errors keep their traceback, and so does everything when ``debug`` is set.

    Args:
        seed: seeds Python, NumPy and torch, thus the initial weights; None leaves them.
        deterministic: ask torch for deterministic kernels; where it has none it warns.
        debug: show tracebacks; default: whether the environment variable GANGLION_DEBUG is set to anything but 0.

    Raises:
        InputError: if the command line of `python -m monai.bundle run` has an option that no config knows.
    """
    _BEGUN[0] = time.monotonic()
    if debug is None:
        debug = os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0")
    if not debug:
        _quieten_engines()
        if not isinstance(sys.excepthook, _OneLineErrors):
            sys.excepthook = _OneLineErrors(sys.excepthook)
    check_options(sys.argv)
    if seed is not None:
        set_determinism(seed=seed)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.set_deterministic_debug_mode("warn")  # as use_deterministic_algorithms, which loads the compiler
        # Filling costs time and helps only programs that read memory before they write it.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        warnings.filterwarnings("once", message=".*does not have a deterministic implementation.*")


def begun() -> float:
    """When the present run began, on the monotonic clock: the latest `prepare_run`, or the import of this module."""
    return _BEGUN[0]


def _find_error(error: BaseException) -> GanglionError | None:
    return find_user_error(error) or processes.lost_process(error)


class _OneLineErrors:
    """An exception hook that prints errors of this package as one line and exits with their code."""

    def __init__(self, fallback: Any) -> None:
        self.fallback = fallback

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        own = _find_error(error)

        def tell() -> None:
            if own is None:
                self.fallback(kind, error, trace)
                return
            sys.stderr.write(format_error(own) + "\n")
            sys.stderr.flush()

        code = processes.report_failure(1 if own is None else own.exit_code, tell)
        if processes.count() > 1:
            processes.leave_at_once(code)
        if own is None:
            return
        raise SystemExit(code)  # the interpreter takes the code of a SystemExit that a hook raises


class _WithoutOwnErrors(logging.Filter):
    """Drops what an engine logs about an error that the exception hook is going to report, tracebacks above all."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = sys.exc_info()[1]
        if record.levelno < logging.ERROR or error is None:
            return True
        return not isinstance(error, SystemExit) and _find_error(error) is None


def _quieten_engines() -> None:
    engines = ("AlternatingTrainer", "SupervisedTrainer", "SupervisedEvaluator", "EnsembleEvaluator")
    for name in ("monai.handlers.StatsHandler", *(f"ignite.engine.engine.{engine}" for engine in engines)):
        logger = logging.getLogger(name)
        if not any(isinstance(present, _WithoutOwnErrors) for present in logger.filters):
            logger.addFilter(_WithoutOwnErrors())
