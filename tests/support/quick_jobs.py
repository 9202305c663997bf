"""Rows whose commands are a few lines of Python, so that a plan takes a second."""

from dataclasses import dataclass, field
from pathlib import Path

from ganglion.reproduce.plan import Job, Plan, Step
from ganglion.reproduce.table import Row, Scale, Table

WRITE = """
import sys, time
from pathlib import Path
folder = Path(sys.argv[1])
print("hello from", folder.name)
{body}
(folder / "test").mkdir(exist_ok=True)
(folder / "test" / "scores.json").write_text("[]")
(folder / "model.pt").write_bytes(b"weights of " + folder.parent.name.encode())
"""
# Saves and leaves as a training does, and goes on from what it saved.
PATIENT = """
import os, signal
marks = folder / "run" / "checkpoints"
marks.mkdir(parents=True, exist_ok=True)
def leave(number, frame):
    (marks / "saved").touch()
    print("saved"); sys.exit(128 + number)
signal.signal(signal.SIGTERM, leave); signal.signal(signal.SIGINT, leave)
print("resuming" if (marks / "saved").exists() else "beginning", flush=True)
(folder / "begun").touch()
while not (marks / "saved").exists():
    time.sleep(0.02)
"""


@dataclass(frozen=True)
class QuickJob(Job):
    """A row that runs given code instead of a bundle."""

    code: str = field(default="", compare=False)

    @property
    def steps(self):  # a cached property there
        words = ("python", "-c", self.code, str(self.folder))
        return (Step("training", words, self.folder / "test" / "scores.json"),)


def quick_plan(out: Path, bodies: dict[str, str], starts: dict[str, str] | None = None) -> Plan:
    """Rows by name with what each does before it writes its scores; `starts` says which starts from which."""
    starts = starts or {}
    rows = {
        name: Row(name, name.title(), (), start_from=f"{{toy/{starts[name]}}}/model.pt" if name in starts else None)
        for name in bodies
    }
    root = out.parent / "bundle"
    (root / "configs").mkdir(parents=True, exist_ok=True)
    for name in ("train", "inference", "evaluate"):
        (root / "configs" / f"{name}.json").write_text("{}")
    scale = Scale("small")
    table = Table(root, "toy", "Toy", ("dice",), {"small": scale}, rows)
    plan = Plan()
    for name, body in bodies.items():
        job = QuickJob(table, rows[name], scale, 0, out, out / "data", code=WRITE.format(body=body))
        plan.jobs[job.key] = job
        plan.asked.add(job.key)
    return plan
