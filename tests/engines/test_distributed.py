"""Processes that share the work do what one does alone: they meet over gloo, on the CPU.

Expected values come from the same training in one process with as many times the batch.
"""

import hashlib
import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed
from ignite.engine import Events
from monai.data import DataLoader, Dataset, DistributedSampler, MetaTensor
from monai.metrics import DiceMetric
from monai.transforms import Compose, RandGaussianNoised
from torch import nn

from ganglion.data import SeededItems
from ganglion.engines import (
    AlternatingTrainer,
    MeanOverSubjects,
    OwnShare,
    Phase,
    SharedEvaluator,
    Streams,
    join_processes,
    prepare_run,
    processes,
)
from ganglion.engines.handlers import SubjectScores, TrainingRun
from ganglion.engines.handlers.checkpoint import load_plain
from ganglion.errors import InputError
from ganglion.networks import share_network

pytestmark = pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="needs gloo")
SUBJECTS, EPOCHS = 16, 3


class Supervised:
    """A loss of the segmenter that depends on the critic's present weights."""

    def __call__(self, networks, batch):
        prediction = networks["segmenter"](batch["image"])
        return {"loss": (prediction - batch["label"]).square().mean() - 0.1 * networks["critic"](prediction).mean()}


class Distance:
    """Calls the trained critic twice, on detached fakes and on truth; remembers what it has seen, as penalties do."""

    def __init__(self):
        self.mean = torch.zeros(())

    def __call__(self, networks, batch):
        fake = networks["segmenter"](batch["image"]).detach()
        score = networks["critic"](batch["label"])
        self.mean = 0.9 * self.mean + 0.1 * batch["label"].mean()
        drift = self.mean * score.mean() if self.weight else 0.0
        return {"loss": -(networks["critic"](fake) - score).square().mean() + drift}

    weight = 0.0

    def state_dict(self):
        return {"mean": self.mean}

    def load_state_dict(self, state):
        self.mean = state["mean"]


class Drifting(Distance):
    """Uses what it remembers, which each process has for itself."""

    weight = 0.1


class Spoil:
    """A transform that brings NaN into one subject, or refuses it, from the second epoch on."""

    def __init__(self, fault=None):
        self.fault, self.seen = fault, 0

    def __call__(self, item):
        self.seen += item["subject"] == "sub-005"
        if self.fault is None or item["subject"] != "sub-005" or self.seen < 2:
            return item
        if self.fault == "refused":
            raise InputError("sub-005_T1.nii.gz: cannot be read; export it again")
        return {**item, "image": item["image"] * torch.nan}


def items():
    generator = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    return [{"image": draw(3, 4), "label": draw(1, 4), "subject": f"sub-{n:03d}"} for n in range(SUBJECTS)]


def networks(dropout):
    """No bias whose gradient is zero but for rounding: Adam would turn that into steps of any sign."""
    first = nn.Conv1d(3, 6, 1, bias=False)
    segmenter = nn.Sequential(first, nn.BatchNorm1d(6), nn.Dropout(dropout), nn.ReLU(), nn.Conv1d(6, 1, 1))
    first = nn.Conv1d(1, 5, 3, bias=False)
    critic = nn.Sequential(first, nn.BatchNorm1d(5), nn.LeakyReLU(0.2), nn.Conv1d(5, 1, 1, bias=False))
    return {"segmenter": segmenter, "critic": critic}


def build(folder, batch, accumulate=1, dropout=0.0, objective=Distance, fault=None, epochs=EPOCHS):
    """A training with batch norm, augmentation and shuffling, for however many processes there are."""
    torch.manual_seed(0)
    nets = networks(dropout)
    if processes.count() > 1:
        nets = {name: share_network(network) for name, network in nets.items()}
    phases = [
        Phase("critic", "critic", torch.optim.RMSprop(nets["critic"].parameters(), 0.01), objective()),
        Phase("segmenter", "segmenter", torch.optim.Adam(nets["segmenter"].parameters(), 0.02), Supervised()),
    ]
    noise = Compose([Spoil(fault), RandGaussianNoised(keys="image", prob=0.7, std=0.3)])
    data = SeededItems(Dataset(items(), noise))
    rank, count = processes.rank(), processes.count()
    sampler = DistributedSampler(data, num_replicas=count, rank=rank, shuffle=True, seed=4)
    run = TrainingRun(folder, tensorboard=False, progress=False)
    return AlternatingTrainer(
        "cpu",
        epochs,
        DataLoader(data, batch_size=batch, sampler=sampler),
        nets,
        "segmenter",
        phases,
        accumulate=accumulate,
        train_handlers=[run],
    )


def in_processes(number, folder, work, *arguments):
    """Run `work(rank, ...)` in that many processes that know each other; give their exit codes and what each said."""
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / f"store-{len(list(folder.glob('store-*')))}"

    def child(rank):
        torch.set_num_threads(1)
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
        for stream, name in ((sys.stdout, "out"), (sys.stderr, "err")):
            file = (folder / f"{name}-{rank}").open("w")
            os.dup2(file.fileno(), stream.fileno() if stream is sys.__stdout__ else {"out": 1, "err": 2}[name])
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=number)
        try:
            prepare_run(seed=3)
            work(rank, *arguments)
            torch.distributed.destroy_process_group()
        except SystemExit:
            raise
        except BaseException as error:  # the interpreter's own way out, which a child of multiprocessing does not take
            sys.excepthook(type(error), error, error.__traceback__)
            raise SystemExit(1) from error

    context = multiprocessing.get_context("fork")
    group = [context.Process(target=child, args=(rank,)) for rank in range(number)]
    for process in group:
        process.start()
    for process in group:
        process.join(60)
        process.kill()
    said = ["".join((folder / f"{name}-{rank}").read_text() for name in ("out", "err")) for rank in range(number)]
    return [process.exitcode for process in group], said


def train(rank, folder, options, stop_at=None):
    """Train; the second process signals itself in one iteration."""
    trainer = build(folder, **options)
    if stop_at is not None and rank == 1:
        trainer.add_event_handler(Events.ITERATION_STARTED(once=stop_at), lambda: signal.raise_signal(signal.SIGTERM))
    trainer.run()


def weights(folder):
    return {name: load_plain(folder / "networks" / f"{name}.pt") for name in ("segmenter", "critic")}


def largest_difference(one, other):
    return max(float((one[n][k] - other[n][k]).abs().max()) for n in one for k in one[n])


def fingerprint(folder):
    digest = hashlib.sha256()
    for network in weights(folder).values():
        for name, value in network.items():
            digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("accumulate", [1, pytest.param(2, marks=pytest.mark.multigpu)])
def test_two_processes_equal_one_with_twice_the_batch(tmp_path, accumulate):
    """Batch norm, augmentation and order included; with accumulation batch norm sees each part for itself in both."""
    alone = build(tmp_path / "alone", 8 // accumulate, accumulate)
    alone.run()
    options = {"batch": 4 // accumulate, "accumulate": accumulate}
    codes, said = in_processes(2, tmp_path / "group", train, tmp_path / "pair", options)
    assert codes == [0, 0], said
    assert largest_difference(weights(tmp_path / "alone"), weights(tmp_path / "pair")) < 1e-5
    start = {n: net.state_dict() for n, net in networks(0.0).items()}
    assert largest_difference(weights(tmp_path / "alone"), start) > 0.05
    rows = [(tmp_path / kind / "history.csv").read_text().splitlines() for kind in ("alone", "pair")]
    for one, other in zip(rows[0][1:], rows[1][1:], strict=True):
        assert [*map(float, one.split(","))] == pytest.approx([*map(float, other.split(","))], abs=1e-5)
    log = (tmp_path / "pair" / "log.txt").read_text()
    assert [log.count(f"epoch {n}/{EPOCHS}  ") for n in (1, 2, 3)] == [1, 1, 1]


def test_resumed_in_the_middle_of_an_epoch_as_if_never_stopped(tmp_path):
    """The signal reaches one process only; dropout, objective's memory and batches are each process's own."""
    options = {"batch": 2, "dropout": 0.3, "objective": Drifting}
    codes, said = in_processes(2, tmp_path / "whole-group", train, tmp_path / "whole", options)
    assert codes == [0, 0], said
    codes, said = in_processes(2, tmp_path / "group", train, tmp_path / "parts", options, 6)
    assert codes == [143, 143], said
    (newest,) = (tmp_path / "parts" / "checkpoints").glob("iteration-*6.pt")
    shares = load_plain(newest)["processes"]
    assert not torch.equal(shares[0]["random"]["torch"], shares[1]["random"]["torch"])
    codes, said = in_processes(2, tmp_path / "group", train, tmp_path / "parts", options)
    assert codes == [0, 0], said
    assert fingerprint(tmp_path / "parts") == fingerprint(tmp_path / "whole")
    assert said[1].count("resuming") == 0


@pytest.mark.multigpu
def test_goes_on_with_another_number_of_processes(tmp_path):
    """Same batch in all, so the same weights: two processes begin, one ends."""
    build(tmp_path / "alone", 8).run()
    codes, said = in_processes(2, tmp_path / "group", train, tmp_path / "parts", {"batch": 4}, 3)
    assert codes == [143, 143], said
    build(tmp_path / "parts", 8).run()
    assert largest_difference(weights(tmp_path / "alone"), weights(tmp_path / "parts")) < 1e-5


@pytest.mark.parametrize(("fault", "code", "says"), [("nan", 3, "sub-005"), ("refused", 2, "sub-005_T1.nii.gz")])
def test_one_process_that_fails_ends_all_with_one_line(tmp_path, fault, code, says, counted):
    codes, said = in_processes(2, tmp_path / "group", train, tmp_path / "run", {"batch": 4, "fault": fault})
    assert codes == [code, code], said
    lines = [line for text in said for line in text.splitlines() if "error" in line.lower() or "Traceback" in line]
    assert len(lines) == 1, said
    assert lines[0].startswith("error: ")
    assert says in lines[0]
    if fault == "nan":
        assert "already held values that are not finite" in lines[0]
        assert "sub-004" not in lines[0] or "sub-005" in lines[0]
        counted("training faults")
    assert load_plain(max((tmp_path / "run" / "checkpoints").iterdir()))["trainer"]["epoch"] == 1


def scans():
    """Three subjects whose Dice is 1, 2/3 and 0."""
    truth = torch.zeros(1, 4, 4, 4)
    truth[0, 0, 0, :2] = 1
    half, none = truth.clone(), truth.roll(1, 1)
    half[0, 0, 0, 1:] = 0
    labels = [truth, half, none]
    return [
        {"image": MetaTensor(truth), "label": MetaTensor(label), "subject": f"sub-{number}"}
        for number, label in enumerate(labels)
    ]


def evaluate(rank, out):
    data = Dataset(scans())
    loader = DataLoader(data, batch_size=1, sampler=OwnShare(data))
    evaluator = SharedEvaluator(
        torch.device("cpu"),
        loader,
        nn.Identity(),
        key_val_metric={
            "dice": MeanOverSubjects(
                DiceMetric(), lambda output: ([i["pred"] for i in output], [i["label"] for i in output])
            )
        },
        val_handlers=[SubjectScores(out)],
    )
    for _ in range(2):  # a validation runs many times
        evaluator.run()
    assert len(loader) == len(range(rank, 3, processes.count()))
    assert evaluator.state.metrics["dice"] == pytest.approx((1 + 2 / 3 + 0) / 3, abs=1e-6)
    assert evaluator.state.metrics["mean_dice"] == pytest.approx((1 + 2 / 3 + 0) / 3, abs=1e-6)


@pytest.mark.parametrize("number", [1, 4, pytest.param(2, marks=pytest.mark.multigpu)])
def test_each_subject_is_scored_once(tmp_path, number):
    """One process, two, and more than there are subjects."""
    codes, said = in_processes(number, tmp_path / "group", evaluate, tmp_path / "out")
    assert codes == [0] * number, said
    rows = json.loads((tmp_path / "out" / "scores.json").read_text())["subjects"]
    assert [(row["subject"], round(row["dice"], 3)) for row in rows] == [("sub-0", 1.0), ("sub-1", 0.667), ("sub-2", 0)]


def test_without_a_launcher_it_says_so(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(InputError, match="start it with torchrun"):
        join_processes()


def test_streams_begin_again_with_another_order_and_other_draws():
    data = SeededItems(Dataset(items(), RandGaussianNoised(keys="image", prob=1.0)))
    sampler = DistributedSampler(data, num_replicas=1, rank=0, shuffle=True)
    short, long = DataLoader(data, batch_size=8, sampler=sampler), DataLoader(Dataset(items() * 2), batch_size=8)
    passes = [batch["short"] for batch in Streams({"short": short, "long": long})]
    assert len(passes) == 4
    orders = [[*passes[n]["subject"], *passes[n + 1]["subject"]] for n in (0, 2)]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]
    first = {s: image for batch in passes[:2] for s, image in zip(batch["subject"], batch["image"], strict=True)}
    second = {s: image for batch in passes[2:] for s, image in zip(batch["subject"], batch["image"], strict=True)}
    assert not any(torch.equal(first[s], second[s]) for s in first)


def test_a_lost_process_is_told_in_one_line():
    lost = processes.lost_process(RuntimeError("[third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed"))
    assert "another process" in str(lost)
    assert processes.lost_process(RuntimeError("a bug")) is None
    assert Path(processes.__file__).exists()
