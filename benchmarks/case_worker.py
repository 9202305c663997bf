"""A process that labels a case, file to file, each time it is told to, and says what that took.

    python -m benchmarks.case_worker CONFIGS OVERRIDES     (two JSON texts)

A line on standard input is `case` (the whole chain), `network` (only the network, on the tensors of the last case) or
`count` (operations and bytes of it); each is answered by one line of JSON. One side has one process, so that the
largest memory that it ever held is that side's own.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch.utils.flop_counter import FlopCounterMode


def main(configs: list[str], overrides: dict[str, Any]) -> None:
    """Answer commands until the input ends."""
    parser = ConfigParser()
    parser.read_config(configs)
    parser.update(overrides)
    network, evaluator = parser.get_parsed_content("network"), parser.get_parsed_content("evaluator")
    watched = _Watched(network)
    answers = sys.stdout
    sys.stdout = sys.stderr  # what libraries print must not mix with the answers
    print(json.dumps({"resident_mib": status("VmRSS")}), file=answers, flush=True)
    for line in sys.stdin:
        watched.keep, watched.seconds = line.strip() == "keep", 0.0
        wall, cpu = time.perf_counter(), time.process_time()
        found: dict[str, float] = {}
        if line.strip() == "network":
            watched.again()
        elif line.strip() == "count":
            found = watched.count()
        else:
            evaluator.run()
        found |= {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "network": watched.seconds}
        print(json.dumps({**found, "peak_mib": status("VmHWM")}), file=answers, flush=True)


class _Watched:
    """Times a network's calls, and keeps what it is given where it is told to."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.network, self.keep, self.seconds = network, False, 0.0
        self.kept: list[torch.Tensor] = []
        self._start = 0.0
        network.register_forward_pre_hook(self._before)
        network.register_forward_hook(self._after)

    def _before(self, _: Any, arguments: tuple[torch.Tensor, ...]) -> None:
        if self.keep:
            self.kept.append(arguments[0].detach().as_subclass(torch.Tensor))
        self._start = time.perf_counter()

    def _after(self, *_: Any) -> None:
        self.seconds += time.perf_counter() - self._start

    @torch.no_grad()
    def again(self) -> None:
        for tensor in self.kept:
            self.network(tensor)

    @torch.no_grad()
    def count(self) -> dict[str, float]:
        """Operations of all calls, and bytes that their layers read and write."""
        moved = [0]

        def add(_: Any, arguments: tuple[Any, ...], output: Any) -> None:
            moved[0] += sum(t.numel() * t.element_size() for t in (*arguments, output) if isinstance(t, torch.Tensor))

        leaves = [module for module in self.network.modules() if not list(module.children())]
        hooks = [leaf.register_forward_hook(add) for leaf in leaves]
        with FlopCounterMode(display=False) as counter:
            self.again()
        for hook in hooks:
            hook.remove()
        return {"operations": float(counter.get_total_flops()), "bytes": float(moved[0])}


def status(name: str) -> float:
    """One of the kernel's figures about this process, in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return float(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), json.loads(sys.argv[2]))
