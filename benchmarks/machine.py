"""What the machine is and what it can do; no name of a host, no path."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Rates:
    """Measured rates: floating-point operations a second, and bytes read and written a second."""

    operations: float
    bytes: float


def measured_rates(toy: bool = False, clock: Callable[[], float] = time.perf_counter) -> Rates:
    """The best of several tries, on the cores that torch uses: a product of matrices, a copy of a large array."""
    import torch

    if os.environ.get("OMP_NUM_THREADS") == "1":
        torch.set_num_threads(1)
    n = 256 if toy else 2048
    a, b, c = torch.rand(n, n), torch.rand(n, n), torch.empty(n, n)
    operations = 2 * n**3 / _best(lambda: torch.mm(a, b, out=c), clock)
    source = torch.rand((1 if toy else 64) * 2**20)
    target = torch.empty_like(source)
    return Rates(operations, 2 * source.numel() * 4 / _best(lambda: target.copy_(source), clock))


def _best(act: Callable[[], Any], clock: Callable[[], float], tries: int = 5) -> float:
    found = []
    for _ in range(tries):
        start = clock()
        act()
        found.append(clock() - start)
    return min(found)


def describe_machine(rates: Rates) -> dict[str, str]:
    """Cores, processor, memory, versions, and how busy it was."""
    import monai
    import numpy
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    information = _file("/proc/cpuinfo")
    model = next((line.split(":", 1)[1].strip() for line in information if line.startswith("model name")), "")
    flags = next((line for line in information if line.startswith("flags")), "").split()
    memory = next((line for line in _file("/proc/meminfo") if line.startswith("MemTotal")), "0 0 kB").split()[1]
    wide = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return {
        "processor": f"{model or platform.machine()}, {cores} cores, {', '.join(wide) or 'no wide vectors'}",
        "memory": f"{int(memory) / 2**20:.0f} GiB",
        "threads of torch": str(torch.get_num_threads()),
        "measured rates": f"{rates.operations / 1e9:.0f} GFLOP/s (float32 matrix product), "
        f"{rates.bytes / 1e9:.1f} GB/s (copy, read and written)",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": f"torch {torch.__version__}, monai {monai.__version__}, numpy {numpy.__version__}",
    }


def load() -> float:
    """Processes that wanted to run, on average over the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def _file(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []
