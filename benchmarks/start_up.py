"""Start-up against a bare `import torch`, in turn: `python benchmarks/start_up.py [pairs]`.

The goal is that `ganglion --help` and `import ganglion` take at most a tenth of the time of `import torch`.
"""

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "import torch": [sys.executable, "-c", "import torch"],
    "import ganglion": [sys.executable, "-c", "import ganglion"],
    "ganglion --help": [sys.executable, "-m", "ganglion", "--help"],
    "python -c pass": [sys.executable, "-c", "pass"],
}


def main(pairs: int) -> None:
    """Times every command `pairs` times in turn and prints medians, spreads and ratios."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(pairs + 1):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - start)
    floor = statistics.median(times["import torch"][1:])
    for name, seconds in times.items():
        warm = seconds[1:]  # the first round fills the file cache
        middle = statistics.median(warm)
        print(f"{name:<16} {middle:6.3f} s ({min(warm):.3f} to {max(warm):.3f}, n={pairs})  {middle / floor:5.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
