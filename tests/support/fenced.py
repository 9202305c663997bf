"""The commands in the documents' fences, and what a bundle's configs know of them."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bundles/*/docs/**/*.md")})
# What `python -m monai.bundle run` takes besides the names in a config.
OF_MONAI = {"config_file", "bundle_root", "meta_file", "logging_file", "tracking", "args_file"}


@dataclass(frozen=True)
class Fence:
    """One block of commands of a page."""

    page: str
    lines: tuple[str, ...]

    @property
    def bundle(self) -> str | None:
        """The bundle in whose folder the commands are typed: that of the card, or that of a first line `cd ...`."""
        place = self.page if self.page.startswith("bundles/") else self.lines[0].removeprefix("cd ")
        return place.split("/")[1] if place.startswith("bundles/") else None


def fences() -> list[Fence]:
    """All blocks of the kind `bash`, each command on one line, comments left out."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^ *```bash\n(.*?)^ *```", text, re.S | re.M):
            joined = (re.sub(r"\s+#.*", "", line).strip() for line in block.replace("\\\n", " ").splitlines())
            lines = tuple(re.sub(r"\s{2,}", " ", line) for line in joined if line and not line.startswith("#"))
            found.append(Fence(page.relative_to(ROOT).as_posix(), lines))
    return found


def faults_of_run(line: str, bundle: str | None) -> list[str]:
    """What a `monai.bundle run` line names and its configs do not have: files, run ids, options."""
    words = shlex.split(line.split(" -m monai.bundle run ", 1)[1])
    names = [word[2:] for word in words if word.startswith("--")]
    files = re.findall(r"[\w./-]+\.json", words[words.index("--config_file") + 1])
    folder = ROOT / "bundles" / bundle if bundle else ROOT
    moved = re.search(r"cd (\S+) && ", line)
    if moved:
        folder = ROOT / moved.group(1).replace("ELSEWHERE", "bundles")
    paths = [folder / name.replace("BUNDLE", "bundles/segan_transfer") for name in files]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        return missing
    known = {key.lstrip("+") for path in paths for key in json.loads(path.read_text(encoding="utf-8"))}
    run_id = words[0] if not words[0].startswith("--") else "run"
    unknown = [run_id] if run_id not in known else []
    return unknown + [name for name in names if name.split("#")[0] not in known | OF_MONAI]
