"""How often the scan speaks up about public bundles: `python -m benchmarks.scan_public DIR`.

DIR holds bundles of others, each a folder or a zip. For each bundle it counts what the scan reads in its configs
(expressions and `_target_`s, each once a config) and what it finds, by kind: in files that are no configs, and in
configs the names of code that the bundle brings itself, pickles that may run code, and the rest. The rest are the
alarms to look at: a harmless name that is on no list is a false one. Nothing in DIR is run.
"""

import sys
from collections import Counter
from pathlib import Path

from ganglion.sharing.findings import SharingFinding
from ganglion.sharing.scan import scan
from ganglion.sharing.scanning.config_file import ENDINGS, Unreadable, read_config, walk
from ganglion.sharing.scanning.files import Files, open_files

KINDS = ("files", "own code", "pickles", "rest")


def kind_of(finding: SharingFinding) -> str:
    """Which column a finding belongs to."""
    if not finding.file.lower().endswith(ENDINGS):
        return "files"
    if "code of the bundle itself" in finding.why:
        return "own code"
    return "pickles" if "pickles" in finding.why or "weights_only" in finding.found else "rest"


def judged(files: Files) -> int:
    """How many expressions and targets each config of a bundle holds, each counted once a config."""
    count = 0
    for name in files.names:
        if name.lower().endswith(ENDINGS):
            try:
                items = list(walk(read_config(name, files.read(name))))
            except Unreadable:
                continue
            texts = [item for item in items if isinstance(item.value, str)]
            count += len({item.value for item in texts if item.name == "_target_" or item.value.startswith("$")})
    return count


def main(folder: Path) -> None:
    """Prints a line for each bundle and the sums."""
    total: Counter[str] = Counter()
    bundles = sorted(path for path in folder.iterdir() if path.is_dir() or path.suffix == ".zip")
    print(f"{'bundle':<50} {'judged':>7} " + " ".join(f"{kind:>9}" for kind in KINDS))
    for path in bundles:
        found = Counter(kind_of(finding) for finding in scan(path))
        read = sum(judged(files) for files in open_files(path))
        print(f"{path.name:<50} {read:>7} " + " ".join(f"{found[kind]:>9}" for kind in KINDS))
        total.update({"judged": read, "clean": int(not found), **found})
    print(f"{'sum':<50} {total['judged']:>7} " + " ".join(f"{total[kind]:>9}" for kind in KINDS))
    print(f"{len(bundles)} bundles, {total['clean']} of them without any finding")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
